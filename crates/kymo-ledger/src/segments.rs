//! All segments of a ledger in order, and the durable head no reader passes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::RwLock;

use crate::segment::Segment;

/// The segments, oldest first. Each reaches up to the next one's first seq; what is missing in between is a hole.
pub(crate) struct Segments {
    list: RwLock<Vec<Arc<Segment>>>,
    head: AtomicU64,
    /// Everything below was removed by retention.
    kept_from: AtomicU64,
}

impl Segments {
    pub(crate) fn new(list: Vec<Arc<Segment>>, head: u64, kept_from: u64) -> Self {
        Self {
            list: RwLock::new(list),
            head: AtomicU64::new(head),
            kept_from: AtomicU64::new(kept_from),
        }
    }

    /// The newest durable seq, 0 while there is none.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Makes everything up to `head` visible. The segments it stands in are here and their ends are set.
    pub(crate) fn publish(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }

    /// The oldest seq there is; `head + 1` while there is none.
    pub(crate) fn first(&self) -> u64 {
        let head = self.head();
        self.list
            .read()
            .first()
            .map_or(head + 1, |segment| segment.first.min(head + 1))
    }

    /// Where the ledger begins since retention removed what was before.
    pub(crate) fn kept_from(&self) -> u64 {
        self.kept_from.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, segment: Arc<Segment>) {
        self.list.write().push(segment);
    }

    pub(crate) fn last(&self) -> Option<Arc<Segment>> {
        self.list.read().last().cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        self.list.read().clone()
    }

    /// The segment that has (or would have) `seq`, and the last seq before the next one begins.
    pub(crate) fn of(&self, seq: u64) -> Option<(Arc<Segment>, u64)> {
        let list = self.list.read();
        let index = list
            .partition_point(|segment| segment.first <= seq)
            .checked_sub(1)?;
        let reach = list.get(index + 1).map_or(u64::MAX, |next| next.first - 1);
        Some((list[index].clone(), reach))
    }
}
