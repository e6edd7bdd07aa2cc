//! What came since the last hand-over: requests are joined to it whole, or leave nothing behind.

use std::{collections::BTreeMap, sync::Arc};

use kymo_event::{Batch, Record, dialects::Dialect};

use super::answer::Answer;
use crate::{
    Intake, Principal,
    counters::tally::{self, Tally},
    ids::{
        repeats::Original,
        round::{Met, RoundIds},
    },
    shared::Shared,
};

/// What came since the last hand-over.
pub(super) struct Round {
    pub(super) intake: Intake,
    /// There once an event has an id.
    ids: Option<RoundIds>,
    /// Repeats of those who wait for this round.
    duplicates: usize,
    pub(super) answer: Arc<Answer>,
}

/// A round that is closed.
pub(super) struct Cut {
    pub(super) batch: Batch,
    pub(super) tally: Tally,
    /// Of each event, its index in its request.
    pub(super) indexes: Vec<u32>,
    pub(super) ids: Option<RoundIds>,
    pub(super) duplicates: usize,
    pub(super) answer: Arc<Answer>,
}

/// What a request added to a round.
pub(super) struct Joined {
    /// Its events: the first one's place in the round, and how many.
    pub(super) position: usize,
    pub(super) count: usize,
    /// By rising index, what it repeats.
    pub(super) repeats: Vec<(u32, Original)>,
}

impl Joined {
    /// Whether it has to wait for the round.
    pub(super) fn waits(&self) -> bool {
        let is_here = |(_, original): &(u32, Original)| matches!(original, Original::Here(_));
        self.count > 0 || self.repeats.iter().any(is_here)
    }
}

impl Round {
    pub(super) fn new(hub: Arc<Shared>) -> Self {
        let nobody = Principal {
            name: "".into(),
            scopes: Vec::new(),
            bound: BTreeMap::new(),
        };
        Self {
            intake: Intake::new(hub, nobody.into(), "lane"),
            ids: None,
            duplicates: 0,
            answer: Arc::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.intake.batch.is_empty()
    }

    /// Joins all records of a request, or none of them: then one is refused, or only who may wait finds out what it is.
    /// `may_look_up`: whether the ledger may be asked for what they may repeat before the round is handed over.
    pub(super) fn join<'a>(
        &mut self,
        principal: &Arc<Principal>,
        records: impl Iterator<Item = Record<'a>>,
        dialect: Option<&'static dyn Dialect>,
        may_look_up: impl Fn() -> bool,
    ) -> Option<Joined> {
        self.intake.begin(principal);
        let before = self.intake.mark();
        let mut joining = Joining {
            round: self,
            before: Some(before),
        };
        let round = &mut *joining.round;
        let (position, mut repeats) = (round.intake.batch.len(), Vec::new());
        for record in records {
            let mark = round.intake.mark();
            round.intake.take(record, dialect);
            if !round.intake.rejected.is_empty() {
                return None;
            }
            match round.meet(&may_look_up) {
                Met::New => {}
                Met::Repeat(original) => {
                    repeats.push((round.intake.indexes[mark.events], original));
                    round.intake.back_to(&mark);
                }
                Met::Unsure => return None,
            }
        }
        let count = round.intake.batch.len() - position;
        if count == 0 && repeats.is_empty() {
            return None;
        }
        joining.before = None;
        drop(joining);
        let joined = Joined {
            position,
            count,
            repeats,
        };
        if joined.waits() {
            self.duplicates += joined.repeats.len();
        }
        Some(joined)
    }

    /// What the newest event is.
    fn meet(&mut self, may_look_up: impl Fn() -> bool) -> Met {
        let Intake { hub, batch, .. } = &self.intake;
        if batch.id_key(batch.len() - 1).is_none() {
            return Met::New;
        }
        if !hub.ids_loaded.is_over() {
            return Met::Unsure;
        }
        let ids = self.ids.get_or_insert_default();
        ids.meet(&hub.ids, &hub.ring, batch, may_look_up)
    }

    /// Closes it, and begins the next one with as much room as it took.
    pub(super) fn cut(&mut self) -> Cut {
        let Intake {
            batch,
            tally,
            indexes,
            ..
        } = &mut self.intake;
        let room = Batch::with_capacity(batch.bytes(), batch.len());
        Cut {
            batch: std::mem::replace(batch, room),
            tally: std::mem::take(tally),
            indexes: std::mem::take(indexes),
            ids: self.ids.take(),
            duplicates: std::mem::take(&mut self.duplicates),
            answer: std::mem::take(&mut self.answer),
        }
    }
}

/// A request that is being joined. Unless that comes to its end, whatever ends it, nothing of the request stays: no
/// event without a ticket, no claim that others would wait for, no name that nobody says.
struct Joining<'r> {
    round: &'r mut Round,
    /// What there was before, until it is joined.
    before: Option<Mark>,
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        let Round { intake, ids, .. } = &mut *self.round;
        intake.back_to(&before);
        if let Some(ids) = ids {
            ids.back_to(&intake.hub.ids, before.events);
        }
    }
}

/// How much an intake held at some moment.
struct Mark {
    events: usize,
    tally: tally::Mark,
}

impl Intake {
    /// A further request of the same round begins.
    fn begin(&mut self, principal: &Arc<Principal>) {
        if !Arc::ptr_eq(&self.principal, principal) {
            self.principal = Arc::clone(principal);
        }
        self.received = 0;
    }

    fn mark(&self) -> Mark {
        Mark {
            events: self.batch.len(),
            tally: self.tally.mark(),
        }
    }

    /// Forgets what came since.
    fn back_to(&mut self, mark: &Mark) {
        self.batch.truncate(mark.events);
        self.tally.back_to(&mark.tally);
        self.indexes.truncate(mark.events);
        self.rejected.clear();
        self.refused.clear();
    }
}
