//! The first bytes of an index: whose it is, and the chain it goes on from.

use super::fields::{Fields, PutFields};
use crate::chain::Chain;
use kymo_event::checksum;

const MAGIC: &[u8; 8] = b"KYMOIDX\x01";

/// Bytes of the head of the file.
pub(crate) const FILE_HEAD: usize = 64;

/// The head of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHead {
    /// First seq of the segment.
    pub(crate) first: u64,
    /// The chain before it.
    pub(crate) chain: Chain,
}

impl FileHead {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put(MAGIC);
        out.put_u64(self.first);
        out.put(&self.chain.0);
        out.resize(start + FILE_HEAD - 4, 0);
        let crc = checksum(&out[start..]);
        out.put_u32(crc);
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.get(..FILE_HEAD)?.split_at(FILE_HEAD - 4);
        if crc != checksum(body).to_le_bytes() {
            return None;
        }
        let mut fields = Fields(body);
        (fields.array()? == *MAGIC).then_some(())?;
        Some(Self {
            // Seqs begin at 1.
            first: fields.u64().filter(|first| *first > 0)?,
            chain: Chain(fields.array()?),
        })
    }
}
