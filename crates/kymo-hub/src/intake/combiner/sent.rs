//! A round on its way: what is to be done once the ledger has answered, whatever the answer and whoever brings it.

use std::{collections::BTreeMap, sync::Arc};

use kymo_event::Batch;
use kymo_ledger::{Appended, Durability};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::answer::{Answer, Late, Outcome, Stored};
use crate::{
    PublishError,
    counters::{Numbers, tally::Tally},
    ids::{
        Ids,
        repeats::{Original, Repeats},
    },
};

/// A round that is on its way to the ledger. Dropped without an answer it says that there is none.
pub(super) struct Sent {
    /// Until it is answered.
    pub(super) answer: Option<Arc<Answer>>,
    pub(super) settled: Arc<Settled>,
    pub(super) numbers: Arc<Numbers>,
    pub(super) ids: Arc<Ids>,
    pub(super) tally: Tally,
    /// Repeats that were known when they were joined.
    pub(super) duplicates: usize,
    /// What was found out about its ids.
    pub(super) found: Repeats,
    pub(super) late: Vec<Late>,
    /// What the ledger reaches where nothing had to be appended.
    pub(super) durability: Durability,
}

impl Sent {
    /// Takes out what was found to be a repeat; `indexes`: of each event, its place in its request.
    pub(super) fn leave_out_late(&mut self, batch: &mut Batch, indexes: &[u32]) {
        let found = &self.found;
        if found.repeats.is_empty() {
            return;
        }
        batch.retain(|position| !found.is_repeat(position));
        self.tally.retain(|position| !found.is_repeat(position));
        let late = found
            .repeats
            .iter()
            .filter_map(|(position, original)| match original {
                Original::Stored(seq) => Some(Late {
                    position: *position,
                    index: indexes[*position as usize],
                    seq: *seq,
                }),
                // Known when they were joined.
                Original::Here(_) => None,
            });
        self.late = late.collect();
    }

    /// Tells everybody what became of it; `None`: there was nothing to append.
    pub(super) fn answered(mut self, result: Result<Option<Appended>, PublishError>) {
        let first = |appended: &Option<Appended>| appended.map(|appended| appended.first);
        if let Some(guard) = &self.found.claim {
            // Where nothing was stored, nothing is remembered as stored.
            guard.0.settle(result.as_ref().ok().and_then(first));
            self.found.compact(&self.ids, &guard.0);
        }
        if result.is_ok() {
            self.numbers.stored(&self.tally);
            let duplicates = self.duplicates + self.late.len();
            self.numbers
                .answered(duplicates, self.found.reused, &BTreeMap::new());
        }
        let stored = |appended: Option<Appended>| Stored {
            first: first(&appended),
            durability: appended.map_or(self.durability, |appended| appended.durability),
            late: std::mem::take(&mut self.late),
        };
        let outcome = result.map(stored);
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: Outcome) {
        if let Some(answer) = self.answer.take() {
            self.settled.put(answer, outcome);
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.answer(Err(PublishError::Unwritable("its writer stopped".into())));
    }
}

/// Rounds that the ledger has answered and whose clients were not told yet, and who is woken when there is something
/// to do.
#[derive(Default)]
pub(super) struct Settled {
    rounds: Mutex<Rounds>,
    pub(super) work: Notify,
}

#[derive(Default)]
struct Rounds {
    answered: Vec<(Arc<Answer>, Outcome)>,
    /// A run came to its end and there is no other: nobody comes for what is put here.
    abandoned: bool,
}

impl Settled {
    /// Leaves an answer to the run, or gives it where there is none any more.
    fn put(&self, answer: Arc<Answer>, outcome: Outcome) {
        let mut rounds = self.rounds.lock();
        if rounds.abandoned {
            drop(rounds);
            return answer.give(outcome);
        }
        rounds.answered.push((answer, outcome));
        drop(rounds);
        self.work.notify_one();
    }

    /// A run begins, and tells from now on.
    pub(super) fn begin(&self) {
        self.rounds.lock().abandoned = false;
    }

    /// Wakes those whose rounds are settled; on their own thread, where waking is cheap.
    pub(super) fn tell(&self) {
        let answered = std::mem::take(&mut self.rounds.lock().answered);
        for (answer, outcome) in answered {
            answer.give(outcome);
        }
    }

    /// The run ends; what is answered later is told by who brings the answer.
    pub(super) fn end(&self) {
        self.rounds.lock().abandoned = true;
        self.tell();
    }
}
