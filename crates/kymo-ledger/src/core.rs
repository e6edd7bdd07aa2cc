//! What the parts of an open ledger share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use kymo_event::LedgerId;
use parking_lot::Mutex;

use crate::{
    LedgerSettings, OnCommit,
    buffers::Buffers,
    clock::Clock,
    disk::Disk,
    folder::{Folder, Identity},
    indexer::Feed,
    notices::Notices,
    queue::Queue,
    reader::Source,
    segments::Segments,
};

/// Shared by the handle, the writer and the indexer.
pub(crate) struct Core {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) folder: Folder,
    pub(crate) settings: LedgerSettings,
    pub(crate) id: LedgerId,
    pub(crate) identity: Mutex<Identity>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) queue: Queue,
    pub(crate) feed: Feed,
    pub(crate) notices: Arc<Notices>,
    /// Retention keeps segments with events from here on, whatever the settings.
    pub(crate) needed_from: AtomicU64,
    /// Whether it would have removed one of those.
    pub(crate) held_back: AtomicBool,
    /// Retention and compression are done by one at a time.
    pub(crate) maintenance: Mutex<()>,
    /// What readers read into.
    pub(crate) read_buffers: Buffers,
    pub(crate) on_commit: Mutex<Option<OnCommit>>,
}

impl Core {
    pub(crate) fn needed_from(&self) -> u64 {
        self.needed_from.load(Ordering::Relaxed)
    }

    pub(crate) fn source(&self) -> Source {
        Source {
            segments: self.segments.clone(),
            notices: self.notices.clone(),
            buffers: self.read_buffers.clone(),
        }
    }
}
