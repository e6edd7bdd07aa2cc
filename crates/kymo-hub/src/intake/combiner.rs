//! Joins what many clients emit one by one: the events of a round become one batch with one answer for all.
//!
//! For a thread that serves many who emit little: everything that the ledger, the counters and the answers cost is paid
//! once for a round instead of once for an event. What repeats something is known by its id as in an [`Intake`]. What
//! cannot be said at once (a refusal, a rate limit, a repeat of what others are storing this moment or of what must be
//! read from the disk to be known) is left to an intake of its own.
//!
//! [`Intake`]: super::Intake

use std::{sync::Arc, task::Waker, time::Instant};

use kymo_event::{Record, dialects::Dialect};
use kymo_ledger::{AppendError, Appended, Durability};
use parking_lot::Mutex;

use crate::{Hub, Principal, PublishError, Scope, ids::repeats::Repeats, shared::Shared};
use answer::{Answer, Stored};
use pace::Pace;
use round::{Joined, Round};
use sent::{Sent, Settled};

mod answer;
mod pace;
mod round;
mod sent;

pub use answer::Ticket;

/// How often everybody has a turn before a round ends: those who were answered last are often about to speak again.
const TURNS: usize = 2;

/// A round that has so much does not grow further.
const FULL_BYTES: usize = 1 << 20;

/// Joins lone events to rounds. It lives where its [`Combiner::run`] is polled: on a thread that may wait for the disk.
pub struct Combiner {
    hub: Arc<Shared>,
    round: Mutex<Round>,
    settled: Arc<Settled>,
    pace: Mutex<Pace>,
}

/// Who waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Here,
    /// The ledger's own thread.
    Elsewhere,
}

impl Combiner {
    /// A combiner for this hub, with nothing in it.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        let hub = Arc::clone(&hub.shared);
        Self {
            round: Mutex::new(Round::new(Arc::clone(&hub))),
            settled: Arc::default(),
            pace: Mutex::default(),
            hub,
        }
    }

    /// Takes all records of a request into the round, or none of them: then they are for [`Hub::intake`], which says
    /// why, or waits. `waker` is called when [`Ticket::receipt`] has something, unless it has at once.
    pub fn take<'a>(
        &self,
        principal: &Arc<Principal>,
        records: impl Iterator<Item = Record<'a>>,
        dialect: Option<&'static dyn Dialect>,
        waker: &Waker,
    ) -> Option<Ticket> {
        if self.hub.rates.limit().is_some() || !principal.may(Scope::Emit) {
            return None;
        }
        let mut round = self.round.lock();
        if round.intake.batch.bytes() >= FULL_BYTES {
            drop(round);
            self.flush();
            round = self.round.lock();
        }
        let joined = round.join(principal, records, dialect, || !self.is_slow())?;
        if !joined.waits() {
            drop(round);
            return Some(self.known(joined));
        }
        let answer = Arc::clone(&round.answer);
        answer.tell(waker);
        drop(round);
        self.settled.work.notify_one();
        Some(Ticket::new(answer, joined))
    }

    /// The ticket of a request that was stored before, all of it.
    fn known(&self, joined: Joined) -> Ticket {
        let repeats = joined.repeats.len();
        self.hub.numbers.answered(repeats, 0, &Default::default());
        let stored = Stored {
            first: None,
            durability: self.hub.durability(None),
            late: Vec::new(),
        };
        Ticket::new(Arc::new(Answer::given(Ok(stored))), joined)
    }

    /// Hands rounds to the ledger and tells their clients, for as long as it is polled; what is taken after that waits
    /// for the next run. It waits for the disk itself, unless that is slow.
    pub async fn run(&self) {
        self.settled.begin();
        let _finishes = Finishes(self);
        loop {
            self.settled.work.notified().await;
            self.settled.tell();
            if self.round.lock().is_empty() {
                continue;
            }
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            self.hand_over(Waits::Here);
            self.settled.tell();
        }
    }

    /// Gives the ledger what is in the round already, without waiting for it to be written: what is handed to the hub
    /// after this call comes after it.
    pub fn flush(&self) {
        self.hand_over(Waits::Elsewhere);
    }

    fn is_slow(&self) -> bool {
        self.pace.lock().is_slow(Instant::now())
    }

    fn hand_over(&self, waits: Waits) {
        let mut round = self.round.lock();
        if round.is_empty() {
            return;
        }
        let cut = round.cut();
        drop(round);
        let hub = &self.hub;
        let mut sent = Sent {
            answer: Some(cut.answer),
            settled: Arc::clone(&self.settled),
            numbers: Arc::clone(&hub.numbers),
            ids: Arc::clone(&hub.ids),
            tally: cut.tally,
            duplicates: cut.duplicates,
            found: Repeats::default(),
            late: Vec::new(),
            durability: hub.durability(None),
        };
        let Some(in_flight) = hub.gate.enter() else {
            return sent.answered(Err(PublishError::Closing));
        };
        let begun = Instant::now();
        let here = waits == Waits::Here && hub.ledger.durability() == Durability::Fsync;
        let mut batch = cut.batch;
        if let Some(ids) = cut.ids {
            (batch, sent.found) = ids.look_up(&hub.ids, &hub.ledger, batch);
            sent.leave_out_late(&mut batch, &cut.indexes);
            // Whoever writes the round, this thread has waited for the disk to tell old ids.
            if batch.is_empty() || !here {
                self.pace.lock().took(begun, Instant::now());
            }
        }
        if batch.is_empty() {
            return sent.answered(Ok(None));
        }
        let done = Box::new(move |result: Result<Appended, AppendError>| {
            sent.answered(result.map(Some).map_err(PublishError::from));
            drop(in_flight);
        });
        if !here || self.pace.lock().is_slow(begun) {
            return hub.ledger.append(batch, done);
        }
        if hub.ledger.append_here(batch, done) {
            self.pace.lock().took(begun, Instant::now());
        }
    }
}

/// Whatever ends the run, nobody waits for an answer that does not come.
struct Finishes<'c>(&'c Combiner);

impl Drop for Finishes<'_> {
    fn drop(&mut self) {
        self.0.settled.end();
        self.0.flush();
    }
}
