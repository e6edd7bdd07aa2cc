//! From polling to a WebSocket: the new connection shows that it works, and then takes the session over.
//!
//! `2probe` is answered by `3probe`; the client lets its last poll come back, and says `5`. Until then the session goes
//! on as it was, and a probe that fails costs nothing.
use std::{io, time::Duration};

use hyper::upgrade::OnUpgrade;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::sessions::{Command, Handle};
use crate::ws::{
    close::Fault,
    outbox::Outbox,
    upgraded::{self, Socket},
};

/// How long the whole may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Largest message of a probe.
const MESSAGE_MAX: usize = 1 << 10;

/// Serves a WebSocket that was opened for a session there is.
pub(crate) async fn probe(upgraded: OnUpgrade, handle: Handle, closing: CancellationToken) {
    let Some(mut socket) = upgraded::of(upgraded, MESSAGE_MAX).await else {
        return;
    };
    if !handle.begin_upgrade() {
        let fault = Fault::protocol("the session has a WebSocket already");
        return socket.close(Outbox::default(), fault).await;
    }
    let talked = closing.run_until_cancelled(timeout(WITHIN, converse(&mut socket, &handle)));
    match talked.await {
        Some(Ok(Ok(()))) => {
            // The session may be over by now; then the socket is closed by being dropped.
            let _ = handle.tell(Command::Upgrade(Box::new(socket))).await;
        }
        _ => {
            handle.end_upgrade().await;
            let fault = Fault::protocol("no probe and upgrade came in time");
            socket.close(Outbox::default(), fault).await;
        }
    }
}

async fn converse(socket: &mut Socket, handle: &Handle) -> io::Result<()> {
    expect(socket, "2probe").await?;
    let told = handle.tell(Command::Probed).await;
    told.map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?;
    socket.say("3probe").await?;
    expect(socket, "5").await
}

async fn expect(socket: &mut Socket, packet: &str) -> io::Result<()> {
    match socket.next_text().await? {
        text if text == packet => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
