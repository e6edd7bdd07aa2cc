//! One part of the table of ids: two generations of keys, the older one dropped when the newer one is full.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use kymo_event::{IdKey, Seq};

use super::{Claim, Known, Status};

/// Where an event with some key is.
#[derive(Debug, Clone)]
pub(super) enum Place {
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
pub(super) struct Shard {
    /// Newer, older.
    pub(super) generations: [Generation; 2],
    generation_max: usize,
    /// Ids of events below are not all here.
    pub(super) covered: Option<Seq>,
}

#[derive(Default)]
pub(super) struct Generation {
    /// The first place of each key.
    pub(super) places: HashMap<IdKey, Place, BuildHasherDefault<KeyHasher>>,
    /// Further places: the same id with other content.
    more: HashMap<IdKey, Vec<Place>, BuildHasherDefault<KeyHasher>>,
}

impl Generation {
    pub(super) fn places_mut(&mut self, key: IdKey) -> impl Iterator<Item = &mut Place> {
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
    /// Drops its older half whenever so many newer ids are there.
    pub(super) fn new(generation_max: usize) -> Self {
        Self {
            generation_max,
            ..Self::default()
        }
    }

    /// What is known of a key beside one's own claim; or the claim whose answer must be awaited first.
    pub(super) fn known(&mut self, key: IdKey, own: &Arc<Claim>) -> Result<Known, Arc<Claim>> {
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

    pub(super) fn remove(&mut self, key: IdKey, which: impl Fn(&Place) -> bool) {
        for generation in &mut self.generations {
            generation.remove(key, &which);
        }
    }

    pub(super) fn add(&mut self, key: IdKey, place: Place) {
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
pub(super) struct KeyHasher(u64);

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
