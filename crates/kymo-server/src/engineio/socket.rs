//! A session on a WebSocket: reads, hears, gives, and waits only when nothing else is left to do.
//!
//! The same wheel as the native door's, for one packet per message. A slow client takes less and falls back to the
//! ledger; it is never buffered for without bound.
use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::StreamExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use super::{
    conversation::{End, Next},
    heart::Heart,
    session::{ANSWERS_MAX, Session},
    sessions::Command,
};
use crate::{
    budget::Claim,
    socket::{self, Patient},
    ws::{
        close::Fault,
        frame::Opcode,
        inbox::{Inbox, Incoming},
        outbox::Outbox,
    },
};

/// How long the last words may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// What is read of a socket before others have a turn, in bytes.
const IN_A_ROW_MAX: usize = 64 << 10;

/// A connection that speaks WebSocket, and what came of it.
pub(crate) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) inbox: Inbox,
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
    pub(super) async fn next_text(&mut self) -> io::Result<String> {
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
    pub(super) async fn say(&mut self, text: &str) -> io::Result<()> {
        let mut outbox = Outbox::default();
        outbox.text(|out| out.extend_from_slice(text.as_bytes()));
        self.flush(&mut outbox).await
    }

    /// Says goodbye.
    pub(super) async fn close(mut self, mut outbox: Outbox, fault: Fault) {
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

/// What a turn of the wheel waited for.
enum Turn {
    Read(usize),
    Wrote,
    Came(Next),
    Asked(Command),
    Due,
    Closing,
}

impl Session {
    /// Serves a session that begins on a WebSocket.
    pub(crate) async fn serve_on(mut self, socket: Socket, opened: &[u8]) {
        self.outbox.text(|out| out.extend_from_slice(opened));
        self.go_on(socket).await;
    }

    /// Serves the rest of a session on a WebSocket.
    pub(super) async fn go_on(mut self, mut socket: Socket) {
        let mut large = self.seat.app().budget.claim();
        let mut in_a_row = 0;
        let end = loop {
            if let Err(end) = self.socket_turn(&mut socket, &mut large, &mut in_a_row).await {
                break end;
            }
        };
        drop(large);
        let fault = match end {
            End::Gone => return,
            End::Closed => Fault::echo(1000),
            End::Fault(fault) | End::Over(fault) => fault,
            End::Closing => {
                self.pull_last();
                Fault::CLOSING
            }
        };
        let outbox = std::mem::take(&mut self.outbox);
        // Its place is free for others while it goes.
        drop(self);
        socket.close(outbox, fault).await;
    }

    async fn socket_turn(
        &mut self,
        socket: &mut Socket,
        large: &mut Claim,
        in_a_row: &mut usize,
    ) -> Result<(), End> {
        let heard_all = self.hear_socket(&mut socket.inbox).await?;
        socket.inbox.settle();
        large
            .set(socket.inbox.excess())
            .map_err(|_| End::Over(Fault::BUSY))?;
        self.beat()?;
        self.conversation.pull(&mut self.outbox)?;
        let wrote = self.write_at_once(socket).await.map_err(|_| End::Gone)?;
        if wrote && self.conversation.reads() || !heard_all && self.wants_messages() {
            return Ok(());
        }
        match self.wait(socket).await.map_err(|_| End::Gone)? {
            Turn::Read(0) => Err(End::Gone),
            Turn::Read(bytes) => {
                *in_a_row += bytes;
                if *in_a_row >= IN_A_ROW_MAX {
                    *in_a_row = 0;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Turn::Wrote => Ok(()),
            Turn::Due => {
                // Nothing keeps memory that does not need it for a while.
                socket.inbox.shrink();
                self.outbox.shrink();
                Ok(())
            }
            Turn::Came(next) => self.conversation.take(next, &mut self.outbox),
            Turn::Asked(command) => {
                Self::decline(command);
                Ok(())
            }
            Turn::Closing => Err(End::Closing),
        }
    }

    fn wants_messages(&self) -> bool {
        !self.conversation.is_busy() && self.outbox.own_bytes() < ANSWERS_MAX
    }

    /// Hears what came, as far as there is room for answers; whether that was all.
    async fn hear_socket(&mut self, inbox: &mut Inbox) -> Result<bool, End> {
        while self.wants_messages() {
            inbox.limit(self.message_max());
            match inbox.next().map_err(End::Fault)? {
                None => return Ok(true),
                Some(Incoming::Text(text)) => self.hear(text).await?,
                Some(Incoming::Binary(bytes)) => {
                    self.heart.heard(Instant::now());
                    self.conversation.hear_binary(bytes, &mut self.outbox)?;
                }
                Some(Incoming::Ping(payload)) => self.outbox.control(Opcode::Pong, payload),
                Some(Incoming::Pong) => self.heart.heard(Instant::now()),
                Some(Incoming::Close(code)) => return Err(End::Over(Fault::echo(code))),
            }
        }
        Ok(false)
    }

    /// Writes what the socket takes now; whether that was anything.
    async fn write_at_once(&mut self, socket: &mut Socket) -> io::Result<bool> {
        if self.outbox.is_empty() {
            return Ok(false);
        }
        let Self { outbox, heart, .. } = self;
        let stream = &mut socket.stream;
        let written = poll_fn(|cx| Poll::Ready(poll_write(stream, outbox, heart, cx))).await;
        match written {
            Poll::Ready(written) => written.map(|()| true),
            Poll::Pending => {
                heart.slow();
                Ok(false)
            }
        }
    }

    async fn wait(&mut self, socket: &mut Socket) -> io::Result<Turn> {
        let wants_messages = self.wants_messages();
        let wants_events = !self.outbox.is_full();
        let due = self.heart.due();
        let Self {
            conversation,
            outbox,
            heart,
            closing,
            commands,
            ..
        } = self;
        tokio::select! {
            moved = poll_fn(|cx| poll_move(socket, wants_messages, outbox, heart, cx)) => moved,
            next = conversation.next(wants_events) => Ok(Turn::Came(next)),
            Some(command) = commands.recv() => Ok(Turn::Asked(command)),
            Some(()) = closing.next() => Ok(Turn::Closing),
            () = sleep_until(due) => Ok(Turn::Due),
        }
    }
}

/// Writes what waits, else reads what came.
fn poll_move(
    socket: &mut Socket,
    wants_messages: bool,
    outbox: &mut Outbox,
    heart: &mut Heart,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Turn>> {
    if !outbox.is_empty()
        && let Poll::Ready(written) = poll_write(&mut socket.stream, outbox, heart, cx)
    {
        return Poll::Ready(written.map(|()| Turn::Wrote));
    }
    if !wants_messages {
        return Poll::Pending;
    }
    let Socket { stream, inbox } = socket;
    if !inbox.is_idle() {
        return pin!(stream.read_buf(inbox.room())).poll(cx).map_ok(Turn::Read);
    }
    // A socket that is silent holds no buffer of its own.
    socket::poll_landed(stream, cx, |bytes| inbox.room().extend_from_slice(bytes)).map_ok(Turn::Read)
}

fn poll_write(
    stream: &mut TcpStream,
    outbox: &mut Outbox,
    heart: &mut Heart,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let written = ready!(outbox.poll_write(Pin::new(stream), cx));
    heart.took(Instant::now());
    Poll::Ready(written.map(drop))
}
