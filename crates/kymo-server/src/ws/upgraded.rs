//! A connection that was upgraded to a WebSocket for a client of another system: its bytes in, its bytes out, its goodbye.
//!
//! The wheels that turn it know what is said; here is only how.
use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tracing::debug;

use super::{
    close::Fault,
    inbox::{Inbox, Incoming},
    outbox::Outbox,
};
use crate::socket::{self, Patient};

/// How long the last words may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// A connection that speaks WebSocket, and what came of it.
pub(crate) struct Socket {
    stream: TcpStream,
    pub(crate) inbox: Inbox,
}

/// What moved.
pub(crate) enum Moved {
    /// So many bytes came; none when it is over.
    Read(usize),
    /// Some of what waits was taken.
    Wrote,
}

/// What came of writing at once.
#[derive(PartialEq, Eq)]
pub(crate) enum AtOnce {
    /// There was nothing to write.
    Nothing,
    /// Some was taken.
    Wrote,
    /// Nothing is taken now.
    Blocked,
}

/// The WebSocket of a request that was answered with one; `None` if the client hung up meanwhile.
pub(crate) async fn of(upgraded: OnUpgrade, message_max: usize) -> Option<Socket> {
    let upgraded = match upgraded.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            debug!(%error, "a connection ended during its handshake");
            return None;
        }
    };
    let parts = upgraded
        .downcast::<TokioIo<Patient<TcpStream>>>()
        .expect("the accept loop serves this type alone");
    let (stream, unread) = parts.io.into_inner().into_parts();
    Some(Socket {
        stream,
        inbox: Inbox::new(message_max, &[parts.read_buf, unread].concat()).with_binary(),
    })
}

impl Socket {
    /// The next message of a client that has yet to say what it is for: a text, while it lasts.
    pub(crate) async fn next_text(&mut self) -> io::Result<String> {
        loop {
            match self.inbox.next() {
                Ok(Some(Incoming::Text(text))) => return Ok(text.to_owned()),
                Ok(Some(Incoming::Ping(_) | Incoming::Pong)) => continue,
                Ok(Some(Incoming::Binary(_) | Incoming::Close(_))) | Err(_) => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                Ok(None) => {}
            }
            if self.stream.read_buf(self.inbox.room()).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Writes one text message.
    pub(crate) async fn say(&mut self, text: &str) -> io::Result<()> {
        let mut outbox = Outbox::default();
        outbox.text(|out| out.extend_from_slice(text.as_bytes()));
        self.flush(&mut outbox).await
    }

    /// Writes what waits, as far as it is taken now.
    pub(crate) async fn write_at_once(&mut self, outbox: &mut Outbox) -> io::Result<AtOnce> {
        if outbox.is_empty() {
            return Ok(AtOnce::Nothing);
        }
        let written = poll_fn(|cx| Poll::Ready(outbox.poll_write(Pin::new(&mut self.stream), cx)));
        match written.await {
            Poll::Ready(written) => written.map(|_| AtOnce::Wrote),
            Poll::Pending => Ok(AtOnce::Blocked),
        }
    }

    /// Writes what waits, else reads what came.
    pub(crate) fn poll_move(
        &mut self,
        wants_messages: bool,
        outbox: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Moved>> {
        let Self { stream, inbox } = self;
        if !outbox.is_empty()
            && let Poll::Ready(written) = outbox.poll_write(Pin::new(&mut *stream), cx)
        {
            return Poll::Ready(written.map(|_| Moved::Wrote));
        }
        if !wants_messages {
            return Poll::Pending;
        }
        let read = match inbox.is_idle() {
            // A socket that is silent holds no buffer of its own.
            true => socket::poll_landed(stream, cx, |bytes| inbox.room().extend_from_slice(bytes)),
            false => pin!(stream.read_buf(inbox.room())).poll(cx),
        };
        Poll::Ready(ready!(read).map(Moved::Read))
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self, mut outbox: Outbox, fault: Fault) {
        outbox.close(fault);
        let _ = timeout(GOODBYE_WITHIN, async {
            self.flush(&mut outbox).await?;
            self.stream.shutdown().await?;
            // Bytes left unread would make the system throw our last words away.
            let mut rest = [0; 512];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }

    async fn flush(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        while !outbox.is_empty() {
            poll_fn(|cx| outbox.poll_write(Pin::new(&mut self.stream), cx)).await?;
        }
        Ok(())
    }
}
