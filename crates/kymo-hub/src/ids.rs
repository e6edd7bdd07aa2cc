//! Idempotency: which (source, id) was stored where, or is being stored this moment.
//!
//! A batch puts down a claim for each of its ids before it is handed to the writer. The claim is settled by the
//! writer's answer, also when nobody waits for it any more, so that the same event sent twice at once is stored once.
//! Equal keys are only candidates: whether an event is a repeat is decided by its content (`repeats.rs`).
//!
//! The table holds the newest ids in two generations per shard: when the newer one is full the older one is dropped,
//! and what it held is below `covered`, where the ledger's own index answers.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, OnceLock},
};

use kymo_event::{IdKey, Seq};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) mod repeats;
mod stored;

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
        let shard = || {
            Mutex::new(Shard {
                generation_max: (ids_max / 2 / SHARDS).max(1),
                ..Shard::default()
            })
        };
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

/// The answer a batch waits for, seen by everybody who has the same ids.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// The first seq, or that nothing was stored.
    outcome: OnceLock<Option<Seq>>,
    /// Positions that were left out of the batch before it was handed over, rising.
    left_out: OnceLock<Box<[u32]>>,
    settled: Notify,
}

#[derive(Debug, PartialEq, Eq)]
enum Status {
    Pending,
    Stored(Seq),
    Failed,
}

impl Claim {
    /// Says which positions are repeats and not handed over.
    pub(crate) fn leave_out(&self, positions: Box<[u32]>) {
        self.left_out
            .set(positions)
            .expect("a batch is cleared of repeats once");
    }

    /// The writer's answer: the first seq, or that nothing was stored.
    pub(crate) fn settle(&self, first: Option<Seq>) {
        // The guard settles again what was settled before: the first answer stands.
        let _ = self.outcome.set(first);
        self.settled.notify_waiters();
    }

    /// Waits for the answer.
    pub(crate) async fn wait(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.outcome.get().is_some() {
                return;
            }
            settled.await;
        }
    }

    /// Where an event of the batch is, once that is known.
    pub(crate) fn seq(&self, position: u32) -> Option<Seq> {
        match self.status(position) {
            Status::Stored(seq) => Some(seq),
            Status::Pending | Status::Failed => None,
        }
    }

    fn status(&self, position: u32) -> Status {
        match self.outcome.get() {
            None => Status::Pending,
            Some(None) => Status::Failed,
            Some(Some(first)) => {
                let left_out = self.left_out.get().map_or(&[][..], |positions| positions);
                let before = left_out.partition_point(|left_out| *left_out < position);
                Status::Stored(first.plus(u64::from(position) - before as u64))
            }
        }
    }
}

/// Settles a claim as failed when it is dropped unanswered, so that nobody waits for ever.
#[derive(Debug)]
pub(crate) struct ClaimGuard(pub(crate) Arc<Claim>);

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        self.0.settle(None);
    }
}

/// Where an event with some key is.
#[derive(Debug, Clone)]
enum Place {
    Stored(Seq),
    Claimed(Arc<Claim>, u32),
}

impl Place {
    fn status(&self) -> Status {
        match self {
            Self::Stored(seq) => Status::Stored(*seq),
            Self::Claimed(claim, position) => claim.status(*position),
        }
    }
}

#[derive(Default)]
struct Shard {
    /// Newer, older.
    generations: [Generation; 2],
    generation_max: usize,
    /// Ids of events below are not all here.
    covered: Option<Seq>,
}

#[derive(Default)]
struct Generation {
    /// The first place of each key.
    places: HashMap<IdKey, Place, BuildHasherDefault<KeyHasher>>,
    /// Further places: the same id with other content.
    more: HashMap<IdKey, Vec<Place>, BuildHasherDefault<KeyHasher>>,
}

impl Generation {
    fn places_mut(&mut self, key: IdKey) -> impl Iterator<Item = &mut Place> {
        let first = self.places.get_mut(&key).into_iter();
        first.chain(self.more.get_mut(&key).into_iter().flatten())
    }

    fn places(&self, key: IdKey) -> impl Iterator<Item = &Place> {
        let first = self.places.get(&key).into_iter();
        // Almost always empty, and then not worth a hash.
        let more = (!self.more.is_empty()).then(|| self.more.get(&key)).flatten();
        first.chain(more.into_iter().flatten())
    }

    fn remove(&mut self, key: IdKey, which: impl Fn(&Place) -> bool) {
        if let Some(more) = self.more.get_mut(&key) {
            more.retain(|place| !which(place));
        }
        if self.places.get(&key).is_some_and(which) {
            match self.more.get_mut(&key).and_then(Vec::pop) {
                Some(other) => self.places.insert(key, other),
                None => self.places.remove(&key),
            };
        }
        if self.more.get(&key).is_some_and(Vec::is_empty) {
            self.more.remove(&key);
        }
    }
}

impl Shard {
    fn known(&mut self, key: IdKey, own: &Arc<Claim>) -> Result<Known, Arc<Claim>> {
        let mut known = Known {
            covered: self.covered,
            ..Known::default()
        };
        let mut failed = false;
        for place in self
            .generations
            .iter()
            .flat_map(|generation| generation.places(key))
        {
            match place {
                Place::Claimed(claim, position) if Arc::ptr_eq(claim, own) => known.here.push(*position),
                _ => match (place.status(), place) {
                    (Status::Stored(seq), _) => known.stored.push(seq),
                    (Status::Pending, Place::Claimed(other, _)) => return Err(Arc::clone(other)),
                    _ => failed = true,
                },
            }
        }
        if failed {
            self.remove(key, |place| place.status() == Status::Failed);
        }
        Ok(known)
    }

    fn remove(&mut self, key: IdKey, which: impl Fn(&Place) -> bool) {
        for generation in &mut self.generations {
            generation.remove(key, &which);
        }
    }

    fn add(&mut self, key: IdKey, place: Place) {
        if self.generations[0].places.len() >= self.generation_max {
            self.turn();
        }
        let newer = &mut self.generations[0];
        match newer.places.entry(key) {
            std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert(place)),
            std::collections::hash_map::Entry::Occupied(_) => newer.more.entry(key).or_default().push(place),
        }
    }

    /// Drops the older generation, but for what is still being stored.
    fn turn(&mut self) {
        let newer = std::mem::take(&mut self.generations[0]);
        let dropped = std::mem::replace(&mut self.generations[1], newer);
        let first = dropped.places.into_iter();
        let more = dropped
            .more
            .into_iter()
            .flat_map(|(key, places)| places.into_iter().map(move |place| (key, place)));
        for (key, place) in first.chain(more) {
            match place.status() {
                Status::Stored(seq) => self.covered = self.covered.max(Some(seq.next())),
                Status::Pending => self.generations[0].more.entry(key).or_default().push(place),
                Status::Failed => {}
            }
        }
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests;
