//! Reads of the ledger for readers that are behind: few at once, in bounded slices, shared where readers share a feed.
//!
//! When hundreds of readers of one feed fall behind together they want the same frames at about the same time. The
//! shelf keeps the newest slices by feed and first seq, so that one read serves them all; whoever begins in the middle
//! of a frame on the shelf reads up to its end and is in step from there.

use std::sync::Arc;

use kymo_event::Seq;
use kymo_ledger::{Gap, Ledger, Reader};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{HubSettings, frames::Frame};

mod pipeline;
mod shelf;
mod slices;

pub(crate) use pipeline::Pipeline;

/// Readers that may have a slice read before they ask for it.
const READING_AHEAD_MAX: usize = 8;

/// One thing a slice of the ledger holds.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Events from `from` to the frame's `to`.
    Frame {
        /// First seq that was looked at.
        from: Seq,
        /// What the feed gets.
        frame: Frame,
    },
    /// Events that are gone, from `from` on.
    Gap {
        /// Where the read stood.
        from: Seq,
        /// What is gone.
        gap: Gap,
    },
}

impl Item {
    fn from(&self) -> Seq {
        match self {
            Self::Frame { from, .. } | Self::Gap { from, .. } => *from,
        }
    }

    fn next(&self) -> Seq {
        match self {
            Self::Frame { frame, .. } => frame.to.next(),
            Self::Gap { gap, .. } => gap.first,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Frame { frame, .. } => frame.bytes.as_ref().map_or(0, bytes::Bytes::len),
            Self::Gap { .. } => 0,
        }
    }
}

/// An open reader left behind by a slice; whoever goes on first takes it.
type LeftReader = Arc<Mutex<Option<Reader>>>;

/// Some of the ledger, as one feed gets it. Never empty.
#[derive(Clone)]
struct Slice {
    items: Arc<[Item]>,
    reader: LeftReader,
}

/// Why a slice is not there, for people.
pub(crate) type ReadFailure = Arc<str>;

/// The bounded pool of reads and the shelf of their results.
pub(crate) struct CatchUp {
    ledger: Ledger,
    frame_bytes_max: usize,
    reads: Arc<Semaphore>,
    ahead: Arc<Semaphore>,
    shelf: Mutex<shelf::Shelf>,
}

impl CatchUp {
    pub(crate) fn new(settings: &HubSettings, ledger: Ledger) -> Self {
        Self {
            ledger,
            frame_bytes_max: settings.frame_bytes_max,
            reads: Arc::new(Semaphore::new(settings.catchup_reads_max.max(1))),
            ahead: Arc::new(Semaphore::new(READING_AHEAD_MAX)),
            shelf: Mutex::new(shelf::Shelf::new(settings.catchup_bytes_max)),
        }
    }

    /// Nobody reads this feed any more.
    pub(crate) fn forget(&self, feed: u32) {
        self.shelf.lock().forget(feed);
    }

    /// Runs a blocking read once it is its turn.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> T {
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let ledger = self.ledger.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&ledger)
        });
        match done.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down, and whoever waits here with it.
            Err(_) => std::future::pending().await,
        }
    }
}
