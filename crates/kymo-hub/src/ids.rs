//! Idempotency: which (source, id) was stored where, or is being stored this moment.
//!
//! A batch puts down a claim for each of its ids before it is handed to the writer. The claim is settled by the
//! writer's answer, also when nobody waits for it any more, so that the same event sent twice at once is stored once.
//! Equal keys are only candidates: whether an event is a repeat is decided by its content (`repeats.rs`).
//!
//! The table holds the newest ids in two generations per shard: when the newer one is full the older one is dropped,
//! and what it held is below `covered`, where the ledger's own index answers.

use std::sync::Arc;

use kymo_event::{IdKey, Seq};
use parking_lot::Mutex;

mod claims;
pub(crate) mod repeats;
mod shards;
mod stored;

use claims::Status;
pub(crate) use claims::{Claim, ClaimGuard};
use shards::{Place, Shard};

const SHARDS: usize = 16;

/// The newest ids.
pub(crate) struct Ids {
    shards: Box<[Mutex<Shard>]>,
}

/// What is known of a key, beside the caller's own claim.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Durable events with this key.
    pub(crate) stored: Vec<Seq>,
    /// Earlier events of the same batch with this key, by position.
    pub(crate) here: Vec<u32>,
    /// Older events may be in the ledger, below this seq.
    pub(crate) covered: Option<Seq>,
}

impl Ids {
    /// A table of about `ids_max` ids.
    pub(crate) fn new(ids_max: usize) -> Self {
        let shard = || Mutex::new(Shard::new((ids_max / 2 / SHARDS).max(1)));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    /// Takes what a ledger remembers: its newest ids, oldest first. `complete`: it has no others.
    pub(crate) fn load(&self, recent: &[(IdKey, Seq)], complete: bool) {
        let covered = recent.first().filter(|_| !complete).map(|(_, seq)| *seq);
        for shard in &self.shards {
            shard.lock().covered = covered;
        }
        for (key, seq) in recent {
            self.shard(*key).lock().add(*key, Place::Stored(*seq));
        }
    }

    /// Puts down a place in the batch of `claim` and says what else is known of the key; or says whose answer must be
    /// awaited first.
    pub(crate) fn claim(&self, key: IdKey, claim: &Arc<Claim>, position: u32) -> Result<Known, Arc<Claim>> {
        let mut shard = self.shard(key).lock();
        let known = shard.known(key, claim)?;
        shard.add(key, Place::Claimed(Arc::clone(claim), position));
        Ok(known)
    }

    /// Takes one place back.
    pub(crate) fn release(&self, key: IdKey, claim: &Arc<Claim>, position: u32) {
        let own = |place: &Place| matches!(place, Place::Claimed(other, at) if Arc::ptr_eq(other, claim) && *at == position);
        self.shard(key).lock().remove(key, own);
    }

    /// Replaces the place of a settled claim by its seq, so that the claim need not be kept.
    pub(crate) fn compact(&self, key: IdKey, claim: &Arc<Claim>, position: u32) {
        let mut shard = self.shard(key).lock();
        for generation in &mut shard.generations {
            for place in generation.places_mut(key) {
                if let Place::Claimed(other, at) = place
                    && Arc::ptr_eq(other, claim)
                    && *at == position
                    && let Status::Stored(seq) = claim.status(position)
                {
                    *place = Place::Stored(seq);
                }
            }
        }
    }

    fn shard(&self, key: IdKey) -> &Mutex<Shard> {
        // The map inside uses the low and the highest bits.
        let index = (key.0 >> 32) as usize % SHARDS;
        &self.shards[index]
    }
}

#[cfg(test)]
mod tests;
