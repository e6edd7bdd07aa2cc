//! One part of the table of ids: two generations of keys, the older one dropped when the newer one is full.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use kymo_event::{IdKey, Seq};

use super::{Claim, Identity, Known, Status, repeats::Original};

/// Of each id, so many events from before the start are compared; the newest, because repeats come soon.
pub(super) const COMPARED_MAX: usize = 16;

/// The content of an event from before the start: nobody has read it yet.
const UNREAD: u64 = 0;

/// Where an event is.
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

    pub(super) fn is_stored(&self) -> bool {
        matches!(self.status(), Status::Stored(_))
    }

    /// Whether it is this place in the batch of this claim.
    pub(super) fn is(&self, claim: &Arc<Claim>, position: u32) -> bool {
        matches!(self, Self::Claimed(other, at) if Arc::ptr_eq(other, claim) && *at == position)
    }
}

#[derive(Default)]
pub(super) struct Shard {
    /// Newer, older.
    generations: [Generation; 2],
    generation_max: usize,
    /// The older generation is dropped when the newer one holds so many.
    turn_at: usize,
    /// Ids of events below are not all here.
    pub(super) covered: Option<Seq>,
}

/// Keys and contents are hashes already.
type Hashed<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

#[derive(Default)]
struct Generation {
    /// The first event with each id.
    firsts: Hashed<IdKey, First>,
    /// Further ones: the same id with other content, by content (which the id is a part of).
    others: Hashed<u64, Place>,
    /// Further ones from before the start, by id.
    unread: Hashed<IdKey, Vec<Seq>>,
}

struct First {
    place: Place,
    content: u64,
}

impl Shard {
    /// Drops its older half whenever so many newer ones are there.
    pub(super) fn new(generation_max: usize) -> Self {
        Self {
            generation_max,
            turn_at: generation_max,
            ..Self::default()
        }
    }

    /// How much is held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.generations.iter().map(Generation::len).sum()
    }

    /// What is known of an event beside one's own claim; or the claim whose answer must be awaited first.
    pub(super) fn known(&mut self, identity: Identity, own: &Arc<Claim>) -> Result<Known, Arc<Claim>> {
        let mut known = Known {
            covered: self.covered,
            ..Known::default()
        };
        let mut failed = false;
        for generation in &self.generations {
            if let Some(first) = generation.firsts.get(&identity.key) {
                match (first.content, first.place.status()) {
                    (_, Status::Failed) => failed = true,
                    (UNREAD, Status::Stored(seq)) => known.unread.push(seq),
                    (content, _) if content == identity.content => known.set(&first.place, own)?,
                    _ => known.reused = true,
                }
            }
            match generation.others.get(&identity.content) {
                Some(place) if place.status() == Status::Failed => failed = true,
                Some(place) => known.set(place, own)?,
                None => {}
            }
            known
                .unread
                .extend(generation.unread.get(&identity.key).into_iter().flatten());
        }
        if failed {
            self.remove(identity, |place| place.status() == Status::Failed);
        }
        Ok(known)
    }

    pub(super) fn remove(&mut self, identity: Identity, which: impl Fn(&Place) -> bool) {
        for generation in &mut self.generations {
            if let Entry::Occupied(first) = generation.firsts.entry(identity.key)
                && first.get().content == identity.content
                && which(&first.get().place)
            {
                first.remove();
            }
            if let Entry::Occupied(other) = generation.others.entry(identity.content)
                && which(other.get())
            {
                other.remove();
            }
        }
    }

    /// Changes the place of an event where it is this one.
    pub(super) fn replace(&mut self, identity: Identity, which: impl Fn(&Place) -> bool, by: &Place) {
        for generation in &mut self.generations {
            let first = generation.firsts.get_mut(&identity.key);
            let first = first.filter(|first| first.content == identity.content);
            let first = first.map(|first| &mut first.place);
            let other = generation.others.get_mut(&identity.content);
            for place in first.into_iter().chain(other).filter(|place| which(place)) {
                *place = by.clone();
            }
        }
    }

    pub(super) fn add(&mut self, identity: Identity, place: Place) {
        self.make_room();
        self.generations[0].add(identity, place);
    }

    /// Adds an event from before the start, of which only the id is known.
    pub(super) fn add_unread(&mut self, key: IdKey, seq: Seq) {
        self.make_room();
        let newer = &mut self.generations[0];
        match newer.firsts.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(First {
                    place: Place::Stored(seq),
                    content: UNREAD,
                });
            }
            Entry::Occupied(_) => {
                let unread = newer.unread.entry(key).or_default();
                if unread.len() >= COMPARED_MAX {
                    unread.remove(0);
                }
                unread.push(seq);
            }
        }
    }

    /// Drops the older generation when the newer one is full, but for what is still being stored.
    fn make_room(&mut self) {
        if self.generations[0].len() < self.turn_at {
            return;
        }
        let newer = std::mem::take(&mut self.generations[0]);
        let dropped = std::mem::replace(&mut self.generations[1], newer);
        let mut covered = self.covered;
        let newer = &mut self.generations[0];
        for (key, First { place, content }) in dropped.firsts {
            match place.status() {
                Status::Stored(seq) => covered = covered.max(Some(seq.next())),
                Status::Pending => newer.add(Identity { key, content }, place),
                Status::Failed => {}
            }
        }
        for (content, place) in dropped.others {
            match place.status() {
                Status::Stored(seq) => covered = covered.max(Some(seq.next())),
                Status::Pending => drop(newer.others.insert(content, place)),
                Status::Failed => {}
            }
        }
        // What is still being stored may fill a generation by itself; it must not be carried over for every new one.
        self.turn_at = self.generation_max.max(2 * newer.len());
        let unread = dropped.unread.into_values().flatten().max();
        self.covered = covered.max(unread.map(Seq::next));
    }
}

impl Generation {
    fn len(&self) -> usize {
        self.firsts.len() + self.others.len() + self.unread.len()
    }

    fn add(&mut self, identity: Identity, place: Place) {
        let Identity { key, content } = identity;
        match self.firsts.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(First { place, content })),
            Entry::Occupied(_) => drop(self.others.insert(content, place)),
        }
    }
}

impl Known {
    fn set(&mut self, place: &Place, own: &Arc<Claim>) -> Result<(), Arc<Claim>> {
        let likely = match place {
            Place::Claimed(claim, position) if Arc::ptr_eq(claim, own) => Original::Here(*position),
            Place::Stored(seq) => Original::Stored(*seq),
            Place::Claimed(claim, position) => match claim.seq(*position) {
                Some(seq) => Original::Stored(seq),
                None => return Err(Arc::clone(claim)),
            },
        };
        self.likely.get_or_insert(likely);
        Ok(())
    }
}

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
