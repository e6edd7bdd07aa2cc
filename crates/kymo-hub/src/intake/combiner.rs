//! Joins what many clients emit one by one: the events of a round become one batch with one answer for all.
//!
//! For a thread that serves many who emit little: everything that the ledger, the counters and the answers cost is paid
//! once for a round instead of once for an event. What is not plain (an id that may be a repeat, a refusal, a rate
//! limit) is left to an [`Intake`] of its own.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use kymo_event::{Batch, Record, dialects::Dialect};
use kymo_ledger::{AppendError, Appended, Durability};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Intake;
use crate::{Hub, Principal, PublishError, Receipt, Scope, counters::tally::Tally, shared::Shared};

/// How often everybody has a turn before a round ends: those who were answered last are often about to speak again.
const TURNS: usize = 2;

/// A round that has so much does not grow further.
const FULL_BYTES: usize = 1 << 20;

/// A disk that usually takes longer is waited for by the ledger's own thread, and for how long before it is tried again.
const SLOW: Duration = Duration::from_millis(10);
const SLOW_FOR: Duration = Duration::from_secs(10);

/// Joins lone events to rounds. It lives where its [`Combiner::run`] is polled: on a thread that may wait for the disk.
pub struct Combiner {
    hub: Arc<Shared>,
    round: Mutex<Round>,
    settled: Arc<Settled>,
    pace: Mutex<Pace>,
}

/// Where the events of a round are, or why they are nowhere.
type Outcome = Result<Appended, PublishError>;

/// Rounds that the ledger has answered and whose clients were not told yet, and who is woken when there is something
/// to do.
#[derive(Default)]
struct Settled {
    rounds: Mutex<Vec<(Arc<Answer>, Outcome)>>,
    work: Notify,
}

/// How long the disk takes.
#[derive(Default)]
struct Pace {
    usual: Duration,
    slow_until: Option<Instant>,
}

/// Who waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Here,
    /// The ledger's own thread.
    Elsewhere,
}

/// What came since the last hand-over.
struct Round {
    intake: Intake,
    answer: Arc<Answer>,
}

/// What became of a round.
#[derive(Default)]
struct Answer(Mutex<State>);

struct State {
    result: Option<Outcome>,
    waiting: Vec<Waker>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            result: None,
            waiting: Vec::with_capacity(16),
        }
    }
}

/// One request's part of a round.
pub struct Ticket {
    answer: Arc<Answer>,
    /// Its events: the first one's place in the batch, and how many, at least one.
    position: u64,
    count: usize,
}

impl Combiner {
    /// A combiner for this hub, with nothing in it.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        let hub = Arc::clone(&hub.shared);
        let nobody = Principal {
            name: "".into(),
            scopes: Vec::new(),
            bound: BTreeMap::new(),
        };
        Self {
            round: Mutex::new(Round {
                intake: Intake::new(Arc::clone(&hub), nobody.into(), "lane"),
                answer: Arc::default(),
            }),
            settled: Arc::default(),
            pace: Mutex::default(),
            hub,
        }
    }

    /// Takes all records of a request into the round, or none of them: then they are for [`Hub::intake`], which says
    /// why. `waker` is called when [`Ticket::receipt`] has something.
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
        let before = round.intake.batch.len();
        round.intake.begin(principal);
        records.for_each(|record| round.intake.take(record, dialect));
        let count = round.intake.batch.len() - before;
        if count == 0 || !round.intake.is_plain() {
            round.intake.back_to(before);
            return None;
        }
        let answer = Arc::clone(&round.answer);
        answer.tell(waker);
        drop(round);
        self.settled.work.notify_one();
        Some(Ticket {
            answer,
            position: before as u64,
            count,
        })
    }

    /// Hands rounds to the ledger and tells their clients, for as long as it is polled. It waits for the disk itself,
    /// unless that is slow.
    pub async fn run(&self) {
        let _finishes = Finishes(self);
        loop {
            self.settled.work.notified().await;
            self.settled.tell();
            if self.is_empty() {
                continue;
            }
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            self.hand_over(Waits::Here);
            self.settled.tell();
        }
    }

    /// Gives the ledger what is in the round already, without waiting for the disk: what is handed to the hub after this
    /// call comes after it.
    pub fn flush(&self) {
        self.hand_over(Waits::Elsewhere);
    }

    fn is_empty(&self) -> bool {
        self.round.lock().intake.batch.is_empty()
    }

    fn hand_over(&self, waits: Waits) {
        let mut round = self.round.lock();
        if round.intake.batch.is_empty() {
            return;
        }
        let (batch, tally) = round.intake.cut();
        let answer = std::mem::take(&mut round.answer);
        drop(round);
        let settled = Arc::clone(&self.settled);
        let Some(in_flight) = self.hub.gate.enter() else {
            return settled.put(answer, Err(PublishError::Closing));
        };
        let numbers = Arc::clone(&self.hub.numbers);
        let done = Box::new(move |result: Result<Appended, AppendError>| {
            if result.is_ok() {
                numbers.stored(&tally);
            }
            settled.put(answer, result.map_err(PublishError::from));
            drop(in_flight);
        });
        let ledger = &self.hub.ledger;
        let begun = Instant::now();
        let here = waits == Waits::Here && ledger.durability() == Durability::Fsync;
        if !here || self.pace.lock().is_slow(begun) {
            return ledger.append(batch, done);
        }
        if ledger.append_here(batch, done) {
            self.pace.lock().took(begun, Instant::now());
        }
    }
}

impl Settled {
    fn put(&self, answer: Arc<Answer>, result: Outcome) {
        self.rounds.lock().push((answer, result));
        self.work.notify_one();
    }

    /// Wakes those whose rounds are settled; on their own thread, where waking is cheap.
    fn tell(&self) {
        let rounds = std::mem::take(&mut *self.rounds.lock());
        for (answer, result) in rounds {
            answer.give(result);
        }
    }
}

impl Pace {
    /// Notes a commit. A hiccup is none, a disk that hangs or is always slow is.
    fn took(&mut self, begun: Instant, ended: Instant) {
        self.usual = (self.usual * 7 + (ended - begun)) / 8;
        if self.usual > SLOW {
            *self = Self {
                usual: Duration::ZERO,
                slow_until: Some(ended + SLOW_FOR),
            };
        }
    }

    fn is_slow(&self, now: Instant) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }
}

/// Whatever ends the run, nobody waits for an answer that does not come.
struct Finishes<'c>(&'c Combiner);

impl Drop for Finishes<'_> {
    fn drop(&mut self) {
        self.0.flush();
        self.0.settled.tell();
    }
}

impl Answer {
    fn tell(&self, waker: &Waker) {
        let mut state = self.0.lock();
        // Who says several things in a row is woken once.
        if !state.waiting.last().is_some_and(|last| last.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
    }

    fn give(&self, result: Outcome) {
        let mut state = self.0.lock();
        state.result = Some(result);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Ticket {
    /// The answer, once there is one.
    #[must_use]
    pub fn receipt(&self) -> Option<Result<Receipt, PublishError>> {
        let state = self.answer.0.lock();
        let stored = |appended: &Appended| {
            let first = appended.first.plus(self.position);
            Receipt {
                accepted: self.count,
                first: Some(first),
                last: Some(first.plus(self.count as u64 - 1)),
                durability: appended.durability,
                duplicates: Vec::new(),
                rejected: Vec::new(),
                rejected_more: 0,
            }
        };
        let result = state.result.as_ref()?;
        Some(result.as_ref().map(stored).map_err(Clone::clone))
    }

    /// The answer. Only for the task whose waker was given.
    pub async fn settled(&self) -> Result<Receipt, PublishError> {
        poll_fn(|_| self.receipt().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Whether [`Ticket::receipt`] has something.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.answer.0.lock().result.is_some()
    }
}

impl Intake {
    /// A further request of the same round begins.
    fn begin(&mut self, principal: &Arc<Principal>) {
        if !Arc::ptr_eq(&self.principal, principal) {
            self.principal = Arc::clone(principal);
        }
        self.received = 0;
    }

    /// Whether all there is can be stored as it is.
    fn is_plain(&self) -> bool {
        self.with_id == 0 && self.rejected.is_empty()
    }

    /// Forgets what came after the first `count` events.
    fn back_to(&mut self, count: usize) {
        while self.batch.len() > count {
            self.batch.pop();
        }
        if count == 0 {
            // With all the names that nobody says now.
            self.tally = Tally::default();
        }
        self.tally.truncate(count);
        self.indexes.truncate(count);
        self.rejected.clear();
        self.refused.clear();
        (self.with_id, self.rejected_more) = (0, 0);
    }

    /// Takes everything out, leaving as much room as it took.
    fn cut(&mut self) -> (Batch, Tally) {
        let room = Batch::with_capacity(self.batch.bytes(), self.batch.len());
        self.indexes.clear();
        (
            std::mem::replace(&mut self.batch, room),
            std::mem::take(&mut self.tally),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pace says after commits that took so many milliseconds, one after the other.
    fn slow_after(millis: &[u64]) -> (bool, bool) {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for millis in millis {
            let begun = now;
            now += Duration::from_millis(*millis);
            pace.took(begun, now);
        }
        (pace.is_slow(now), pace.is_slow(now + SLOW_FOR))
    }

    #[test]
    fn a_disk_is_slow_when_it_hangs_or_usually_takes_long_and_is_tried_again() {
        assert_eq!(slow_after(&[0; 50]), (false, false));
        assert_eq!(slow_after(&[0, 0, 60, 0, 0]), (false, false), "a hiccup");
        assert_eq!(slow_after(&[0, 0, 1_000]), (true, false), "it hung");
        assert_eq!(slow_after(&[15; 30]), (true, false), "it turns");
    }
}
