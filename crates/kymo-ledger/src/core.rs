//! What the parts of an open ledger share.

use std::sync::Arc;

use kymo_event::LedgerId;
use parking_lot::Mutex;

use crate::{
    LedgerSettings, OnCommit,
    clock::Clock,
    disk::Disk,
    folder::{Folder, Identity},
    notices::Notices,
    queue::Queue,
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
    pub(crate) notices: Arc<Notices>,
    pub(crate) on_commit: Mutex<Option<OnCommit>>,
}
