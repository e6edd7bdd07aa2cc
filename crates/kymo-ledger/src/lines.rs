//! Lines as they are handed out: the very bytes of the files, with where each line ends.

use std::sync::Arc;

use bytes::Bytes;
use kymo_event::Seq;

use crate::Durability;

/// Committed events: the very bytes of their lines, each ending in a line feed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Seq of the first line.
    pub first: Seq,
    /// The lines.
    pub bytes: Bytes,
    /// End offset of each line, behind its line feed.
    pub ends: Arc<[u32]>,
}

impl Lines {
    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Seq of the last line.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.first.plus((self.ends.len() as u64).saturating_sub(1))
    }

    /// Line `index` without its line feed.
    #[must_use]
    pub fn line(&self, index: usize) -> &[u8] {
        line_of(&self.bytes, &self.ends, index)
    }
}

/// Lines that need not be contiguous.
#[derive(Clone, Debug, Default)]
pub struct MatchedLines {
    /// The lines, each ending in a line feed.
    pub bytes: Bytes,
    /// End offset of each line, behind its line feed.
    pub ends: Vec<u32>,
}

impl MatchedLines {
    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Line `index` without its line feed.
    #[must_use]
    pub fn line(&self, index: usize) -> &[u8] {
        line_of(&self.bytes, &self.ends, index)
    }

    /// All lines in order, without their line feeds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.line(index))
    }
}

fn line_of<'a>(bytes: &'a [u8], ends: &[u32], index: usize) -> &'a [u8] {
    let start = if index == 0 { 0 } else { ends[index - 1] as usize };
    &bytes[start..ends[index] as usize - 1]
}

/// The answer to an append: seqs `first ..= last` are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Seq of the first event of the batch.
    pub first: Seq,
    /// Seq of the last one.
    pub last: Seq,
    /// Level reached.
    pub durability: Durability,
}
