//! The WebSocket door: our own framing on the upgraded connection, so that one encoded frame serves all readers.
//!
//! `inbox` makes messages of bytes, `ops` reads them, `talk` does what they ask, `replies` words the answers, `outbox`
//! writes them, and `session` turns the wheel. None of them waits for a slow reader: it simply takes less. Who only emits
//! is served in the `lane`.
pub(crate) mod close;
mod feeds;
pub(crate) mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod handshake;
pub(crate) mod inbox;
pub(crate) mod liveness;
pub(crate) mod ops;
pub(crate) mod outbox;
mod replies;
mod session;
mod talk;
pub(crate) mod upgraded;

use std::io;

use axum::{
    body::Body,
    extract::State,
    http::{Request, header},
    response::Response,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::debug;

use crate::{app::App, error::ApiError, socket::Patient};
use session::{Ran, Session};
use talk::Talk;

/// The handler: switches protocols, and talks once the connection is handed over.
pub(crate) async fn upgrade(
    State(app): State<App>,
    mut request: Request<Body>,
) -> Result<Response, ApiError> {
    // A token in the header must be good; without one the first message may carry it.
    let caller = match app.auth.identify(request.headers()) {
        Ok(caller) => Some(caller),
        Err(error) if request.headers().contains_key(header::AUTHORIZATION) => return Err(error),
        Err(_) => None,
    };
    let response = handshake::answer(&request)?;
    if app.closing.is_cancelled() {
        return Err(ApiError::closing());
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let talk = Box::new(Talk::new(app.clone(), caller));
    app.conversations.spawn(converse(upgraded, talk));
    Ok(response)
}

async fn converse(upgraded: OnUpgrade, talk: Box<Talk>) {
    let upgraded = match upgraded.await {
        Ok(upgraded) => upgraded,
        Err(error) => return debug!(%error, "a connection ended during its handshake"),
    };
    let parts = upgraded
        .downcast::<TokioIo<Patient<TcpStream>>>()
        .expect("the accept loop serves this type alone");
    let (stream, unread) = parts.io.into_inner().into_parts();
    let session = Session::new(stream, &[parts.read_buf, unread].concat(), talk);
    if let Err(error) = serve(session).await {
        debug!(%error, "a connection ended between two event loops");
    }
}

/// Serves a session to its end: here, and in the lane as long as it only emits.
async fn serve(mut session: Session<TcpStream>) -> io::Result<()> {
    while let Ran::ToLane(seat) = session.run().await {
        let stay = Box::pin(async {
            let mut emitter = session.adopted()?;
            let ran = emitter.run().await;
            io::Result::Ok((emitter, ran))
        });
        let Some((reader, Ran::FromLane)) = seat.serve(stay).await.transpose()? else {
            break;
        };
        session = reader.adopted()?;
    }
    Ok(())
}
