//! The ids of a round: claimed one by one while it grows, looked up in the ledger together before it is handed over.
//!
//! While it grows nothing is waited for: an event of which only another batch or a line on disk knows more is for who
//! can wait (`repeats.rs`). That a ledger is long, so that any id may be an old one, is no such case: the rounds of all
//! emitters that give ids would stay empty.

use kymo_event::Batch;
use kymo_ledger::Ledger;

use super::{
    ClaimGuard, Identity, Ids,
    repeats::{Candidate, Comparison, Original, Repeats, says},
    stored::StoredLines,
};
use crate::ring::Ring;

/// The claim of a round, and what is claimed.
#[derive(Default)]
pub(crate) struct RoundIds {
    guard: ClaimGuard,
    /// By rising position.
    claimed: Vec<Candidate>,
}

/// What an event with an id is.
pub(crate) enum Met {
    /// Stored nowhere that is known of in memory; claimed.
    New,
    /// The repeat of an event of the ledger, or of this round.
    Repeat(Original),
    /// Who may wait finds out.
    Unsure,
}

impl RoundIds {
    /// Looks at the last event of the round's batch. `may_look_up`: whether the ledger may be asked before the round is
    /// handed over.
    pub(crate) fn meet(
        &mut self,
        ids: &Ids,
        ring: &Ring,
        batch: &Batch,
        may_look_up: impl FnOnce() -> bool,
    ) -> Met {
        let last = batch.len() - 1;
        let Some(key) = batch.id_key(last) else {
            return Met::New;
        };
        let content = batch.content(last);
        let identity = Identity::of(key, content);
        let position = u32::try_from(last).expect("a round is far below 4 GiB");
        let Ok(known) = ids.claim(identity, &self.guard.0, position) else {
            return Met::Unsure;
        };
        if let Some(original) = known.likely {
            let same = match original {
                Original::Here(other) => Some(batch.content(other as usize) == content),
                Original::Stored(seq) => ring.with_line(seq, |line| says(line, content)),
            };
            return match same {
                Some(true) => Met::Repeat(original),
                _ => Met::Unsure,
            };
        }
        let unsure = !known.unread.is_empty() || known.covered.is_some() && !may_look_up();
        self.claimed.push(Candidate {
            position,
            identity,
            known,
        });
        if unsure { Met::Unsure } else { Met::New }
    }

    /// Takes the claims of all but the first `count` events back.
    pub(crate) fn back_to(&mut self, ids: &Ids, count: usize) {
        while let Some(claimed) = self.claimed.pop_if(|claimed| claimed.position as usize >= count) {
            ids.release(claimed.identity, &self.guard.0, claimed.position);
        }
        if self.claimed.is_empty() {
            // Who waits for what is not handed over would wait until somebody emits again.
            self.guard = ClaimGuard::default();
        }
    }

    /// Asks the ledger for what may be there without being in memory. Blocking, where there is such.
    pub(crate) fn look_up(self, ids: &Ids, ledger: &Ledger, batch: Batch) -> (Batch, Repeats) {
        let events = self
            .claimed
            .iter()
            .map(|claimed| (claimed.position, claimed.identity))
            .collect();
        let is_old = |claimed: &Candidate| claimed.known.covered.is_some();
        let (old, new): (Vec<_>, Vec<_>) = self.claimed.into_iter().partition(is_old);
        let mut comparison = Comparison::of(batch);
        new.iter().for_each(|claimed| comparison.not_a_repeat(claimed));
        if !old.is_empty() {
            comparison.far(&mut StoredLines::new(ledger.clone()), old);
        }
        comparison.finish(ids, self.guard, events)
    }
}
