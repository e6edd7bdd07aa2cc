//! What is said on one WebSocket: who the peer is, what it subscribed to, what it emitted and is waiting for.
//!
//! Knows no socket: it is handed messages and deliveries, and fills an outbox.
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use kymo_hub::{Combiner, PublishError, Receipt, Scope, SubscribeRequest, Ticket};

use super::{
    close::Fault,
    feeds::Feeds,
    frame::Opcode,
    inbox::Incoming,
    liveness::PING_EVERY,
    ops::{Emit, Message, Op, Subscribe},
    outbox::Outbox,
    replies::{self, About},
};
use crate::{
    app::{App, Open},
    auth::Caller,
    budget::{Claim, Turn},
    encoders::Frames,
    error::ApiError,
    events::{admit, unhurried},
    lane::{LITTLE_BYTES, Seat},
    spread,
};

/// How long a peer without token may take to send one.
const AUTH_WITHIN: Duration = Duration::from_secs(5);
/// Emits of one socket that wait for the disk; more are not read.
const IN_FLIGHT_MAX: usize = 256;
/// And their bytes, about.
const IN_FLIGHT_BYTES_MAX: usize = 32 << 20;
/// Answers that wait for the peer to take them, in bytes; with more than that no further questions are read.
const ANSWERS_MAX: usize = 256 << 10;
/// Messages of a peer that is not known yet.
const STRANGER_MESSAGE_MAX: usize = 4 << 10;
/// Emits in the lane that could not be joined with those of others, more than those that could, until it is left.
const APART_MAX: u32 = 8;
/// What the keys around `events` may take.
const ENVELOPE_MAX: usize = 64 << 10;

/// How a conversation ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection is gone, or as good as.
    Gone,
    /// The peer closed, with this code.
    Asked(u16),
    /// We close, and say why.
    Fault(Fault),
    /// The server is shutting down: what is promised is kept first.
    Closing,
}

/// Something other than bytes and deliveries.
pub(crate) enum Happening {
    /// An emit was answered.
    Answered(Box<Answer>),
    /// Time to look after the peer.
    Tick,
    /// The time for a token is over.
    AuthOver,
    /// The token was revoked.
    Revoked,
    /// The server is shutting down.
    Closing,
}

/// The answer to an emit.
pub(crate) struct Answer {
    // JSON text.
    reference: Option<Box<str>>,
    bytes: usize,
    result: Result<Receipt, PublishError>,
}

/// An emit that was joined with those of others.
pub(crate) struct Joined {
    reference: Option<Box<str>>,
    bytes: usize,
    ticket: Ticket,
}

/// Which event loop serves it, and serves it next.
enum Place {
    /// The runtime of all, until it emits.
    Runtime,
    /// The runtime for good: it is no lone emitter.
    Settled,
    /// The runtime until its turn ends, then the lane, where it has this seat.
    Called(Seat),
    /// The lane, where this joins what it emits with what others do.
    Lane(Arc<Combiner>),
    /// The lane until nothing is joined any more, then the runtime.
    Leaving { for_good: bool },
}

/// One side of one conversation.
pub(crate) struct Talk {
    app: App,
    caller: Option<Arc<Caller>>,
    pub(crate) feeds: Feeds,
    // Only what was woken is polled, however much is waited for.
    pub(crate) happenings: FuturesUnordered<BoxFuture<'static, Happening>>,
    pub(crate) outbox: Outbox,
    // In the order they came; rounds are settled in order, too.
    pub(crate) joined: VecDeque<Joined>,
    in_flight: usize,
    in_flight_bytes: usize,
    place: Place,
    // What is to be heard again outside of the lane.
    postponed: Option<Box<str>>,
    // Emits that could not be joined with others, less those that could.
    apart: u32,
    // Callers whose end it waits for.
    watched: Vec<Arc<Caller>>,
    // Whether it emitted anything since the last tick.
    emits: bool,
    _open: Open,
}

impl Talk {
    pub(crate) fn new(app: App, caller: Option<Arc<Caller>>) -> Self {
        let mut talk = Self {
            _open: app.counts.websockets.enter(),
            caller: None,
            feeds: Feeds::default(),
            happenings: FuturesUnordered::new(),
            outbox: Outbox::default(),
            joined: VecDeque::new(),
            in_flight: 0,
            in_flight_bytes: 0,
            place: Place::Runtime,
            postponed: None,
            apart: 0,
            watched: Vec::new(),
            emits: false,
            app,
        };
        talk.expect(talk.app.closing.clone().cancelled_owned(), Happening::Closing);
        talk.expect(tokio::time::sleep(spread::first(PING_EVERY)), Happening::Tick);
        match caller {
            Some(caller) => talk.welcome(caller),
            None => talk.expect(tokio::time::sleep(AUTH_WITHIN), Happening::AuthOver),
        }
        talk
    }

    /// A share of what all large messages may take together.
    pub(crate) fn claim(&self) -> Claim {
        self.app.budget.claim()
    }

    /// Largest message that may come now.
    pub(crate) fn message_max(&self) -> usize {
        match self.caller {
            Some(_) => self.app.hub().settings().limits.batch_bytes_max + ENVELOPE_MAX,
            None => STRANGER_MESSAGE_MAX,
        }
    }

    /// Whether more messages should be read: not while too many emits wait for the disk, or answers for the peer, or it is
    /// about to go elsewhere.
    pub(crate) const fn wants_messages(&self) -> bool {
        !self.is_leaving()
            && self.in_flight < IN_FLIGHT_MAX
            && self.in_flight_bytes < IN_FLIGHT_BYTES_MAX
            && self.outbox.own_bytes() < ANSWERS_MAX
    }

    /// Does what one message asks.
    pub(crate) async fn hear(&mut self, incoming: Incoming<'_>) -> Result<(), End> {
        match incoming {
            Incoming::Pong => Ok(()),
            Incoming::Ping(payload) => {
                self.outbox.control(Opcode::Pong, payload);
                Ok(())
            }
            Incoming::Close(code) => Err(End::Asked(code)),
            Incoming::Text(text) => self.hear_text(text).await,
            Incoming::Binary(_) => Err(End::Fault(Fault::BINARY)),
        }
    }

    async fn hear_text(&mut self, text: &str) -> Result<(), End> {
        let turn = self.app.budget.turn_for(text.len()).await;
        let limits = &self.app.hub().settings().limits;
        let (message, read) = unhurried(text.len(), || Message::read(text, limits));
        let reference = message.echo("ref");
        let about = ["ref", "sub"]
            .into_iter()
            .find_map(|key| message.echo(key).map(|value| (key, value)));
        let op = match read.and_then(|()| message.op()) {
            Ok(op) => op,
            Err(error) => return self.refuse_or_end(about, &error),
        };
        let done = match op {
            Op::Auth { token } => self.auth(&token),
            _ if self.caller.is_none() => Err(ApiError::new(
                "unauthorized",
                "the first message must be {\"op\":\"auth\",\"token\":\"…\"} where no header or cookie is sent",
            )),
            Op::Ping => {
                self.outbox.text(|out| replies::pong(reference, out));
                Ok(())
            }
            Op::Emit(emit) => self.emit(reference, emit, text, turn).await,
            Op::Subscribe(_) if self.is_in_lane() => {
                // Nobody reads in the lane.
                self.postponed = Some(text.into());
                self.leave_for_good();
                Ok(())
            }
            Op::Subscribe(subscribe) => self.subscribe(*subscribe).await,
            Op::Unsubscribe { sub } => self.unsubscribe(&sub),
        };
        done.or_else(|error| self.refuse_or_end(about, &error))
    }

    // A stranger has one try.
    fn refuse_or_end(&mut self, about: About<'_>, error: &ApiError) -> Result<(), End> {
        self.outbox.text(|out| replies::error(about, error, out));
        if self.caller.is_some() {
            Ok(())
        } else {
            Err(End::Fault(Fault::UNAUTHORIZED))
        }
    }

    fn auth(&mut self, token: &str) -> Result<(), ApiError> {
        let caller = self.app.auth.identify_token(token)?;
        self.welcome(caller);
        Ok(())
    }

    fn welcome(&mut self, caller: Arc<Caller>) {
        if !self.watched.iter().any(|watched| Arc::ptr_eq(watched, &caller)) {
            self.expect(caller.revoked.clone().cancelled_owned(), Happening::Revoked);
            self.watched.push(Arc::clone(&caller));
        }
        self.caller = Some(caller);
        let ledger = self.app.hub().ledger();
        self.outbox
            .text(|out| replies::hello(&ledger.id(), ledger.head(), out));
    }

    async fn emit(
        &mut self,
        reference: Option<&str>,
        emit: Emit<'_>,
        text: &str,
        turn: Option<Turn>,
    ) -> Result<(), ApiError> {
        self.caller()?.needs(Scope::Emit)?;
        let limits = &self.app.hub().settings().limits;
        let bytes = emit.bytes;
        if bytes > limits.batch_bytes_max {
            let message = format!(
                "a batch may have {} bytes; send it in parts",
                limits.batch_bytes_max
            );
            return Err(ApiError::new("batch_too_large", message));
        }
        self.choose_place(bytes);
        let Some(emit) = self.join(reference, emit, text).await else {
            return Ok(());
        };
        let mut intake = self.app.hub().intake(Arc::clone(&self.caller()?.principal), "ws");
        admit(&mut intake, emit.records, bytes, emit.dialect).await;
        drop(turn);
        intake.look_up_ids().await;
        let reference = reference.map(Box::from);
        self.in_flight += 1;
        self.in_flight_bytes += bytes;
        let mut answer = Box::pin(async move {
            let result = intake.commit().await;
            Happening::Answered(Box::new(Answer {
                reference,
                bytes,
                result,
            }))
        });
        // Handed over before the next message is heard, so that they stay in order.
        let first = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx)));
        match tokio::task::unconstrained(first).await {
            Poll::Ready(Happening::Answered(answer)) => self.answered(*answer),
            _ => self.happenings.push(answer),
        }
        Ok(())
    }

    /// Joins an emit with those of others where that is possible, or gives it back.
    async fn join<'m>(&mut self, reference: Option<&str>, emit: Emit<'m>, text: &'m str) -> Option<Emit<'m>> {
        let (Place::Lane(combiner), Some(caller)) = (&self.place, &self.caller) else {
            return Some(emit);
        };
        if emit.bytes > LITTLE_BYTES {
            self.keep_apart(APART_MAX);
            return Some(emit);
        }
        let bytes = emit.bytes;
        let (mut records, dialect) = (Some(emit.records), emit.dialect);
        let ticket = poll_fn(|cx| {
            let records = records.take().into_iter().flatten();
            Poll::Ready(combiner.take(&caller.principal, records, dialect, cx.waker()))
        });
        let Some(ticket) = ticket.await else {
            self.keep_apart(1);
            // The records are gone; whoever says what is wrong with them reads them again.
            let message = Message::read(text, &self.app.hub().settings().limits).0;
            let Ok(Op::Emit(emit)) = message.op() else {
                unreachable!("it was read before");
            };
            return Some(emit);
        };
        self.apart = self.apart.saturating_sub(1);
        self.in_flight += 1;
        self.in_flight_bytes += bytes;
        self.joined.push_back(Joined {
            reference: reference.map(Box::from),
            bytes,
            ticket,
        });
        None
    }

    /// An emit goes its own way, behind what this client said before. Who does that often has no use for the lane.
    fn keep_apart(&mut self, weight: u32) {
        if let Place::Lane(combiner) = &self.place
            && !self.joined.is_empty()
        {
            combiner.flush();
        }
        self.apart += weight;
        if self.apart >= APART_MAX {
            self.leave_for_good();
        }
    }

    /// What is to be heard first here, outside of the lane.
    pub(crate) fn postponed(&mut self) -> Option<Box<str>> {
        let in_lane = self.is_in_lane();
        self.postponed.take_if(|_| !in_lane)
    }

    /// Who emits little and reads nothing is served best in the lane.
    fn choose_place(&mut self, bytes: usize) {
        self.emits = true;
        if bytes <= LITTLE_BYTES
            && matches!(self.place, Place::Runtime)
            && let Some(seat) = self.app.lane.seat(&self.app)
        {
            self.place = Place::Called(seat);
        }
    }

    const fn is_in_lane(&self) -> bool {
        matches!(self.place, Place::Lane(_) | Place::Leaving { .. })
    }

    /// Stays with the runtime from now on.
    pub(crate) fn leave_for_good(&mut self) {
        self.place = match self.is_in_lane() {
            true => Place::Leaving { for_good: true },
            false => Place::Settled,
        };
    }

    /// Whether it is going elsewhere; then nothing more is heard here.
    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.place, Place::Called(_) | Place::Leaving { .. })
    }

    /// Whether nothing keeps it here any more.
    pub(crate) fn may_leave(&self) -> bool {
        self.is_leaving() && self.joined.is_empty()
    }

    /// Goes: to its seat in the lane, or if it has none, from there.
    pub(crate) fn leave(&mut self) -> Option<Seat> {
        match std::mem::replace(&mut self.place, Place::Runtime) {
            Place::Called(seat) => {
                self.place = Place::Lane(Arc::clone(&seat.combiner));
                Some(seat)
            }
            Place::Leaving { for_good: false } => None,
            _ => {
                self.place = Place::Settled;
                None
            }
        }
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), ApiError> {
        let caller = Arc::clone(self.caller()?);
        caller.needs(Scope::Read)?;
        self.leave_for_good();
        let sub = subscribe.sub;
        self.feeds.check(&sub)?;
        let hub = self.app.hub();
        let request = SubscribeRequest {
            filter: subscribe.filter,
            channels: subscribe.channels,
            from: subscribe.from,
            encoder: Arc::new(Frames::websocket(subscribe.dialect, hub.ledger().id())),
        };
        let subscriber = hub.subscribe(request, &caller.principal).await?;
        let head = hub.ledger().head();
        let subscriber = self.feeds.add(sub, subscriber)?;
        self.outbox
            .text(|out| replies::subscribed(subscriber.0, subscriber.1, head, out));
        Ok(())
    }

    fn unsubscribe(&mut self, sub: &str) -> Result<(), ApiError> {
        self.feeds.remove(sub)?;
        self.outbox.text(|out| replies::unsubscribed(sub, out));
        Ok(())
    }

    fn caller(&self) -> Result<&Arc<Caller>, ApiError> {
        self.caller
            .as_ref()
            .ok_or_else(|| ApiError::new("unauthorized", "no token yet"))
    }

    /// Takes note of what happened meanwhile, without waiting.
    pub(crate) fn catch_up(&mut self) -> Result<Ticks, End> {
        let mut ticks = Ticks(0);
        self.answer_joined();
        if self.in_flight == self.joined.len() {
            return Ok(ticks);
        }
        // Polled without a waker: the happenings keep their own, and the next wait sees what woke meanwhile.
        while let Some(Some(happening)) = self.happenings.next().now_or_never() {
            ticks.0 += self.happened(happening)?.0;
        }
        Ok(ticks)
    }

    /// Takes note of one thing.
    pub(crate) fn happened(&mut self, happening: Happening) -> Result<Ticks, End> {
        match happening {
            Happening::Answered(answer) => self.answered(*answer),
            Happening::Tick => {
                self.tick_later();
                // The seats in the lane are for those who have something to say.
                if !std::mem::take(&mut self.emits) && matches!(self.place, Place::Lane(_)) {
                    self.place = Place::Leaving { for_good: false };
                }
                return Ok(Ticks(1));
            }
            Happening::AuthOver if self.caller.is_some() => {}
            Happening::AuthOver => {
                let error = ApiError::new(
                    "unauthorized",
                    "no token came in time; send {\"op\":\"auth\",\"token\":\"…\"} first",
                );
                self.refuse_or_end(None, &error)?;
            }
            Happening::Revoked => {
                let error = ApiError::new("unauthorized", "the token was revoked");
                self.outbox.text(|out| replies::error(None, &error, out));
                return Err(End::Fault(Fault::REVOKED));
            }
            Happening::Closing => return Err(End::Closing),
        }
        Ok(Ticks(0))
    }

    /// Answers what was joined with others and is settled.
    pub(crate) fn answer_joined(&mut self) {
        while let Some(result) = self.joined.front().and_then(|joined| joined.ticket.receipt()) {
            let Joined { reference, bytes, .. } = self.joined.pop_front().expect("it is at the front");
            self.answered(Answer {
                reference,
                bytes,
                result,
            });
        }
    }

    fn answered(&mut self, answer: Answer) {
        self.in_flight -= 1;
        self.in_flight_bytes -= answer.bytes;
        let reference = answer.reference.as_deref();
        match answer.result {
            Ok(receipt) => self.outbox.text(|out| replies::ack(reference, &receipt, out)),
            Err(error) => {
                let about = reference.map(|reference| ("ref", reference));
                self.outbox.text(|out| replies::error(about, &error.into(), out));
            }
        }
    }

    /// Waits for the next answer to an emit; at once if nothing is in flight.
    pub(crate) async fn answers(&mut self) {
        loop {
            self.answer_joined();
            if self.in_flight == 0 {
                return;
            }
            // Rounds wake this task by themselves.
            let next = poll_fn(|cx| match self.joined.front() {
                Some(joined) if joined.ticket.is_settled() => Poll::Ready(None),
                // An empty list has no more to say than a silent one.
                _ => Poll::Ready(Some(ready!(poll_next(&mut self.happenings, cx)))),
            });
            if let Some(Happening::Answered(answer)) = next.await {
                self.answered(*answer);
            }
        }
    }

    fn tick_later(&self) {
        self.expect(tokio::time::sleep(PING_EVERY), Happening::Tick);
    }

    fn expect(&self, what: impl Future<Output = ()> + Send + 'static, then: Happening) {
        self.happenings.push(Box::pin(async move {
            what.await;
            then
        }));
    }
}

impl Joined {
    /// Whether there is an answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.ticket.is_settled()
    }
}

/// The next happening; for ever nothing if there is none to come.
fn poll_next(
    happenings: &mut FuturesUnordered<BoxFuture<'static, Happening>>,
    cx: &mut Context<'_>,
) -> Poll<Happening> {
    match ready!(happenings.poll_next_unpin(cx)) {
        Some(happening) => Poll::Ready(happening),
        None => Poll::Pending,
    }
}

/// How often it was time to look after the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks(pub(crate) u32);

#[cfg(test)]
mod tests;
