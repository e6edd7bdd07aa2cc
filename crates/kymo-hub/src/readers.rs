//! Who reads now, and how far each one is.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use kymo_event::Seq;
use parking_lot::Mutex;

use crate::lull::Lull;

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
    /// Where it waits, or waited last.
    lull: Mutex<Option<Arc<Lull>>>,
}

impl ReaderStatus {
    /// Where it is in the order of all readers there ever were; begins anew after billions.
    pub(crate) fn turn(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "a turn in a circle")]
        let turn = self.number as u32;
        turn
    }

    /// It has been given everything there is, and waits in `lull` from now on.
    pub(crate) fn waits(&self, lull: Arc<Lull>) {
        *self.lull.lock() = Some(lull);
    }

    /// The first seq that may be for it after its lull; see [`Lull::passed`].
    pub(crate) fn passed(&self, looked: Seq) -> Option<Seq> {
        self.lull.lock().as_ref().map(|lull| lull.passed(looked))
    }

    pub(crate) fn set(&self, cursor: u64, live: bool) {
        self.cursor.store(cursor, Relaxed);
        self.live.store(live, Relaxed);
    }

    fn info(&self, head: u64, looked: Seq) -> ReaderInfo {
        let passed = self.passed(looked).map_or(0, |next| next.get() - 1);
        let cursor = self.cursor.load(Relaxed).max(passed);
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
            lull: Mutex::new(None),
        });
        self.open.lock().insert(status.number, Arc::clone(&status));
        status
    }

    pub(crate) fn leave(&self, status: &ReaderStatus) {
        self.open.lock().remove(&status.number);
    }

    /// Everyone, longest there first; `looked` was drawn before.
    pub(crate) fn infos(&self, head: u64, looked: Seq) -> Vec<ReaderInfo> {
        let mut open: Vec<_> = self.open.lock().values().cloned().collect();
        open.sort_unstable_by_key(|status| status.number);
        open.iter().map(|status| status.info(head, looked)).collect()
    }
}
