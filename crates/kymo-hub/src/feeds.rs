//! Feeds: readers with the same effective filter and encoder, who share every frame.

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

use crate::Encoder;

/// One filter in one encoding, with the number its frames carry.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) number: u32,
    pub(crate) filter: Filter,
    pub(crate) encoder: Arc<dyn Encoder>,
    readers: AtomicUsize,
    /// The newest frame without events; readers who wait together are told the same cursor.
    empty: Mutex<Option<(Seq, Bytes)>>,
}

impl Feed {
    fn new(number: u32, filter: Filter, encoder: Arc<dyn Encoder>) -> Self {
        Self {
            number,
            filter,
            encoder,
            readers: AtomicUsize::new(0),
            empty: Mutex::new(None),
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
}

type Key = (String, String);

/// All feeds that have readers.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    open: Mutex<HashMap<Key, Arc<Feed>>>,
    numbered: AtomicU32,
}

impl Feeds {
    /// The feed of this filter and encoder; counts the caller as its reader.
    pub(crate) fn join(&self, filter: Filter, encoder: Arc<dyn Encoder>) -> Arc<Feed> {
        let mut open = self.open.lock();
        let key = (filter.canonical().to_owned(), encoder.name().to_owned());
        let feed = open.entry(key).or_insert_with(|| {
            let number = self.numbered.fetch_add(1, Ordering::Relaxed) + 1;
            Arc::new(Feed::new(number, filter, encoder))
        });
        feed.readers.fetch_add(1, Ordering::Relaxed);
        Arc::clone(feed)
    }

    /// The caller reads it no more; returns whether it was the last.
    pub(crate) fn leave(&self, feed: &Feed) -> bool {
        let mut open = self.open.lock();
        let last = feed.readers.fetch_sub(1, Ordering::Relaxed) == 1;
        if last {
            open.retain(|_, other| other.number != feed.number);
        }
        last
    }
}
