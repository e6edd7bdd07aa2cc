//! What became of a round, and each request's part of it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use kymo_event::Seq;
use kymo_ledger::Durability;
use parking_lot::Mutex;

use super::round::Joined;
use crate::{Duplicate, PublishError, Receipt, ids::repeats::Original};

/// Where the events of a round are, or why they are nowhere.
pub(super) type Outcome = Result<Stored, PublishError>;

/// Where the events of a round are.
pub(super) struct Stored {
    /// The first one's seq, unless all were repeats.
    pub(super) first: Option<Seq>,
    pub(super) durability: Durability,
    /// What was found to be a repeat only after it was joined, by rising position.
    pub(super) late: Vec<Late>,
}

/// A repeat of an event that was stored long ago.
pub(super) struct Late {
    /// Its place in the round.
    pub(super) position: u32,
    /// Its place in its request.
    pub(super) index: u32,
    pub(super) seq: Seq,
}

impl Stored {
    /// The repeats before a position.
    fn late_before(&self, position: usize) -> usize {
        self.late
            .partition_point(|late| (late.position as usize) < position)
    }

    /// Where an event is that was no repeat when it was joined.
    fn seq_of(&self, position: usize) -> Option<Seq> {
        let before = self.late_before(position);
        match self.late.get(before) {
            Some(late) if late.position as usize == position => Some(late.seq),
            _ => Some(self.first?.plus((position - before) as u64)),
        }
    }
}

/// What became of a round, for those who wait for it.
#[derive(Default)]
pub(super) struct Answer(Mutex<State>);

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

impl Answer {
    /// An answer that is there already.
    pub(super) fn given(result: Outcome) -> Self {
        Self(Mutex::new(State {
            result: Some(result),
            waiting: Vec::new(),
        }))
    }

    /// `waker` is called once there is one.
    pub(super) fn tell(&self, waker: &Waker) {
        let mut state = self.0.lock();
        // Who says several things in a row is woken once.
        if !state.waiting.last().is_some_and(|last| last.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
    }

    pub(super) fn give(&self, result: Outcome) {
        let mut state = self.0.lock();
        state.result = Some(result);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// One request's part of a round.
pub struct Ticket {
    answer: Arc<Answer>,
    joined: Joined,
}

impl Ticket {
    pub(super) const fn new(answer: Arc<Answer>, joined: Joined) -> Self {
        Self { answer, joined }
    }

    /// The answer, once there is one.
    #[must_use]
    pub fn receipt(&self) -> Option<Result<Receipt, PublishError>> {
        let state = self.answer.0.lock();
        let result = state.result.as_ref()?;
        let receipt = result.as_ref().map(|stored| self.receipt_of(stored));
        Some(receipt.map_err(Clone::clone))
    }

    fn receipt_of(&self, stored: &Stored) -> Receipt {
        let Joined { position, count, .. } = self.joined;
        let before = stored.late_before(position);
        let upto = stored.late_before(position + count);
        let accepted = count - (upto - before);
        let first = stored.first.filter(|_| accepted > 0);
        let first = first.map(|first| first.plus((position - before) as u64));
        Receipt {
            accepted,
            first,
            last: first.map(|first| first.plus(accepted as u64 - 1)),
            durability: stored.durability,
            duplicates: self.duplicates(stored, &stored.late[before..upto]),
            rejected: Vec::new(),
            rejected_more: 0,
        }
    }

    fn duplicates(&self, stored: &Stored, late: &[Late]) -> Vec<Duplicate> {
        let known = self.joined.repeats.iter().filter_map(|(index, original)| {
            let seq = match original {
                Original::Stored(seq) => Some(*seq),
                Original::Here(position) => stored.seq_of(*position as usize),
            };
            Some((*index, seq?))
        });
        let late = late.iter().map(|late| (late.index, late.seq));
        let duplicate = |(index, seq)| Duplicate {
            index: index as usize,
            seq,
        };
        let mut duplicates: Vec<_> = known.chain(late).map(duplicate).collect();
        duplicates.sort_unstable_by_key(|duplicate| duplicate.index);
        duplicates
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
