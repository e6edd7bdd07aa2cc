//! One session: heartbeat, polls, bodies; and where it goes to a WebSocket, the way there.
//!
//! While nobody polls nothing is fetched for it: a reader is a cursor, and the ledger keeps what is behind it.
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    conversation::{Conversation, End},
    heart::{Beat, Heart, Rhythm},
    polling::{self, Sent},
    refusal::Refused,
    sessions::{Command, Seat},
};
use crate::{
    app::App,
    error::ApiError,
    ws::{close::Fault, outbox::Outbox, upgraded::Socket},
};

/// Answers that wait for the client to take them, in bytes; with more than that nothing more is heard.
pub(crate) const ANSWERS_MAX: usize = 256 << 10;
/// An answer to a poll that is larger takes a slow client a while.
const LARGE_ANSWER: usize = 16 << 10;
/// How long a poll that crossed with the end may take to come.
const CROSSED_WITHIN: Duration = Duration::from_millis(200);
/// How long a poll that is to be told why may take to come.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// How long a poll is kept between probe and upgrade: a client that upgrades waits for it; the poll of one that does not
/// is refused once it has upgraded.
const NOOP_AFTER: Duration = Duration::from_millis(50);
/// What is still given once the server closes, in bytes.
const LAST_BYTES: usize = 1 << 20;

/// What a message may have of somebody who is not known yet.
pub(crate) const STRANGER_BYTES_MAX: usize = 16 << 10;

/// Who waits for the answer to a poll.
type Waiting = oneshot::Sender<Result<Bytes, Refused>>;

/// One conversation, wherever it is.
pub(crate) struct Session {
    pub(super) seat: Seat,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) conversation: Conversation,
    pub(super) outbox: Outbox,
    pub(super) heart: Heart,
    // Asked only when it was woken: what all wait for together is touched once by each.
    pub(super) closing: FuturesUnordered<WaitForCancellationFutureOwned>,
    message_max: usize,
}

/// Polls of a session and its way to a WebSocket.
#[derive(Default)]
struct Polls {
    waiting: Option<Waiting>,
    /// A WebSocket showed that it works.
    probed: bool,
    noop_at: Option<Instant>,
}

/// What the wheel stopped for.
enum Left {
    Ended(End),
    Upgraded(Box<Socket>),
}

impl std::convert::From<End> for Left {
    fn from(end: End) -> Self {
        Self::Ended(end)
    }
}

impl Session {
    pub(crate) fn new(
        app: &App,
        seat: Seat,
        commands: mpsc::Receiver<Command>,
        conversation: Conversation,
        rhythm: Rhythm,
        message_max: usize,
    ) -> Self {
        Self {
            seat,
            commands,
            conversation,
            outbox: Outbox::default(),
            heart: Heart::new(rhythm, Instant::now()),
            closing: FuturesUnordered::from_iter([app.closing.clone().cancelled_owned()]),
            message_max,
        }
    }

    /// Largest message that may come now.
    pub(crate) fn message_max(&self) -> usize {
        match self.conversation.is_known() {
            true => self.message_max,
            false => self.message_max.min(STRANGER_BYTES_MAX),
        }
    }

    /// Serves polls to the end, or until a WebSocket takes over; then that.
    pub(crate) async fn serve(mut self) {
        let mut polls = Polls::default();
        let left = loop {
            if let Err(left) = self.turn(&mut polls).await {
                break left;
            }
        };
        match left {
            Left::Upgraded(socket) => {
                // Whoever upgrades waited for its last poll: this one came too late.
                if let Some(late) = polls.waiting {
                    let _ = late.send(Err(Refused::BAD_REQUEST));
                }
                self.seat.on_socket();
                self.go_on(*socket).await;
            }
            Left::Ended(end) => self.end(end, polls.waiting).await,
        }
    }

    /// One packet of a client, of either transport.
    pub(super) async fn hear(&mut self, text: &str) -> Result<(), End> {
        let now = Instant::now();
        self.heart.heard(now);
        match text.as_bytes().first() {
            Some(b'4') => {
                self.conversation.hear(&text[1..], &mut self.outbox).await?;
                if self.conversation.is_known() {
                    self.seat.know();
                }
                Ok(())
            }
            Some(b'3') => {
                self.heart.pong(now);
                Ok(())
            }
            Some(b'2') => {
                self.outbox.text(|out| {
                    out.push(b'3');
                    out.extend_from_slice(&text.as_bytes()[1..]);
                });
                Ok(())
            }
            Some(b'1') => Err(End::Closed),
            Some(b'5' | b'6') => Ok(()),
            _ => Err(End::Fault(Fault::protocol("no packet of Engine.IO begins so"))),
        }
    }

    /// Looks after the client.
    pub(super) fn beat(&mut self) -> Result<(), End> {
        match self.heart.beat(Instant::now()) {
            Beat::Wait => Ok(()),
            Beat::Ping => {
                self.outbox.text(|out| out.push(b'2'));
                Ok(())
            }
            Beat::Gone => Err(End::Gone),
        }
    }

    async fn turn(&mut self, polls: &mut Polls) -> Result<(), Left> {
        self.beat()?;
        polls.waiting.take_if(|waiting| waiting.is_closed());
        if polls.waiting.is_some() {
            self.conversation.pull(&mut self.outbox)?;
            if !self.outbox.is_empty() {
                self.give(polls)?;
            }
        }
        let wants_events = polls.waiting.is_some() && !self.outbox.is_full();
        let noop_at = polls.noop_at.filter(|_| polls.waiting.is_some());
        let due = noop_at.map_or(self.heart.due(), |at| at.min(self.heart.due()));
        tokio::select! {
            // Its handle lives as long as its seat.
            Some(command) = self.commands.recv() => self.obey(command, polls).await,
            next = self.conversation.next(wants_events) => Ok(self.conversation.take(next, &mut self.outbox)?),
            Some(()) = self.closing.next() => Err(End::Closing.into()),
            () = sleep_until(due) => {
                if noop_at.is_some_and(|at| at <= Instant::now()) {
                    polls.noop_at = None;
                    self.outbox.text(|out| out.push(b'6'));
                }
                Ok(())
            }
        }
    }

    async fn obey(&mut self, command: Command, polls: &mut Polls) -> Result<(), Left> {
        match command {
            Command::Poll(waiting) => {
                self.heart.heard(Instant::now());
                polls.waiting.take_if(|waiting| waiting.is_closed());
                if polls.waiting.is_some() {
                    let _ = waiting.send(Err(Refused::BAD_REQUEST));
                    return Err(End::Fault(Fault::protocol("two polls at once")).into());
                }
                polls.waiting = Some(waiting);
                polls.noop_at = polls.probed.then(|| Instant::now() + NOOP_AFTER);
            }
            Command::Post(body, reply) => {
                let heard = self.hear_all(&body).await;
                drop(body);
                let answer = match &heard {
                    Ok(Ok(())) | Err(End::Closed) => Ok(()),
                    Ok(Err(error)) => Err(error.clone().into()),
                    Err(_) => Err(Refused::BAD_REQUEST),
                };
                let _ = reply.send(answer);
                heard.map(drop)?;
            }
            Command::Overlap => return Err(End::Fault(Fault::protocol("two bodies at once")).into()),
            Command::Probed => {
                polls.probed = true;
                polls.noop_at = Some(Instant::now() + NOOP_AFTER);
            }
            Command::ProbeFailed => (polls.probed, polls.noop_at) = (false, None),
            Command::Upgrade(socket) => return Err(Left::Upgraded(socket)),
        }
        Ok(())
    }

    /// Hears the packets of a body; an error inside if there are too many answers that nobody took.
    async fn hear_all(&mut self, body: &[u8]) -> Result<Result<(), ApiError>, End> {
        if self.outbox.own_bytes() >= ANSWERS_MAX || self.outbox.bytes() >= LAST_BYTES {
            let message = "answers wait to be polled; poll before you send more";
            return Ok(Err(ApiError::new("busy", message).retry_after(1)));
        }
        let packets = polling::read(body).ok_or(End::Fault(Fault::protocol("no packets")))?;
        for packet in packets {
            while self.conversation.is_busy() {
                let next = self.conversation.next(false).await;
                self.conversation.take(next, &mut self.outbox)?;
            }
            match packet {
                Sent::Text(text) => self.hear(text).await?,
                Sent::Binary(bytes) => self.conversation.hear_binary(&bytes, &mut self.outbox)?,
            }
        }
        Ok(Ok(()))
    }

    /// Answers the poll with all that waits.
    fn give(&mut self, polls: &mut Polls) -> Result<(), End> {
        let Some(waiting) = polls.waiting.take() else {
            return Ok(());
        };
        let body = polling::body_of(&mut self.outbox);
        if body.len() > LARGE_ANSWER {
            self.heart.slow();
        }
        // Who hung up in this moment would miss what was in it; in a new session it says what it has.
        waiting.send(Ok(body)).map_err(|_| End::Gone)
    }

    async fn end(mut self, end: End, waiting: Option<Waiting>) {
        let (patience, last) = match end {
            End::Gone => return,
            End::Fault(_) => (Duration::ZERO, b'1'),
            End::Closed => (CROSSED_WITHIN, b'6'),
            End::Over(_) => (TOLD_WITHIN, b'1'),
            End::Closing => {
                self.pull_last();
                (Duration::ZERO, b'1')
            }
        };
        let waiting = match waiting {
            Some(waiting) => Some(waiting),
            None if patience.is_zero() => None,
            None => timeout(patience, self.next_poll()).await.ok().flatten(),
        };
        if let Some(waiting) = waiting {
            self.outbox.text(|out| out.push(last));
            let _ = waiting.send(Ok(polling::body_of(&mut self.outbox)));
        }
    }

    /// Those who keep up are given the newest.
    pub(super) fn pull_last(&mut self) {
        if self.outbox.bytes() < LAST_BYTES {
            let _ = self.conversation.pull(&mut self.outbox);
        }
    }

    async fn next_poll(&mut self) -> Option<Waiting> {
        loop {
            if let Command::Poll(waiting) = self.commands.recv().await? {
                return Some(waiting);
            }
        }
    }
}

impl Session {
    /// Refuses what requests ask of a session that is on a WebSocket.
    pub(super) fn decline(command: Command) {
        match command {
            Command::Poll(waiting) => {
                let _ = waiting.send(Err(Refused::BAD_REQUEST));
            }
            Command::Post(_, reply) => {
                let _ = reply.send(Err(Refused::BAD_REQUEST));
            }
            Command::Overlap | Command::Probed | Command::ProbeFailed | Command::Upgrade(_) => {}
        }
    }
}
