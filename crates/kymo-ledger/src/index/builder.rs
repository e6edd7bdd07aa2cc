//! Makes block records from lines, in order. What it writes depends on the lines and on nothing else.

use kymo_event::{BodyKeys, IdKey, Micros, Seq};

use super::{
    block::{BlockHead, HAS_BACKFILL, HAS_LOST, HAS_PRESENT, Parts},
    columns::{self, BACKFILL, COUNT, Columns, KEYS, LENGTH, LEVEL, LOST, SOURCE, TYPE},
    dictionary::{Dictionary, OTHER},
    ids,
    keys::{HASHED, Last, decode, hash_of, short},
    row::Row,
    summary::{self, Names},
};
use crate::{chain::Chain, disk::in_memory, settings::BLOCK_EVENTS};

/// The index of one segment in the making.
pub(crate) struct IndexBuilder {
    chain: Chain,
    names: Names,
    met: Met,
    block: Block,
    finished: Vec<(BlockHead, Vec<u8>)>,
}

impl IndexBuilder {
    /// Begins before line `next` at `offset` of a segment, with the names met until there.
    pub(crate) fn new(next: u64, offset: u64, chain: Chain, names: Names) -> Self {
        let known = (names.types.len(), names.sources.len());
        Self {
            chain,
            names,
            met: Met::default(),
            block: Block::new(next, offset, known),
            finished: Vec::new(),
        }
    }

    /// The next line, with its line feed.
    pub(crate) fn line(&mut self, line: &[u8]) {
        self.lines(line, [(line.len(), None)]);
    }

    /// The next lines, lying together: where each ends, behind its line feed, and what its writer noted of it.
    pub(crate) fn lines<'k>(
        &mut self,
        bytes: &[u8],
        lines: impl IntoIterator<Item = (usize, Option<&'k BodyKeys>)>,
    ) {
        let (mut hashed, mut start) = (0, 0);
        for (end, keys) in lines {
            let line = &bytes[start..end - 1];
            let row = match keys.zip(Seq::new(self.next())) {
                Some((keys, seq)) => Some(Row::noted(line, seq, keys)),
                None => Row::read(line),
            };
            self.block
                .line(line, row.as_ref(), &mut self.names, &mut self.met);
            if self.is_full() {
                self.block.hasher.update(&bytes[hashed..end]);
                hashed = end;
                self.close();
            }
            start = end;
        }
        self.block.hasher.update(&bytes[hashed..start]);
    }

    /// Bytes that hold no good line. They count to the next row, lost or not.
    pub(crate) fn garbage(&mut self, bytes: &[u8]) {
        self.block.hasher.update(bytes);
        self.block.garbage += bytes.len();
    }

    /// The next `count` lines are not there.
    pub(crate) fn lost(&mut self, count: u64) {
        for _ in 0..count {
            self.block.lost_row();
            if self.is_full() {
                self.close();
            }
        }
    }

    /// The block records finished since the last call.
    pub(crate) fn take(&mut self) -> Vec<(BlockHead, Vec<u8>)> {
        std::mem::take(&mut self.finished)
    }

    /// The next seq it waits for.
    pub(crate) fn next(&self) -> u64 {
        self.block.first + self.block.rows() as u64
    }

    /// Where the next line begins in the segment.
    pub(crate) fn offset(&self) -> u64 {
        self.block.offset + self.block.bytes + self.block.garbage as u64
    }

    /// The chain up to the last finished block, and over the lines behind it as if their block ended here.
    pub(crate) fn chain(&self) -> Chain {
        match self.block.rows() {
            0 => self.chain,
            _ => self.chain.then(&self.block.hasher.root()),
        }
    }

    /// Finishes the last block, however few lines it has: the segment ends here.
    pub(crate) fn end(&mut self) {
        if self.block.rows() > 0 {
            self.close();
        }
    }

    fn is_full(&self) -> bool {
        (self.next() - 1).is_multiple_of(BLOCK_EVENTS)
    }

    fn close(&mut self) {
        let known = (self.names.types.len(), self.names.sources.len());
        let next = Block::new(self.next(), self.offset(), known);
        let block = std::mem::replace(&mut self.block, next);
        let root = block.hasher.root();
        self.chain = self.chain.then(&root);
        self.finished.push(block.record(root, self.chain, &self.names));
    }
}

/// The block that is being filled.
struct Block {
    first: u64,
    offset: u64,
    bytes: u64,
    garbage: usize,
    /// Names known before it.
    known: (usize, usize),
    columns: [Vec<u32>; COUNT],
    hashes: [Hashes; HASHED.len()],
    ids: Vec<(u16, IdKey)>,
    times: Option<(i64, i64, i64)>,
    time_text: [u8; Micros::TEXT_LEN],
    levels: u8,
    flags: u8,
    hasher: BlockHasher,
}

impl Block {
    fn new(first: u64, offset: u64, known: (usize, usize)) -> Self {
        Self {
            first,
            offset,
            bytes: 0,
            garbage: 0,
            known,
            columns: std::array::from_fn(|_| Vec::with_capacity(in_memory(BLOCK_EVENTS))),
            hashes: std::array::from_fn(|_| Hashes::default()),
            ids: Vec::new(),
            times: None,
            time_text: [0; Micros::TEXT_LEN],
            levels: 0,
            flags: 0,
            hasher: BlockHasher::default(),
        }
    }

    fn rows(&self) -> usize {
        self.columns[LENGTH].len()
    }

    fn line(&mut self, line: &[u8], row: Option<&Row<'_>>, names: &mut Names, met: &mut Met) {
        self.length(line.len() + 1);
        match row {
            Some(row) => self.row(row, names, met),
            None => self.unknown(),
        }
    }

    fn row(&mut self, row: &Row<'_>, names: &mut Names, met: &mut Met) {
        self.time(row);
        let number = |names: &mut Dictionary, raw: &[u8]| {
            let name = decode(raw).unwrap_or_default();
            u32::from(names.number(&name))
        };
        self.columns[TYPE].push(met.kind.of(row.kind, |raw| number(&mut names.types, raw)));
        self.columns[SOURCE].push(met.source.of(row.source, |raw| number(&mut names.sources, raw)));
        self.level(row);
        for (place, raw) in row.hashed.into_iter().enumerate() {
            let hash = raw.and_then(|raw| met.values[place].of(raw, hash));
            self.columns[KEYS + place].push(hash.map_or(0, |hash| u32::from(short(hash))));
            self.hashes[place].add(hash);
        }
        if let Some(key) = row.id_key() {
            let row = u16::try_from(self.rows() - 1).expect("a block has 1,024 rows");
            self.ids.push((row, key));
        }
    }

    fn lost_row(&mut self) {
        self.length(0);
        self.unknown();
    }

    /// A row of which only the length is known.
    fn unknown(&mut self) {
        self.flags |= HAS_LOST;
        self.columns[TYPE].push(u32::from(OTHER));
        self.columns[SOURCE].push(u32::from(OTHER));
        self.columns[LEVEL].push(LOST);
        self.columns[KEYS..].iter_mut().for_each(|column| column.push(0));
    }

    fn length(&mut self, bytes: usize) {
        let bytes = bytes + std::mem::take(&mut self.garbage);
        self.bytes += bytes as u64;
        self.columns[LENGTH].push(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    fn time(&mut self, row: &Row<'_>) {
        // All events of a group share one time.
        let text = row.recorded_text();
        if self.time_text == text && self.times.is_some() {
            return;
        }
        self.time_text.copy_from_slice(text);
        let Micros(time) = row.recorded();
        let (least, most, _) = self.times.unwrap_or((time, time, time));
        self.times = Some((least.min(time), most.max(time), time));
    }

    fn level(&mut self, row: &Row<'_>) {
        let level = row.level as u8;
        self.levels |= 1 << level;
        self.flags |= if row.backfill { HAS_BACKFILL } else { HAS_PRESENT };
        let backfill = if row.backfill { BACKFILL } else { 0 };
        self.columns[LEVEL].push(u32::from(level) | backfill);
    }

    fn record(self, root: [u8; 32], chain: Chain, names: &Names) -> (BlockHead, Vec<u8>) {
        let hashes = self.hashes.map(|hashes| hashes.all);
        let (mut summary, mut packed, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        let (types, sources) = (&self.columns[TYPE], &self.columns[SOURCE]);
        summary::write(names, self.known, types, sources, &hashes, &mut summary);
        Columns::write(&self.columns, &mut packed);
        ids::write_rows(&self.ids, &mut ids);
        let (time_min, time_max, time_last) = self.times.unwrap_or((i64::MAX, i64::MIN, i64::MIN));
        let head = BlockHead {
            first: self.first,
            count: super::fields::length(self.columns[LENGTH].len()),
            offset: self.offset,
            bytes: self.bytes,
            time_min,
            time_max,
            time_last,
            root,
            chain,
            levels: self.levels,
            flags: self.flags,
            summary_len: super::fields::length(summary.len()),
            columns_len: super::fields::length(packed.len()),
            columns_crc: 0,
            ids_len: super::fields::length(ids.len()),
            ids_crc: 0,
        };
        let parts = Parts {
            summary: &summary,
            columns: &packed,
            ids: &ids,
        };
        let mut record = Vec::with_capacity(head.record_len());
        head.write(&parts, &mut record);
        (head, record)
    }
}

/// What was met last, of each thing that repeats.
#[derive(Default)]
struct Met {
    kind: Last<u32>,
    source: Last<u32>,
    values: [Last<Option<u64>>; HASHED.len()],
}

fn hash(raw: &[u8]) -> Option<u64> {
    decode(raw).map(|value| hash_of(&value))
}

/// Hashes of a key's values in a block, each mostly once: a table of the last one met for each short hash leaves out
/// the repeats that matter.
struct Hashes {
    all: Vec<u64>,
    met: [u64; 256],
}

impl Default for Hashes {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            met: [0; 256],
        }
    }
}

impl Hashes {
    fn add(&mut self, hash: Option<u64>) {
        let Some(hash) = hash else { return };
        let met = &mut self.met[usize::from(short(hash))];
        if *met != hash {
            *met = hash;
            self.all.push(hash);
        }
    }
}

/// Hashes a block in large pieces: line by line would cost a third of a core at full speed.
#[derive(Default)]
struct BlockHasher {
    hasher: blake3::Hasher,
    piece: Vec<u8>,
}

const PIECE: usize = 64 << 10;

impl BlockHasher {
    fn update(&mut self, bytes: &[u8]) {
        let room = PIECE - self.piece.len();
        if bytes.len() < room {
            return self.piece.extend_from_slice(bytes);
        }
        // Every piece but the last has the same size: the hasher is quickest with a power of two.
        let (fills, rest) = bytes.split_at(if self.piece.is_empty() { 0 } else { room });
        if !self.piece.is_empty() {
            self.piece.extend_from_slice(fills);
            self.hasher.update(&self.piece);
            self.piece.clear();
        }
        let (whole, rest) = rest.split_at(rest.len() / PIECE * PIECE);
        self.hasher.update(whole);
        self.piece.extend_from_slice(rest);
    }

    fn root(&self) -> [u8; 32] {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.piece);
        hasher.finalize().into()
    }
}

// The level column holds levels and flags side by side.
const _: () = assert!(columns::LEVEL_BITS < BACKFILL && BACKFILL < LOST);
