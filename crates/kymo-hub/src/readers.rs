//! Who reads now, and how far each one is.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

/// A reader and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReaderInfo {
    /// Number of the feed.
    pub feed: u32,
    /// Who.
    pub principal: String,
    /// What it asked for.
    pub filter: String,
    /// Newest seq it was given or that did not match; 0 before the first.
    pub cursor: u64,
    /// How far behind the head.
    pub lag_events: u64,
    /// `live`, `catching_up`.
    pub state: &'static str,
}

/// What one reader says of itself.
#[derive(Debug)]
pub(crate) struct ReaderStatus {
    number: u64,
    feed: u32,
    principal: Arc<str>,
    filter: Box<str>,
    cursor: AtomicU64,
    live: AtomicBool,
}

impl ReaderStatus {
    pub(crate) fn set(&self, cursor: u64, live: bool) {
        self.cursor.store(cursor, Relaxed);
        self.live.store(live, Relaxed);
    }

    fn info(&self, head: u64) -> ReaderInfo {
        let cursor = self.cursor.load(Relaxed);
        ReaderInfo {
            feed: self.feed,
            principal: self.principal.to_string(),
            filter: self.filter.to_string(),
            cursor,
            lag_events: head.saturating_sub(cursor),
            state: if self.live.load(Relaxed) {
                "live"
            } else {
                "catching_up"
            },
        }
    }
}

/// All readers of the hub.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    open: Mutex<HashMap<u64, Arc<ReaderStatus>>>,
    numbered: AtomicU64,
}

impl Readers {
    pub(crate) fn enter(
        &self,
        feed: u32,
        principal: Arc<str>,
        filter: &str,
        cursor: u64,
    ) -> Arc<ReaderStatus> {
        let status = Arc::new(ReaderStatus {
            number: self.numbered.fetch_add(1, Relaxed),
            feed,
            principal,
            filter: filter.into(),
            cursor: AtomicU64::new(cursor),
            live: AtomicBool::new(false),
        });
        self.open.lock().insert(status.number, Arc::clone(&status));
        status
    }

    pub(crate) fn leave(&self, status: &ReaderStatus) {
        self.open.lock().remove(&status.number);
    }

    /// Everyone, longest there first.
    pub(crate) fn infos(&self, head: u64) -> Vec<ReaderInfo> {
        let mut open: Vec<_> = self.open.lock().values().cloned().collect();
        open.sort_unstable_by_key(|status| status.number);
        open.iter().map(|status| status.info(head)).collect()
    }
}
