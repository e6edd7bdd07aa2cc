//! Idempotency: which event (source, id and content) was stored where, or is being stored this moment.
//!
//! A batch puts down a claim for each of its events with an id before it is handed to the writer. The claim is settled
//! by the writer's answer, also when nobody waits for it any more, so that the same event sent twice at once is stored
//! once. What the table says is only likely: whether an event is a repeat is decided by its bytes (`repeats.rs`), all but the mark of the past.
//!
//! The table holds the newest ids in two generations per shard: when the newer one is full the older one is dropped,
//! and what it held is below `covered`, where the ledger's own index answers. An id that is used for many different
//! events costs no more than as many ids.

use std::sync::Arc;

use kymo_event::{Content, IdKey, Seq};
use parking_lot::Mutex;

mod claims;
pub(crate) mod repeats;
pub(crate) mod round;
mod shards;
mod stored;

use claims::Status;
pub(crate) use claims::{Claim, ClaimGuard};
use repeats::Original;
use shards::{Place, Shard};

const SHARDS: usize = 16;

/// The newest ids.
pub(crate) struct Ids {
    shards: Box<[Mutex<Shard>]>,
}

/// Which event: its id within its source, and that together with its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) key: IdKey,
    pub(crate) content: u64,
}

impl Identity {
    pub(crate) fn of(key: IdKey, content: Content<'_>) -> Self {
        Self {
            key,
            // Zero stands for a content that nobody has read.
            content: content.hash(key.0).max(1),
        }
    }
}

/// What is known of an event, beside the caller's own claim.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Where it very likely is.
    pub(crate) likely: Option<Original>,
    /// Events with the same id from before the start: nobody has read them yet.
    pub(crate) unread: Vec<Seq>,
    /// There is an event with the same id and other content.
    pub(crate) reused: bool,
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

    /// Takes what a ledger remembers: its newest ids, oldest first. Events below `covered` may have others.
    pub(crate) fn load(&self, recent: &[(IdKey, Seq)], covered: Option<Seq>) {
        for shard in &self.shards {
            shard.lock().covered = covered;
        }
        for (key, seq) in recent {
            self.shard(*key).lock().add_unread(*key, *seq);
        }
    }

    /// Says what is known of an event, and puts down a place in the batch of `claim` unless it is likely a repeat; or
    /// says whose answer must be awaited first.
    pub(crate) fn claim(
        &self,
        identity: Identity,
        claim: &Arc<Claim>,
        position: u32,
    ) -> Result<Known, Arc<Claim>> {
        let mut shard = self.shard(identity.key).lock();
        let known = shard.known(identity, claim)?;
        if known.likely.is_none() {
            shard.add(identity, Place::Claimed(Arc::clone(claim), position));
        }
        Ok(known)
    }

    /// What was likely a repeat is none: puts down a place after all, instead of what was there.
    pub(crate) fn claim_anyway(&self, identity: Identity, claim: &Arc<Claim>, position: u32) {
        let mut shard = self.shard(identity.key).lock();
        shard.remove(identity, Place::is_stored);
        shard.add(identity, Place::Claimed(Arc::clone(claim), position));
    }

    /// Takes a place back.
    pub(crate) fn release(&self, identity: Identity, claim: &Arc<Claim>, position: u32) {
        let own = |place: &Place| place.is(claim, position);
        self.shard(identity.key).lock().remove(identity, own);
    }

    /// The event was found to be stored here already.
    pub(crate) fn found(&self, identity: Identity, claim: &Arc<Claim>, position: u32, seq: Seq) {
        let own = |place: &Place| place.is(claim, position);
        let mut shard = self.shard(identity.key).lock();
        shard.replace(identity, own, &Place::Stored(seq));
    }

    fn shard(&self, key: IdKey) -> &Mutex<Shard> {
        // The map inside uses the low and the highest bits.
        let index = (key.0 >> 32) as usize % SHARDS;
        &self.shards[index]
    }
}

#[cfg(test)]
mod tests;
