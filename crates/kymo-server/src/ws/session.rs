//! The wheel of one WebSocket: reads, does, writes, and waits only when nothing else is left to do.
//!
//! One task per socket. What waits to be written is bounded: a slow peer simply takes less from its subscriptions,
//! which fall back to the ledger; a dead one is left after two minutes.
use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::StreamExt;
use kymo_hub::Delivery;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    close::Fault,
    frame::Opcode,
    inbox::{Inbox, Incoming},
    liveness::Liveness,
    outbox::Outbox,
    replies,
    talk::{End, Happening, Joined, Talk, Ticks},
};
use crate::{
    budget::Claim,
    error::ApiError,
    lane::{self, Seat},
    socket::{self, InARow},
};

/// How long the last words may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// How long promises may take to be kept when the server closes.
const PROMISES_WITHIN: Duration = Duration::from_secs(3);

/// What is still given to a reader once the server closes, in bytes.
const LAST_BYTES: usize = 1 << 20;

/// A message that is longer is nothing for the lane, in bytes.
const LANE_MESSAGE_MAX: usize = 64 << 10;

/// What is read of a socket before others have a turn, in bytes.
const IN_A_ROW_MAX: usize = 64 << 10;

/// One WebSocket.
pub(crate) struct Session<S> {
    socket: S,
    inbox: Inbox,
    /// What the inbox holds beyond the usual.
    large: Claim,
    // Boxed, because it is moved about together with the socket.
    talk: Box<Talk>,
    liveness: Liveness,
    in_a_row: InARow,
}

/// What a turn of the wheel waited for.
enum Turn {
    Read(usize),
    Wrote,
    Happened(Happening),
    Settled,
    Delivered(usize, Delivery),
}

/// How far a session ran.
pub(crate) enum Ran {
    /// It is over.
    ToItsEnd,
    /// It goes on in the lane, where it has this seat.
    ToLane(Seat),
    /// It was in the lane, and goes on where all others are.
    FromLane,
}

/// Why a turn was the last one.
enum Left {
    /// For good.
    Ended(End),
    /// For the lane, or if there is no seat, from there.
    For(Option<Seat>),
}

impl std::convert::From<End> for Left {
    fn from(end: End) -> Self {
        Self::Ended(end)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// A session on a connection that was upgraded; `read` came behind the handshake.
    pub(crate) fn new(socket: S, read: &[u8], talk: Box<Talk>) -> Self {
        Self {
            socket,
            inbox: Inbox::new(talk.message_max(), read),
            large: talk.claim(),
            talk,
            liveness: Liveness::new(Instant::now()),
            in_a_row: InARow::new(IN_A_ROW_MAX),
        }
    }

    /// Talks until one side ends it, then says goodbye; or until another event loop serves it better.
    pub(crate) async fn run(&mut self) -> Ran {
        let left = loop {
            if let Err(left) = self.turn().await {
                break left;
            }
        };
        match left {
            Left::For(Some(seat)) => Ran::ToLane(seat),
            Left::For(None) => Ran::FromLane,
            Left::Ended(end) => {
                // Boxed, so that who talks need not hold the room for it.
                Box::pin(self.end(end)).await;
                Ran::ToItsEnd
            }
        }
    }

    async fn end(&mut self, end: End) {
        // What was read is stored, also if the peer did not wait for the answer.
        let _ = timeout(PROMISES_WITHIN, self.talk.answers()).await;
        match end {
            End::Gone => {}
            End::Asked(code) => self.goodbye(Fault::echo(code)).await,
            End::Fault(fault) => self.goodbye(fault).await,
            End::Closing => self.keep_promises().await,
        }
    }

    async fn turn(&mut self) -> Result<(), Left> {
        let heard_all = self.hear().await?;
        if heard_all && self.inbox.unread() > LANE_MESSAGE_MAX {
            self.talk.leave_for_good();
        }
        self.inbox.settle();
        let room = self.large.set(self.inbox.excess());
        room.map_err(|_| End::Fault(Fault::BUSY))?;
        let ticks = self.talk.catch_up()?;
        self.look_after(ticks)?;
        if self.talk.may_leave() {
            return Err(Left::For(self.talk.leave()));
        }
        self.talk.feeds.pull(&mut self.talk.outbox)?;
        let wrote = self.write_at_once().await.map_err(|_| End::Gone)?;
        if wrote && !self.talk.feeds.is_empty() {
            // There is room again for what they have.
            return Ok(());
        }
        if !heard_all && self.talk.wants_messages() {
            // What kept us from hearing is over, and no byte need come for what has come.
            return Ok(());
        }
        match self.wait().await.map_err(|_| End::Gone)? {
            Turn::Read(0) => Err(End::Gone.into()),
            Turn::Read(bytes) => {
                self.liveness.heard(Instant::now());
                self.in_a_row.took(bytes).await;
                Ok(())
            }
            Turn::Wrote | Turn::Settled => Ok(()),
            Turn::Happened(happening) => {
                let ticks = self.talk.happened(happening)?;
                Ok(self.look_after(ticks)?)
            }
            Turn::Delivered(index, delivery) => {
                let Talk { feeds, outbox, .. } = &mut *self.talk;
                Ok(feeds.deliver(index, delivery, outbox)?)
            }
        }
    }

    /// Does what was asked, as far as there is room for answers; whether that was all.
    async fn hear(&mut self) -> Result<bool, End> {
        if let Some(text) = self.talk.postponed() {
            self.talk.hear(Incoming::Text(&text)).await?;
        }
        while self.talk.wants_messages() {
            self.inbox.limit(self.talk.message_max());
            match self.inbox.next().map_err(End::Fault)? {
                Some(incoming) => self.talk.hear(incoming).await?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    fn look_after(&mut self, ticks: Ticks) -> Result<(), End> {
        if ticks == Ticks(0) {
            return Ok(());
        }
        if self.liveness.is_dead(Instant::now()) {
            return Err(End::Gone);
        }
        self.inbox.shrink();
        self.talk.outbox.shrink();
        // A ping behind what is not taken yet would only pile up.
        if self.talk.outbox.is_empty() {
            self.talk.outbox.control(Opcode::Ping, b"");
        }
        Ok(())
    }

    /// Writes what the socket takes now; whether that was anything.
    async fn write_at_once(&mut self) -> io::Result<bool> {
        let Self {
            socket,
            talk,
            liveness,
            ..
        } = self;
        if talk.outbox.is_empty() {
            return Ok(false);
        }
        let written = poll_fn(|cx| Poll::Ready(poll_write(socket, &mut talk.outbox, liveness, cx)));
        match written.await {
            Poll::Ready(written) => written.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    async fn wait(&mut self) -> io::Result<Turn> {
        let Self {
            socket,
            inbox,
            talk,
            liveness,
            ..
        } = self;
        let wants_messages = talk.wants_messages();
        let Talk {
            feeds,
            happenings,
            outbox,
            joined,
            ..
        } = &mut **talk;
        // Its round wakes this task by itself.
        let settled = poll_fn(|_| match joined.front().is_some_and(Joined::is_settled) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        let wants_deliveries = !feeds.is_empty() && !outbox.is_full();
        tokio::select! {
            moved = poll_fn(|cx| poll_move(socket, wants_messages.then_some(&mut *inbox), outbox, liveness, cx)) => moved,
            () = settled => Ok(Turn::Settled),
            Some(happening) = happenings.next() => Ok(Turn::Happened(happening)),
            (index, delivery) = feeds.next(), if wants_deliveries => Ok(Turn::Delivered(index, delivery)),
        }
    }

    // Those who keep up are given the newest; then all are told.
    async fn keep_promises(&mut self) {
        let _ = timeout(PROMISES_WITHIN, async {
            let mut given = 0;
            while given < LAST_BYTES {
                let pulled = self.talk.feeds.pull(&mut self.talk.outbox);
                given += self.talk.outbox.bytes();
                if pulled.is_err() || self.talk.outbox.is_empty() || self.flush().await.is_err() {
                    break;
                }
            }
        })
        .await;
        let error = ApiError::closing();
        self.talk.outbox.text(|out| replies::error(None, &error, out));
        self.goodbye(Fault::CLOSING).await;
    }

    async fn goodbye(&mut self, fault: Fault) {
        (self.inbox, self.large) = (Inbox::new(0, b""), self.talk.claim());
        self.talk.outbox.close(fault);
        let _ = timeout(GOODBYE_WITHIN, async {
            self.flush().await?;
            self.socket.shutdown().await?;
            // Bytes left unread would make the system throw our last words away.
            let mut rest = [0; 512];
            while self.socket.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }

    async fn flush(&mut self) -> io::Result<()> {
        let (socket, outbox) = (&mut self.socket, &mut self.talk.outbox);
        while !outbox.is_empty() {
            poll_fn(|cx| outbox.poll_write(Pin::new(&mut *socket), cx)).await?;
        }
        Ok(())
    }
}

impl Session<TcpStream> {
    /// The same for the event loop that calls this.
    pub(crate) fn adopted(self) -> io::Result<Self> {
        let socket = lane::adopt(self.socket)?;
        Ok(Self { socket, ..self })
    }
}

/// Writes what waits, else reads what came.
fn poll_move<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
    inbox: Option<&mut Inbox>,
    outbox: &mut Outbox,
    liveness: &mut Liveness,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Turn>> {
    if !outbox.is_empty()
        && let Poll::Ready(written) = poll_write(socket, outbox, liveness, cx)
    {
        return Poll::Ready(written.map(|()| Turn::Wrote));
    }
    let Some(inbox) = inbox else {
        return Poll::Pending;
    };
    poll_read(socket, inbox, cx).map_ok(Turn::Read)
}

fn poll_write(
    socket: &mut (impl AsyncWrite + Unpin),
    outbox: &mut Outbox,
    liveness: &mut Liveness,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let carries = outbox.carries();
    let written = ready!(outbox.poll_write(Pin::new(socket), cx));
    if carries && written.is_ok() {
        liveness.took(Instant::now());
    }
    Poll::Ready(written.map(drop))
}

fn poll_read(
    socket: &mut (impl AsyncRead + Unpin),
    inbox: &mut Inbox,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    if !inbox.is_idle() {
        return pin!(socket.read_buf(inbox.room())).poll(cx);
    }
    // A socket that is silent holds no buffer of its own.
    socket::poll_landed(socket, cx, |bytes| inbox.room().extend_from_slice(bytes))
}

#[cfg(test)]
mod tests;
