//! All segments of a ledger in order, and the durable head no reader passes.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{chain::Chain, index::Index, segment::Segment};

/// The segments, oldest first. Each reaches up to the next one's first seq; what is missing in between is a hole.
pub(crate) struct Segments {
    list: RwLock<Vec<Arc<Segment>>>,
    head: AtomicU64,
    kept: Mutex<Kept>,
    held: Mutex<Held>,
}

// Indexes of the newest segments that were asked for ids stay open, and some of their tables stay in memory.
const HELD_MAX: usize = 128;
const HELD_ID_BYTES_MAX: usize = 16 << 20;

/// Indexes that are kept open, by the first seq of their segment.
#[derive(Default)]
struct Held {
    indexes: BTreeMap<u64, Arc<Index>>,
    ids: BTreeMap<u64, usize>,
}

/// Where the ledger begins since retention removed what was before, and the chain up to there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) from: u64,
    pub(crate) chain: Chain,
}

impl Segments {
    pub(crate) fn new(kept: Kept) -> Self {
        Self {
            list: RwLock::default(),
            head: AtomicU64::new(kept.from - 1),
            kept: Mutex::new(kept),
            held: Mutex::default(),
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

    /// Where it begins.
    pub(crate) fn kept(&self) -> Kept {
        *self.kept.lock()
    }

    /// Forgets the segments before `kept`; they were removed by retention.
    pub(crate) fn retire(&self, kept: Kept) {
        *self.kept.lock() = kept;
        *self.held.lock() = Held::default();
        self.list.write().retain(|segment| segment.first >= kept.from);
    }

    pub(crate) fn add(&self, segment: Arc<Segment>) {
        self.list.write().push(segment);
    }

    pub(crate) fn last(&self) -> Option<Arc<Segment>> {
        self.list.read().last().cloned()
    }

    /// Bytes on disk.
    pub(crate) fn size(&self) -> u64 {
        self.list.read().iter().map(|segment| segment.size()).sum()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Segment>> {
        self.list.read().clone()
    }

    /// The index of a segment, kept open if the segment is among the newest.
    pub(crate) fn hold(&self, segment: &Segment) -> io::Result<Arc<Index>> {
        if !segment.is_complete() || segment.growing().is_some() {
            return segment.index();
        }
        if let Some(index) = self.held.lock().indexes.get(&segment.first) {
            return Ok(index.clone());
        }
        let index = segment.index()?;
        let mut held = self.held.lock();
        held.indexes.insert(segment.first, index.clone());
        if held.indexes.len() > HELD_MAX {
            held.indexes.pop_first();
        }
        Ok(index)
    }

    /// Whether the table of ids of this segment may be in memory: the newest ones may, up to a bound.
    pub(crate) fn may_hold_ids(&self, first: u64, index: &Index) -> bool {
        let mut held = self.held.lock();
        let bytes = index.id_table_bytes();
        held.ids.insert(first, bytes);
        while held.ids.values().sum::<usize>() > HELD_ID_BYTES_MAX {
            let Some((oldest, _)) = held.ids.pop_first() else {
                break;
            };
            // Its index, and with it the table, goes when nobody reads it any more.
            held.indexes.remove(&oldest);
        }
        held.ids.contains_key(&first)
    }

    /// The segment that has `seq`, or would have it.
    pub(crate) fn of(&self, seq: u64) -> Option<Arc<Segment>> {
        let list = self.list.read();
        let index = list
            .partition_point(|segment| segment.first <= seq)
            .checked_sub(1)?;
        Some(list[index].clone())
    }
}
