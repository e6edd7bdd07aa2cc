//! The wheel of one client: reads, hears, gives, and waits only when nothing else is left to do.
//!
//! A slow client takes less, and what it has yet to take stays in the ledger, where its place is a cursor; it is never cut
//! off for that and never buffered for without bound. Only one that neither speaks nor takes anything is left.
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use kymo_event::{RawJson, Seq, json::push_number};
use kymo_hub::{Delivery, From, PublishError, Receipt, Scope, SubscribeRequest, Subscriber};
use tokio::time::{Instant, sleep_until};

use super::{
    Conductor,
    frames::Events,
    history::History,
    messages,
    metrics::{Given, Place},
    wishes::Wishes,
};
use crate::{
    app::{App, Open},
    auth::Caller,
    budget::Claim,
    error::ApiError,
    events::{write_gap, write_receipt},
    spread,
    ws::{
        close::Fault,
        frame::Opcode,
        inbox::Incoming,
        liveness::{Liveness, PING_EVERY},
        outbox::Outbox,
        upgraded::{AtOnce, Moved, Socket},
    },
};

/// Answers that wait for the client to take them, in bytes; with more than that nothing more is heard.
const ANSWERS_MAX: usize = 256 << 10;
/// Events of one client that wait for the disk; more are not heard.
const IN_FLIGHT_MAX: usize = 256;
/// And their bytes, about.
const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;
/// What is read of a socket before others have a turn, in bytes.
const IN_A_ROW_MAX: usize = 64 << 10;
/// What is still given once the server closes, in bytes.
const LAST_BYTES: usize = 1 << 20;

/// One client.
pub(super) struct Session {
    app: App,
    door: Arc<Conductor>,
    caller: Arc<Caller>,
    wishes: Wishes,
    outbox: Outbox,
    /// `None` for those who may not read.
    live: Option<Subscriber>,
    given: Given,
    /// What the history takes until the client took it.
    history: Claim,
    // Only what was woken is polled, however much is waited for.
    happenings: FuturesUnordered<BoxFuture<'static, Happening>>,
    in_flight: usize,
    in_flight_bytes: usize,
    in_a_row: usize,
    liveness: Liveness,
    /// It had more to take than it could, since it last spoke.
    slow: bool,
    ping_at: Instant,
    metrics_at: Instant,
    _place: Place,
    _open: Open,
}

/// Something other than messages and deliveries.
enum Happening {
    /// An event was stored, or not.
    Answered(Box<Answer>),
    /// The token was revoked.
    Revoked,
    /// The server is about to end.
    Closing,
}

/// What came of an event.
struct Answer {
    /// The word by which the client knows it.
    reference: Option<String>,
    bytes: usize,
    result: Result<Receipt, PublishError>,
}

/// What a turn of the wheel waited for.
enum Turn {
    Moved(Moved),
    Happened(Happening),
    Delivered(Delivery),
    Due,
}

/// Why it ends.
enum End {
    /// The connection is gone, or as good as.
    Gone,
    Closing,
    Fault(Fault),
}

impl Session {
    pub(super) fn new(
        app: App,
        door: Arc<Conductor>,
        caller: Arc<Caller>,
        wishes: Wishes,
        place: Place,
    ) -> Self {
        let now = Instant::now();
        let happenings = FuturesUnordered::<BoxFuture<'static, Happening>>::new();
        let (closing, revoked) = (app.closing.clone(), caller.revoked.clone());
        happenings.push(Box::pin(closing.cancelled_owned().map(|()| Happening::Closing)));
        happenings.push(Box::pin(revoked.cancelled_owned().map(|()| Happening::Revoked)));
        Self {
            _open: app.counts.conductor.enter(),
            _place: place,
            history: app.budget.claim(),
            outbox: Outbox::default(),
            live: None,
            given: Given::default(),
            in_flight: 0,
            in_flight_bytes: 0,
            in_a_row: 0,
            liveness: Liveness::new(now),
            slow: false,
            ping_at: now + spread::first(PING_EVERY),
            metrics_at: now,
            happenings,
            app,
            door,
            caller,
            wishes,
        }
    }

    /// Serves the client until one side ends it.
    pub(super) async fn serve(mut self, mut socket: Socket) {
        let (closing, revoked) = (self.app.closing.clone(), self.caller.revoked.clone());
        // The history may take its time; a server that ends, or a token that is taken back, does not wait for it.
        let begun = tokio::select! {
            begun = self.begin() => begun.map_err(|error| (Some(error), Fault::REFUSED)),
            () = revoked.cancelled() => {
                let error = ApiError::new("unauthorized", "the token was revoked");
                Err((Some(error), Fault::REVOKED))
            }
            () = closing.cancelled() => Err((None, Fault::CLOSING)),
        };
        if let Err((error, fault)) = begun {
            if let Some(error) = error {
                self.say_error(None, &error);
            }
            return socket.close(self.outbox, fault).await;
        }
        let mut large = self.app.budget.claim();
        let end = loop {
            if let Err(end) = self.turn(&mut socket, &mut large).await {
                break end;
            }
        };
        drop(large);
        let fault = match end {
            End::Gone => return,
            End::Fault(fault) => fault,
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

    /// Gives the history, and begins behind it.
    async fn begin(&mut self) -> Result<(), ApiError> {
        if !self.wishes.reads {
            return Ok(());
        }
        let Self {
            app, door, wishes, ..
        } = &*self;
        let (hub, principal) = (app.hub(), &self.caller.principal);
        // Asked first: what comes meanwhile is live.
        let end = hub.ledger().head().map_or(Seq::FIRST, Seq::next);
        let mut history = History::before(end, hub, principal, wishes, &door.settings).await?;
        let ledger = hub.ledger().id();
        let request = SubscribeRequest {
            filter: wishes.filter.clone(),
            channels: wishes.channels.clone(),
            from: From::Seq(end, None),
            encoder: Arc::new(Events {
                ledger: ledger.clone(),
            }),
        };
        self.live = Some(hub.subscribe(request, principal).await?);
        history.fit(&mut self.history);
        self.given.history = history.events();
        self.outbox.text(|out| history.write(&ledger, out));
        Ok(())
    }

    async fn turn(&mut self, socket: &mut Socket, large: &mut Claim) -> Result<(), End> {
        let heard_all = self.hear(socket).await?;
        socket.inbox.settle();
        let room = large.set(socket.inbox.excess());
        room.map_err(|_| End::Fault(Fault::BUSY))?;
        self.look_after(socket)?;
        self.pull()?;
        let at_once = socket
            .write_at_once(&mut self.outbox)
            .await
            .map_err(|_| End::Gone)?;
        let wrote = at_once == AtOnce::Wrote;
        if wrote {
            self.took();
        }
        self.slow |= at_once == AtOnce::Blocked;
        if wrote && self.live.is_some() || !heard_all && self.wants_messages() {
            return Ok(());
        }
        match self.wait(socket).await? {
            Turn::Moved(Moved::Read(0)) => Err(End::Gone),
            Turn::Moved(Moved::Read(bytes)) => {
                self.liveness.heard(Instant::now());
                self.slow = false;
                self.in_a_row += bytes;
                if self.in_a_row >= IN_A_ROW_MAX {
                    self.in_a_row = 0;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Turn::Moved(Moved::Wrote) => {
                self.took();
                Ok(())
            }
            Turn::Happened(happening) => self.happened(happening),
            Turn::Delivered(delivery) => self.deliver(delivery),
            Turn::Due => Ok(()),
        }
    }

    fn wants_messages(&self) -> bool {
        let room = self.in_flight < IN_FLIGHT_MAX && self.in_flight_bytes < IN_FLIGHT_BYTES_MAX;
        room && self.outbox.own_bytes() < ANSWERS_MAX
    }

    /// The client took some of what waited.
    fn took(&mut self) {
        // The system takes a little for a peer that is gone; more than that only the peer takes.
        if self.slow {
            self.liveness.took(Instant::now());
        }
        if self.outbox.own_bytes() < ANSWERS_MAX {
            // Less than before: it is never refused.
            let _ = self.history.set(0);
        }
    }

    /// Hears what came, as far as there is room for answers; whether that was all.
    async fn hear(&mut self, socket: &mut Socket) -> Result<bool, End> {
        while self.wants_messages() {
            match socket.inbox.next().map_err(End::Fault)? {
                None => return Ok(true),
                Some(Incoming::Text(text)) => self.hear_text(text).await,
                Some(Incoming::Binary(_)) => return Err(End::Fault(Fault::BINARY)),
                Some(Incoming::Ping(payload)) => self.outbox.control(Opcode::Pong, payload),
                Some(Incoming::Pong) => {}
                Some(Incoming::Close(code)) => return Err(End::Fault(Fault::echo(code))),
            }
        }
        Ok(false)
    }

    async fn hear_text(&mut self, text: &str) {
        let limits = &self.app.hub().settings().limits;
        // An event is a member of a message: one bracket deeper than by itself.
        let message = match RawJson::parse(text, limits.nesting_max + 1) {
            Ok(message) => message,
            Err(refusal) => return self.say_error(None, &refusal.into()),
        };
        let reference = messages::reference(message).map(|reference| reference.as_str().to_owned());
        if let Err(error) = self.emit(message, reference.as_deref()).await {
            self.say_error(reference.as_deref(), &error);
        }
    }

    /// Stores what a message says.
    async fn emit(&mut self, message: RawJson<'_>, reference: Option<&str>) -> Result<(), ApiError> {
        let hub = self.app.hub();
        let principal = Arc::clone(&self.caller.principal);
        let limits = &hub.settings().limits;
        let event = messages::read(message, limits, &principal, self.wishes.user.as_deref())?;
        self.caller.needs(Scope::Emit)?;
        let mut intake = hub.intake(principal, "conductor");
        intake.event(0, event);
        intake.look_up_ids().await;
        let (reference, bytes) = (reference.map(str::to_owned), message.as_str().len());
        let mut answer: BoxFuture<'static, Happening> = Box::pin(async move {
            let result = intake.commit().await;
            Happening::Answered(Box::new(Answer {
                reference,
                bytes,
                result,
            }))
        });
        self.in_flight += 1;
        self.in_flight_bytes += bytes;
        // Handed over before the next message is heard, so that they stay in order.
        let first = poll_fn(|cx| Poll::Ready(answer.as_mut().poll_unpin(cx)));
        match tokio::task::unconstrained(first).await {
            Poll::Ready(Happening::Answered(answer)) => self.answered(&answer),
            _ => self.happenings.push(answer),
        }
        Ok(())
    }

    /// Moves what is ready in memory to the outbox, until that is full; and takes note of what happened.
    fn pull(&mut self) -> Result<(), End> {
        // Polled without a waker: the happenings keep their own, and the next wait sees what woke meanwhile.
        while let Some(Some(happening)) = self.happenings.next().now_or_never() {
            self.happened(happening)?;
        }
        while !self.outbox.is_full() {
            let Some(delivery) = self.live.as_mut().and_then(Subscriber::try_next) else {
                break;
            };
            self.deliver(delivery)?;
        }
        Ok(())
    }

    /// What is durable by now is given to those who keep up.
    fn pull_last(&mut self) {
        while self.outbox.bytes() < LAST_BYTES {
            let Some(delivery) = self.live.as_mut().and_then(Subscriber::try_next) else {
                return;
            };
            if self.deliver(delivery).is_err() {
                return;
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), End> {
        match delivery {
            Delivery::Frame { bytes, events, .. } => {
                self.given.events += events as u64;
                self.outbox.share(bytes);
            }
            // The client knows none of this, and all of it comes again by itself.
            Delivery::CaughtUp { .. } => {}
            Delivery::FellBehind { lag_events, .. } => self.outbox.text(|out| {
                out.extend_from_slice(b"{\"type\":\"fell_behind\",\"lag_events\":");
                push_number(out, lag_events);
                out.push(b'}');
            }),
            Delivery::Gap(gap) => self.outbox.text(|out| {
                out.extend_from_slice(b"{\"type\":\"gap\",");
                write_gap(&gap, out);
                out.push(b'}');
            }),
            Delivery::Failed { code, message } => self.say_error(None, &ApiError::new(code, message)),
            Delivery::Closing { .. } => return Err(End::Closing),
        }
        Ok(())
    }

    async fn wait(&mut self, socket: &mut Socket) -> Result<Turn, End> {
        let wants_messages = self.wants_messages();
        let due = self.metrics_at.min(self.ping_at);
        let Self {
            outbox,
            live,
            happenings,
            ..
        } = self;
        let wants_events = !outbox.is_full();
        let events = async {
            match live {
                Some(live) if wants_events => live.next().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            moved = poll_fn(|cx| socket.poll_move(wants_messages, outbox, cx)) => {
                moved.map(Turn::Moved).map_err(|_| End::Gone)
            }
            Some(happening) = happenings.next() => Ok(Turn::Happened(happening)),
            delivery = events => Ok(Turn::Delivered(delivery)),
            () = sleep_until(due) => Ok(Turn::Due),
        }
    }

    /// Does what is due: metrics, pings, and giving memory back.
    fn look_after(&mut self, socket: &mut Socket) -> Result<(), End> {
        let now = Instant::now();
        // What is not taken yet is not added to.
        if now >= self.metrics_at {
            self.metrics_at = now + Duration::from_millis(self.door.settings.metrics_ms.max(100));
            if self.wishes.reads && !self.outbox.is_full() {
                let Conductor { board, settings, .. } = &*self.door;
                let message = board.message(self.app.hub(), &self.caller.principal, settings, self.given);
                self.outbox.text(|out| out.extend_from_slice(message.as_bytes()));
            }
        }
        if now >= self.ping_at {
            self.ping_at = now + PING_EVERY;
            if self.liveness.is_dead(now) {
                return Err(End::Gone);
            }
            socket.inbox.shrink();
            self.outbox.shrink();
            if self.outbox.is_empty() {
                self.outbox.control(Opcode::Ping, b"");
            }
        }
        Ok(())
    }

    fn happened(&mut self, happening: Happening) -> Result<(), End> {
        match happening {
            Happening::Answered(answer) => self.answered(&answer),
            Happening::Revoked => {
                self.say_error(None, &ApiError::new("unauthorized", "the token was revoked"));
                return Err(End::Fault(Fault::REVOKED));
            }
            Happening::Closing => return Err(End::Closing),
        }
        Ok(())
    }

    /// Who gave no word to know the answer by is told only what was not stored.
    fn answered(&mut self, answer: &Answer) {
        self.in_flight -= 1;
        self.in_flight_bytes -= answer.bytes;
        let reference = answer.reference.as_deref();
        let receipt = match &answer.result {
            Ok(receipt) => receipt,
            Err(error) => return self.say_error(reference, &error.clone().into()),
        };
        if let Some(rejected) = receipt.rejected.first() {
            return self.say_error(reference, &ApiError::new(rejected.code, &*rejected.message));
        }
        if let Some(reference) = reference {
            self.outbox.text(|out| {
                out.extend_from_slice(
                    format!("{{\"type\":\"ack\",\"ref\":{reference},\"receipt\":").as_bytes(),
                );
                write_receipt(receipt, out);
                out.push(b'}');
            });
        }
    }

    fn say_error(&mut self, reference: Option<&str>, error: &ApiError) {
        self.outbox.text(|out| {
            out.extend_from_slice(b"{\"type\":\"error\",");
            if let Some(reference) = reference {
                out.extend_from_slice(format!("\"ref\":{reference},").as_bytes());
            }
            out.extend_from_slice(b"\"error\":{");
            error.write_fields(out);
            out.extend_from_slice(b"}}");
        });
    }
}
