//! The end of a sealed segment's index: tables over all its blocks, and a trailer of fixed size that finds them.

use std::io;

use kymo_event::{IdKey, checksum};

use super::{
    block::{BLOCK_HEAD, BlockEntry, BlockHead, ENTRY},
    fields::{Fields, PutFields, length},
    file_head::{FILE_HEAD, FileHead},
    ids,
    summary::{Names, Summary},
};
use crate::chain::Chain;

const MAGIC: &[u8; 8] = b"KYMOSEAL";

/// Bytes of the trailer.
pub(crate) const TRAILER: usize = 192;

/// Where a table is in the file, and its checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
    pub(crate) crc: u32,
}

/// All that is known of a sealed segment without reading more than the trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentSummary {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Size of the lines, uncompressed.
    pub(crate) bytes: u64,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
    pub(crate) time_last: i64,
    /// The chain at the segment's end.
    pub(crate) chain: Chain,
    pub(crate) names: Table,
    pub(crate) ids: Table,
    pub(crate) blocks: Table,
}

impl SegmentSummary {
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put(MAGIC);
        for value in [self.first, self.last, self.bytes] {
            out.put_u64(value);
        }
        for time in [self.time_min, self.time_max, self.time_last] {
            out.put_i64(time);
        }
        out.put(&self.chain.0);
        for table in [self.names, self.ids, self.blocks] {
            out.put_u64(table.offset);
            out.put_u32(table.bytes);
            out.put_u32(table.crc);
        }
        out.resize(start + TRAILER - 4, 0);
        let crc = checksum(&out[start..]);
        out.put_u32(crc);
    }

    /// Reads the last [`TRAILER`] bytes of an index; `None` where they are no trailer.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.get(..TRAILER)?.split_at(TRAILER - 4);
        if crc != checksum(body).to_le_bytes() {
            return None;
        }
        let mut fields = Fields(body);
        (fields.array()? == *MAGIC).then_some(())?;
        Some(Self {
            first: fields.u64()?,
            last: fields.u64()?,
            bytes: fields.u64()?,
            time_min: fields.i64()?,
            time_max: fields.i64()?,
            time_last: fields.i64()?,
            chain: Chain(fields.array()?),
            names: table(&mut fields)?,
            ids: table(&mut fields)?,
            blocks: table(&mut fields)?,
        })
    }
}

fn table(fields: &mut Fields<'_>) -> Option<Table> {
    let table = Table {
        offset: fields.u64()?,
        bytes: fields.u32()?,
        crc: fields.u32()?,
    };
    table.offset.checked_add(u64::from(table.bytes))?;
    Some(table)
}

/// Where the tables of a sealed index begin, as its trailer says.
pub(super) fn begin(index: &[u8]) -> Option<usize> {
    let trailer = SegmentSummary::read(&index[index.len().checked_sub(TRAILER)?..])?;
    usize::try_from(trailer.names.offset)
        .ok()
        .filter(|begin| *begin <= index.len())
}

/// Makes the tables and the trailer that go behind `records`: an index file with a head and all block records.
pub(crate) fn seal(records: &[u8]) -> io::Result<Vec<u8>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a block record cannot be read back");
    let head = FileHead::read(records).ok_or_else(damaged)?;
    let mut all = Gathered::default();
    let mut at = FILE_HEAD;
    while at < records.len() {
        let (block, summary) = BlockHead::read(&records[at..]).ok_or_else(damaged)?;
        let record = records.get(at..at + block.record_len()).ok_or_else(damaged)?;
        let summary = Summary::read(summary).ok_or_else(damaged)?;
        all.add(&block, &summary, record, at as u64);
        at += block.record_len();
    }
    Ok(all.write(head, records.len() as u64))
}

#[derive(Default)]
struct Gathered {
    names: Names,
    ids: Vec<(IdKey, u16)>,
    blocks: Vec<BlockEntry>,
    last: Option<BlockHead>,
}

impl Gathered {
    fn add(&mut self, block: &BlockHead, summary: &Summary, record: &[u8], at: u64) {
        self.names.add(summary);
        let number = ids::block_number(self.blocks.len());
        let ids = &record[BLOCK_HEAD + (block.summary_len + block.columns_len) as usize..];
        self.ids.extend(ids::read_rows(ids).map(|(_, key)| (key, number)));
        self.blocks.push(block.entry(at));
        self.last = Some(*block);
    }

    fn write(&self, head: FileHead, offset: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |write: &dyn Fn(&mut Vec<u8>)| {
            let start = out.len();
            write(&mut out);
            Table {
                offset: offset + start as u64,
                bytes: length(out.len() - start),
                crc: checksum(&out[start..]),
            }
        };
        let names = put(&|out| {
            self.names.types.write_from(0, out);
            self.names.sources.write_from(0, out);
        });
        let ids = put(&|out| ids::write_locator(&self.ids, out));
        let blocks = put(&|out| self.blocks.iter().for_each(|entry| entry.write(out)));
        let last = self.blocks.last();
        let summary = SegmentSummary {
            first: head.first,
            last: last.map_or(head.first - 1, BlockEntry::last),
            bytes: last.map_or(0, BlockEntry::end),
            time_min: self
                .blocks
                .iter()
                .map(|block| block.time_min)
                .min()
                .unwrap_or(i64::MAX),
            time_max: self
                .blocks
                .iter()
                .map(|block| block.time_max)
                .max()
                .unwrap_or(i64::MIN),
            time_last: self.last.map_or(i64::MIN, |block| block.time_last),
            chain: self.last.map_or(head.chain, |block| block.chain),
            names,
            ids,
            blocks,
        };
        summary.write(&mut out);
        out
    }
}

/// The entries of a table over all blocks.
pub(crate) fn entries(bytes: &[u8]) -> Option<Vec<BlockEntry>> {
    bytes.chunks(ENTRY).map(BlockEntry::read).collect()
}

/// Whether an index ends in a trailer and tables that fit their checksums.
pub(crate) fn are_whole(index: &[u8]) -> bool {
    let trailer = index
        .len()
        .checked_sub(TRAILER)
        .and_then(|at| SegmentSummary::read(&index[at..]));
    trailer.is_some_and(|summary| {
        [summary.names, summary.ids, summary.blocks].iter().all(|table| {
            let from = usize::try_from(table.offset).unwrap_or(usize::MAX);
            let bytes = index
                .get(from..)
                .and_then(|rest| rest.get(..table.bytes as usize));
            bytes.is_some_and(|bytes| checksum(bytes) == table.crc)
        })
    })
}
