//! The record of one block: a head of fixed size, a summary, columns, and ids.
//!
//! Head and summary share a checksum, columns and ids have their own, so each can be read and trusted alone.

use std::ops::Range;

use super::fields::{Fields, PutFields, length};
use crate::{chain::Chain, settings::BLOCK_EVENTS};
use kymo_event::checksum;

/// How every record begins.
pub(super) const MAGIC: &[u8; 4] = b"KBLK";

/// Where in a head the checksum of head and summary stands, and the chain.
pub(super) const CRC: Range<usize> = 4..8;
pub(super) const CHAIN: Range<usize> = 112..144;

/// Bytes of a block head.
pub(crate) const BLOCK_HEAD: usize = 192;

/// Some events of the block are the imported past.
pub(crate) const HAS_BACKFILL: u8 = 1;
/// Some are not.
pub(crate) const HAS_PRESENT: u8 = 2;
/// Some lines were damaged when the index was made.
pub(crate) const HAS_LOST: u8 = 4;

/// What is known of a block without looking into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHead {
    /// First seq.
    pub(crate) first: u64,
    /// How many seqs.
    pub(crate) count: u32,
    /// Where its bytes begin in the segment, and how many they are.
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// Least and greatest `recorded`, and that of the last event.
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
    pub(crate) time_last: i64,
    /// Hash of the bytes, and the chain up to their end.
    pub(crate) root: [u8; 32],
    pub(crate) chain: Chain,
    /// Which levels occur (bit = index of the level), and the flags above.
    pub(crate) levels: u8,
    pub(crate) flags: u8,
    /// Sizes of the parts behind the head.
    pub(crate) summary_len: u32,
    pub(crate) columns_len: u32,
    pub(crate) columns_crc: u32,
    pub(crate) ids_len: u32,
    pub(crate) ids_crc: u32,
}

/// The parts of a block record behind its head, as bytes.
pub(crate) struct Parts<'a> {
    pub(crate) summary: &'a [u8],
    pub(crate) columns: &'a [u8],
    pub(crate) ids: &'a [u8],
}

impl BlockHead {
    /// Writes the whole record; the sizes and checksums in `self` are taken from the parts.
    pub(crate) fn write(&self, parts: &Parts<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.put(MAGIC);
        out.put_u32(0);
        out.put_u32(length(parts.summary.len()));
        out.put_u32(length(parts.columns.len()));
        out.put_u32(checksum(parts.columns));
        out.put_u32(length(parts.ids.len()));
        out.put_u32(checksum(parts.ids));
        out.put_u32(self.count);
        out.put_u64(self.first);
        out.put_u64(self.offset);
        out.put_u64(self.bytes);
        out.put_i64(self.time_min);
        out.put_i64(self.time_max);
        out.put_i64(self.time_last);
        out.put(&self.root);
        out.put(&self.chain.0);
        out.put_u8(self.levels);
        out.put_u8(self.flags);
        out.resize(start + BLOCK_HEAD, 0);
        out.put(parts.summary);
        let crc = checksum(&out[start + CRC.end..]);
        out[start + CRC.start..start + CRC.end].copy_from_slice(&crc.to_le_bytes());
        out.put(parts.columns);
        out.put(parts.ids);
    }

    /// Reads the head of a record from bytes that begin there and reach at least to the end of the summary; also
    /// gives the summary's bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields(bytes);
        (fields.array()? == *MAGIC).then_some(())?;
        let crc = fields.u32()?;
        let head = Self::read_fields(fields)?;
        let covered = bytes.get(CRC.end..head.head_len())?;
        let good = checksum(covered) == crc && is_block(head.first, head.count, head.offset, head.bytes);
        good.then_some((head, &bytes[BLOCK_HEAD..head.head_len()]))
    }

    fn read_fields(mut fields: Fields<'_>) -> Option<Self> {
        let (summary_len, columns_len, columns_crc) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (ids_len, ids_crc, count) = (fields.u32()?, fields.u32()?, fields.u32()?);
        Some(Self {
            first: fields.u64()?,
            count,
            offset: fields.u64()?,
            bytes: fields.u64()?,
            time_min: fields.i64()?,
            time_max: fields.i64()?,
            time_last: fields.i64()?,
            root: fields.array()?,
            chain: Chain(fields.array()?),
            levels: fields.u8()?,
            flags: fields.u8()?,
            summary_len,
            columns_len,
            columns_crc,
            ids_len,
            ids_crc,
        })
    }

    /// Bytes of head and summary.
    pub(crate) fn head_len(&self) -> usize {
        BLOCK_HEAD + self.summary_len as usize
    }

    /// Bytes of the whole record.
    pub(crate) fn record_len(&self) -> usize {
        self.head_len() + self.columns_len as usize + self.ids_len as usize
    }

    /// Whether the record that begins with this head is all there and as it was written.
    pub(crate) fn is_whole(&self, record: &[u8]) -> bool {
        let Some(parts) = record.get(self.head_len()..self.record_len()) else {
            return false;
        };
        let (columns, ids) = parts.split_at(self.columns_len as usize);
        checksum(columns) == self.columns_crc && checksum(ids) == self.ids_crc
    }

    /// The entry of this block, whose record begins at `record`.
    pub(crate) fn entry(&self, record: u64) -> BlockEntry {
        BlockEntry {
            record,
            head_len: length(self.head_len()),
            count: self.count,
            first: self.first,
            offset: self.offset,
            bytes: self.bytes,
            time_min: self.time_min,
            time_max: self.time_max,
        }
    }
}

/// Whether a block can have these numbers, so that whoever adds them up gets no others.
fn is_block(first: u64, count: u32, offset: u64, bytes: u64) -> bool {
    (1..=BLOCK_EVENTS).contains(&u64::from(count))
        && first.checked_add(u64::from(count)).is_some()
        && offset.checked_add(bytes).is_some()
}

/// Where a block is and which times it covers: a row of the table over all blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// Where its record begins in the index, and how long head and summary are.
    pub(crate) record: u64,
    pub(crate) head_len: u32,
    pub(crate) count: u32,
    pub(crate) first: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
}

/// Bytes of an entry in the table.
pub(crate) const ENTRY: usize = 56;

impl BlockEntry {
    /// The last seq of the block.
    pub(crate) fn last(&self) -> u64 {
        self.first + u64::from(self.count) - 1
    }

    /// Where its bytes end in the segment.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.bytes
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_u64(self.record);
        out.put_u32(self.head_len);
        out.put_u32(self.count);
        out.put_u64(self.first);
        out.put_u64(self.offset);
        out.put_u64(self.bytes);
        out.put_i64(self.time_min);
        out.put_i64(self.time_max);
    }

    /// `None` also where these are the numbers of no block.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let entry = Self {
            record: fields.u64()?,
            head_len: fields.u32()?,
            count: fields.u32()?,
            first: fields.u64()?,
            offset: fields.u64()?,
            bytes: fields.u64()?,
            time_min: fields.i64()?,
            time_max: fields.i64()?,
        };
        let ends = entry.record.checked_add(u64::from(entry.head_len)).is_some()
            && is_block(entry.first, entry.count, entry.offset, entry.bytes);
        ends.then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_block_can_have_are_no_entry() {
        let good = BlockEntry {
            record: 64,
            head_len: 200,
            count: 1024,
            first: 1,
            offset: 0,
            bytes: 400,
            time_min: 0,
            time_max: 0,
        };
        let read = |entry: BlockEntry| {
            let mut bytes = Vec::new();
            entry.write(&mut bytes);
            BlockEntry::read(&bytes)
        };
        assert_eq!(read(good), Some(good));
        for bad in [
            BlockEntry { count: 0, ..good },
            BlockEntry { count: 1025, ..good },
            BlockEntry {
                first: u64::MAX,
                ..good
            },
            BlockEntry {
                offset: u64::MAX,
                ..good
            },
            BlockEntry {
                record: u64::MAX,
                ..good
            },
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
