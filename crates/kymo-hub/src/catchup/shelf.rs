//! The newest slices of feeds with several readers, so that one read serves them all.

use std::collections::{BTreeMap, VecDeque};

use kymo_event::Seq;
use tokio::sync::watch;

use super::{Item, LeftReader, Slice, slices::Pending};

type Key = (u32, Seq);

/// Slices by feed and first seq, bounded in bytes; the oldest go first.
pub(super) struct Shelf {
    slices: BTreeMap<Key, Shelved>,
    order: VecDeque<Key>,
    bytes: usize,
    bytes_max: usize,
}

enum Shelved {
    Reading(Pending),
    Ready(Slice),
}

/// Who reads what is not on the shelf.
pub(super) enum Claim {
    /// Somebody does already.
    Pending(Pending),
    /// The caller, up to here if given: there a frame on the shelf ends.
    Read { limit: Option<Seq> },
}

impl Shelf {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            slices: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Items from exactly `from` on.
    pub(super) fn find(&self, feed: u32, from: Seq) -> Option<(Vec<Item>, LeftReader)> {
        let slice = self.before(feed, from)?;
        let at = slice.items.iter().position(|item| item.from() == from)?;
        Some((slice.items[at..].to_vec(), slice.reader.clone()))
    }

    /// Puts the caller down as the one who reads, unless somebody does already.
    pub(super) fn claim(&mut self, feed: u32, from: Seq, pending: &Pending) -> Claim {
        match self.slices.get(&(feed, from)) {
            Some(Shelved::Reading(other)) if other.has_changed().is_ok() => {
                return Claim::Pending(other.clone());
            }
            Some(Shelved::Ready(slice)) => return Claim::Pending(watch::channel(Some(Ok(slice.clone()))).1),
            _ => {}
        }
        let limit = self.before(feed, from).and_then(|slice| {
            let around = slice.items.iter().find(|item| item.next() > from)?;
            around.next().prev()
        });
        self.slices
            .insert((feed, from), Shelved::Reading(pending.clone()));
        Claim::Read { limit }
    }

    /// The outcome of a claimed read; `None` when it failed.
    pub(super) fn put(&mut self, feed: u32, from: Seq, slice: Option<&Slice>) {
        let Some(slice) = slice else {
            self.slices.remove(&(feed, from));
            return;
        };
        self.bytes += bytes_of(slice);
        self.slices.insert((feed, from), Shelved::Ready(slice.clone()));
        self.order.push_back((feed, from));
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.remove(oldest);
        }
    }

    /// Nobody reads this feed any more.
    pub(super) fn forget(&mut self, feed: u32) {
        while let Some(position) = self.order.iter().position(|(other, _)| *other == feed) {
            let key = self.order.remove(position).expect("it was found there");
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(Shelved::Ready(slice)) = self.slices.remove(&key) {
            self.bytes -= bytes_of(&slice);
        }
    }

    /// The slice that begins at or before `from`, if it reaches so far.
    fn before(&self, feed: u32, from: Seq) -> Option<&Slice> {
        let slices = self.slices.range((feed, Seq::FIRST)..=(feed, from)).rev();
        let nearest = slices.filter_map(|(_, shelved)| match shelved {
            Shelved::Ready(slice) => Some(slice),
            Shelved::Reading(_) => None,
        });
        nearest
            .take(1)
            .find(|slice| slice.items.last().is_some_and(|item| item.next() > from))
    }
}

fn bytes_of(slice: &Slice) -> usize {
    slice
        .items
        .iter()
        .map(|item| item.bytes() + size_of::<Item>())
        .sum()
}
