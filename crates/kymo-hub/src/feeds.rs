//! Feeds: readers with the same effective filter and encoder, who share every frame and wait together.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use kymo_event::{Filter, Seq};
use parking_lot::Mutex;

use crate::{Encoder, lull::Lull, ring::Chunk};

mod wants;

use wants::Wants;

/// One filter in one encoding, with the number its frames carry.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) number: u32,
    pub(crate) filter: Filter,
    pub(crate) encoder: Arc<dyn Encoder>,
    readers: AtomicUsize,
    /// The newest frame without events; readers who wait together are told the same cursor.
    empty: Mutex<Option<(Seq, Bytes)>>,
    /// The lull that its readers wait in, if they do.
    lull: Mutex<Option<Arc<Lull>>>,
}

impl Feed {
    fn new(number: u32, filter: Filter, encoder: Arc<dyn Encoder>) -> Self {
        Self {
            number,
            filter,
            encoder,
            readers: AtomicUsize::new(0),
            empty: Mutex::new(None),
            lull: Mutex::new(None),
        }
    }

    /// Whether keeping a frame can serve anybody else.
    pub(crate) fn is_shared(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 1
    }

    /// The frame that moves the cursor and brings nothing.
    pub(crate) fn empty_frame(&self, cursor: Seq) -> Bytes {
        let mut newest = self.empty.lock();
        if let Some((at, bytes)) = &*newest
            && *at == cursor
        {
            return bytes.clone();
        }
        let bytes = self.frame_of_nothing(cursor);
        *newest = Some((cursor, bytes.clone()));
        bytes
    }

    /// Where to wait from now on.
    pub(crate) fn lull(&self) -> Arc<Lull> {
        Arc::clone(self.lull.lock().get_or_insert_default())
    }

    /// Whether anybody waits.
    fn is_waited_for(&self) -> bool {
        let mut lull = self.lull.lock();
        // Nobody can join meanwhile: the lock is held.
        lull.take_if(|lull| Arc::strong_count(lull) == 1);
        lull.is_some()
    }

    /// Wakes who waits; before `until` there was nothing for them.
    fn wake(&self, until: Seq) {
        let lull = self.lull.lock().take();
        if let Some(lull) = lull {
            lull.end(until);
        }
    }
}

type Key = (String, String);

/// All feeds that have readers.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    open: Mutex<Open>,
    numbered: AtomicU32,
}

#[derive(Debug, Default)]
struct Open {
    feeds: HashMap<Key, Arc<Feed>>,
    wants: Wants,
}

impl Feeds {
    /// The feed of this filter and encoder; counts the caller as its reader.
    pub(crate) fn join(&self, filter: Filter, encoder: Arc<dyn Encoder>) -> Arc<Feed> {
        let mut open = self.open.lock();
        let Open { feeds, wants } = &mut *open;
        let key = (filter.canonical().to_owned(), encoder.name().to_owned());
        let feed = feeds.entry(key).or_insert_with(|| {
            let number = self.numbered.fetch_add(1, Ordering::Relaxed) + 1;
            let feed = Arc::new(Feed::new(number, filter, encoder));
            wants.add(&feed);
            feed
        });
        feed.readers.fetch_add(1, Ordering::Relaxed);
        Arc::clone(feed)
    }

    /// The caller reads it no more; returns whether it was the last.
    pub(crate) fn leave(&self, feed: &Feed) -> bool {
        let mut open = self.open.lock();
        let last = feed.readers.fetch_sub(1, Ordering::Relaxed) == 1;
        if last {
            let key = (feed.filter.canonical().to_owned(), feed.encoder.name().to_owned());
            open.feeds.remove(&key);
            open.wants.remove(feed);
        }
        last
    }

    /// Wakes all who wait, before `until` there having been nothing for them.
    pub(crate) fn wake_all(&self, until: Seq) {
        let open = self.open.lock();
        open.feeds.values().for_each(|feed| feed.wake(until));
    }

    /// The same, if there are at most so many feeds and nobody else is at them; returns whether it was done.
    pub(crate) fn wake_few(&self, most: usize, until: Seq) -> bool {
        let Some(open) = self.open.try_lock().filter(|open| open.feeds.len() <= most) else {
            return false;
        };
        open.feeds.values().for_each(|feed| feed.wake(until));
        true
    }

    /// Wakes those for whom there may be something from `from` on in these chunks; all, when that takes more than
    /// `budget` looks to find out.
    pub(crate) fn wake_those_for(&self, chunks: &[Arc<Chunk>], from: Seq, budget: usize) {
        let open = self.open.lock();
        if open.wants.wake_those_for(chunks, from, budget).is_none() {
            open.feeds.values().for_each(|feed| feed.wake(from));
        }
    }
}
