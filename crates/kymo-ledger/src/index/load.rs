//! An index as readers use it: the blocks of a segment in order, and their parts when somebody asks.
//!
//! Every part is read with its checksum. A part that fails it, or that the disk does not give, is `None`, and the
//! reader goes to the lines instead: no index is worth a failed read.

use std::sync::Arc;

use kymo_event::{IdKey, checksum};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::{
    block::{BLOCK_HEAD, BlockEntry, BlockHead},
    columns::Columns,
    fields::Fields,
    file_head::{FILE_HEAD, FileHead},
    id_map::IdMap,
    ids,
    summary::{Names, Summary},
    tables::{self, SegmentSummary, TRAILER, Table},
};
use crate::{
    chain::Chain,
    disk::{self, DiskFile},
    segment::End,
    settings::BLOCK_EVENTS,
};

// Columns of a block are smaller.
const LARGE: usize = 1 << 20;

/// Where an index is.
pub(crate) enum IndexBytes {
    /// In its file.
    File(Arc<dyn DiskFile>),
    /// Only here: made from the lines because the file is missing or damaged.
    Memory(Vec<u8>),
}

impl IndexBytes {
    /// `bytes` bytes from `offset`; `None` if there are fewer, or the disk does not give them.
    pub(crate) fn read(&self, offset: u64, bytes: usize) -> Option<Vec<u8>> {
        match self {
            Self::File(file) => {
                // What is large is asked for by a table alone, and room is made only for what is there.
                if bytes > LARGE && given(file.len())?.saturating_sub(offset) < bytes as u64 {
                    return None;
                }
                let mut read = Vec::new();
                let got = given(disk::read_full(&**file, &mut read, offset, bytes))?;
                (got == bytes).then_some(read)
            }
            Self::Memory(all) => {
                let rest = all.get(usize::try_from(offset).ok()?..)?;
                rest.get(..bytes).map(<[u8]>::to_vec)
            }
        }
    }

    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::File(file) => given(file.len()),
            Self::Memory(all) => Some(all.len() as u64),
        }
    }

    pub(super) fn table(&self, table: Table) -> Option<Vec<u8>> {
        let bytes = self.read(table.offset, table.bytes as usize)?;
        (checksum(&bytes) == table.crc).then_some(bytes)
    }
}

fn given<T>(answer: std::io::Result<T>) -> Option<T> {
    answer
        .inspect_err(|error| tracing::warn!(%error, "an index could not be read; the lines are read instead"))
        .ok()
}

/// The index of a segment.
pub(crate) struct Index {
    pub(super) bytes: IndexBytes,
    chain: Chain,
    /// The table of ids, once sealed.
    pub(super) ids: Option<Table>,
    pub(super) id_map: Mutex<IdMap>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    blocks: Vec<BlockEntry>,
    names: Names,
}

impl Index {
    /// A sealed segment's index; `None` where its tables are not whole.
    pub(crate) fn sealed(bytes: IndexBytes) -> Option<(Self, SegmentSummary)> {
        let summary = trailer(&bytes)?;
        let chain = FileHead::read(&bytes.read(0, FILE_HEAD)?)?;
        let state = State::read(&bytes.table(summary.names)?, &bytes.table(summary.blocks)?)?;
        let index = Self {
            bytes,
            chain: chain.chain,
            ids: Some(summary.ids),
            state: RwLock::new(state),
            id_map: Mutex::default(),
        };
        Some((index, summary))
    }

    /// The index of a segment that still grows.
    pub(crate) fn growing(bytes: IndexBytes, records: Records) -> Self {
        Self {
            bytes,
            chain: records.head.chain,
            ids: None,
            state: RwLock::new(State {
                blocks: records.blocks,
                names: records.names,
            }),
            id_map: Mutex::default(),
        }
    }

    /// Takes in a block whose record is in the file now.
    pub(crate) fn push(&self, entry: BlockEntry, record: &[u8]) {
        let (_, summary) = BlockHead::read(record).expect("a record just made reads back");
        let summary = Summary::read(summary).expect("a summary just made reads back");
        let mut state = self.state.write();
        state.names.add(&summary);
        state.blocks.push(entry);
    }

    /// The chain before the segment.
    pub(crate) fn chain_before(&self) -> Chain {
        self.chain
    }

    pub(crate) fn block(&self, number: usize) -> Option<BlockEntry> {
        self.state.read().blocks.get(number).copied()
    }

    /// Number and entry of the block that holds `seq`.
    pub(crate) fn block_of(&self, seq: u64) -> Option<(usize, BlockEntry)> {
        let state = self.state.read();
        let number = state.blocks.partition_point(|block| block.last() < seq);
        state
            .blocks
            .get(number)
            .filter(|block| block.first <= seq)
            .map(|block| (number, *block))
    }

    /// The last block that begins at or before `seq`: it holds `seq`, or nothing behind it is indexed yet.
    pub(crate) fn block_before(&self, seq: u64) -> Option<BlockEntry> {
        let state = self.state.read();
        let behind = state.blocks.partition_point(|block| block.first <= seq);
        behind.checked_sub(1).map(|number| state.blocks[number])
    }

    /// All entries, copied.
    pub(crate) fn entries(&self) -> Vec<BlockEntry> {
        self.state.read().blocks.clone()
    }

    /// The last block.
    pub(crate) fn last(&self) -> Option<BlockEntry> {
        self.state.read().blocks.last().copied()
    }

    /// The names of types and sources; held for as long as the guard lives.
    pub(crate) fn names(&self) -> impl std::ops::Deref<Target = Names> + '_ {
        RwLockReadGuard::map(self.state.read(), |state| &state.names)
    }

    /// Head and summary of a block.
    pub(crate) fn head(&self, entry: &BlockEntry) -> Option<(BlockHead, Summary)> {
        let bytes = self.bytes.read(entry.record, entry.head_len as usize)?;
        let (head, summary) = BlockHead::read(&bytes)?;
        let fits = head.first == entry.first && head.count == entry.count && head.offset == entry.offset;
        Some((head, Summary::read(summary)?)).filter(|_| fits)
    }

    /// The columns of a block.
    pub(crate) fn columns(&self, entry: &BlockEntry, head: &BlockHead) -> Option<Columns> {
        let offset = entry.record + u64::from(entry.head_len);
        let bytes = self.bytes.read(offset, head.columns_len as usize)?;
        let good = checksum(&bytes) == head.columns_crc;
        good.then(|| Columns::read(&bytes, head.count as usize)).flatten()
    }

    /// Seqs and idempotency keys of a block's events that have one, in order.
    pub(crate) fn ids(&self, entry: &BlockEntry) -> Option<Vec<(IdKey, u64)>> {
        let (head, _) = self.head(entry)?;
        let offset = entry.record + u64::from(entry.head_len) + u64::from(head.columns_len);
        let bytes = self.bytes.read(offset, head.ids_len as usize)?;
        (checksum(&bytes) == head.ids_crc).then(|| {
            ids::read_rows(&bytes)
                .map(|(row, key)| (key, entry.first + u64::from(row)))
                .collect()
        })
    }
}

impl State {
    fn read(names: &[u8], blocks: &[u8]) -> Option<Self> {
        let mut state = Self {
            blocks: tables::entries(blocks)?,
            names: Names::default(),
        };
        let mut fields = Fields(names);
        state.names.types.read_into(&mut fields)?;
        state.names.sources.read_into(&mut fields)?;
        Some(state)
    }
}

/// The trailer of an index, if it has one.
pub(crate) fn trailer(bytes: &IndexBytes) -> Option<SegmentSummary> {
    let offset = bytes.len()?.checked_sub(TRAILER as u64)?;
    SegmentSummary::read(&bytes.read(offset, TRAILER)?)
}

/// The block records at the beginning of an index, as far as they are whole.
pub(crate) struct Records {
    pub(crate) head: FileHead,
    pub(crate) blocks: Vec<BlockEntry>,
    pub(crate) names: Names,
    pub(crate) last: Option<BlockHead>,
    /// Bytes of the file up to the end of the last whole record.
    pub(crate) bytes: u64,
    /// How far the segment reached when this was written: lines up to there were durable, whatever is left of them.
    pub(crate) claimed: End,
}

impl Records {
    /// An index that has nothing but its head.
    pub(crate) fn none(head: FileHead) -> Self {
        Self {
            claimed: End {
                last: head.first - 1,
                bytes: 0,
            },
            head,
            blocks: Vec::new(),
            names: Names::default(),
            last: None,
            bytes: FILE_HEAD as u64,
        }
    }

    /// The seq and the offset behind the last block.
    pub(crate) fn next(&self) -> (u64, u64) {
        self.blocks
            .last()
            .map_or((self.head.first, 0), |block| (block.last() + 1, block.end()))
    }

    /// The chain behind the last block.
    pub(crate) fn chain(&self) -> Chain {
        self.last.map_or(self.head.chain, |block| block.chain)
    }

    fn claims(&self, block: &BlockHead) -> Option<End> {
        let End { last, bytes } = self.claimed;
        let follows = (last + 1, bytes) == (block.first, block.offset);
        (follows && (1..=BLOCK_EVENTS).contains(&u64::from(block.count))).then(|| End {
            last: last + u64::from(block.count),
            bytes: bytes.saturating_add(block.bytes),
        })
    }

    /// Whether the segment has all of the block, which more lines will not be added to.
    fn has_all(&self, segment_bytes: u64) -> bool {
        self.claimed.bytes <= segment_bytes && self.claimed.last.is_multiple_of(BLOCK_EVENTS)
    }
}

/// Reads the whole blocks of the growing segment that begins at `first` and is `segment_bytes` long; `None` where
/// the index is not its.
pub(crate) fn records(index: &[u8], first: u64, segment_bytes: u64) -> Option<Records> {
    let head = FileHead::read(index).filter(|head| head.first == first)?;
    let (mut records, mut at, mut all) = (Records::none(head), FILE_HEAD, true);
    while let Some((block, summary)) = index.get(at..).and_then(BlockHead::read)
        && block.is_whole(&index[at..])
        && let Some(summary) = Summary::read(summary)
        && let Some(claimed) = records.claims(&block)
    {
        records.claimed = claimed;
        all &= records.has_all(segment_bytes);
        if all {
            records.names.add(&summary);
            records.blocks.push(block.entry(at as u64));
            records.bytes += block.record_len() as u64;
            records.last = Some(block);
        }
        at += block.record_len();
    }
    let sealed = index.len().checked_sub(TRAILER).map(|at| &index[at..]);
    if let Some(sealed) = sealed
        .and_then(SegmentSummary::read)
        .filter(|sealed| sealed.first == first)
        && sealed.last > records.claimed.last
    {
        records.claimed = End {
            last: sealed.last,
            bytes: sealed.bytes,
        };
    }
    Some(records)
}

// A head is always inside what `BlockHead::read` asks for.
const _: () = assert!(BLOCK_HEAD > FILE_HEAD);
