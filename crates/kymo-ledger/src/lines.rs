//! Lines as they are handed out: the very bytes of the files, with where each line ends.

use std::sync::Arc;

use bytes::Bytes;
use kymo_event::Seq;

use crate::{Durability, buffers::Buffer};

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

/// Lines that need not be contiguous, in memory of their own.
#[derive(Debug, Default)]
pub struct MatchedLines {
    buffer: Buffer,
    /// Where in the buffer the lines begin; what is before them is room.
    start: usize,
    /// End offset of each line, behind its line feed.
    ends: Vec<u32>,
}

/// Room before lines that are read, so that what stands before them in a frame need not push them away.
pub(crate) const ROOM: usize = 128;
/// And behind them.
pub(crate) const BEHIND: usize = 16;

impl MatchedLines {
    /// Lines in a buffer from `start` on; `ends` count from there.
    pub(crate) fn new(buffer: Buffer, start: usize, ends: Vec<u32>) -> Self {
        Self { buffer, start, ends }
    }

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

    /// The lines, each ending in a line feed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let end = self.ends.last().map_or(0, |&end| end as usize);
        &self.buffer[self.start..self.start + end]
    }

    /// End offset of each line, behind its line feed.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Line `index` without its line feed.
    #[must_use]
    pub fn line(&self, index: usize) -> &[u8] {
        line_of(self.bytes(), &self.ends, index)
    }

    /// All lines in order, without their line feeds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let bytes = self.bytes();
        (0..self.len()).map(move |index| line_of(bytes, &self.ends, index))
    }

    /// Keeps the first `count` lines.
    pub fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
    }

    /// Puts further lines behind these.
    pub fn append(&mut self, more: Self) {
        if self.is_empty() {
            *self = more;
            return;
        }
        let before = *self.ends.last().expect("there are lines");
        self.buffer.truncate(self.start + before as usize);
        self.buffer.extend_from_slice(more.bytes());
        self.ends.extend(more.ends.iter().map(|end| before + end));
    }

    /// The lines as shared bytes, and where each ends in them, behind its line feed.
    #[must_use]
    pub fn into_bytes(self) -> (Bytes, Vec<u32>) {
        let span = self.start..self.start + self.bytes().len();
        (self.buffer.share().slice(span), self.ends)
    }

    /// The lines as one text: `between` in place of the line feeds between them, `before` and `after` around them.
    /// Made where the lines lie; only a `before` of more than about a hundred bytes makes a copy.
    ///
    /// # Panics
    /// If there are no lines.
    #[must_use]
    pub fn into_text(mut self, before: &[u8], between: u8, after: &[u8]) -> Bytes {
        let (last, inner) = self.ends.split_last().expect("there are lines");
        for end in inner {
            self.buffer[self.start + *end as usize - 1] = between;
        }
        self.buffer.truncate(self.start + *last as usize - 1);
        self.buffer.extend_from_slice(after);
        let Some(from) = self.start.checked_sub(before.len()) else {
            return [before, &self.buffer[self.start..]].concat().into();
        };
        self.buffer[from..self.start].copy_from_slice(before);
        self.buffer.share().slice(from..)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines behind `start` bytes of room.
    fn matched(start: usize, lines: &[&str]) -> MatchedLines {
        let mut buffer = vec![0; start];
        let mut ends = Vec::new();
        for line in lines {
            buffer.extend_from_slice(line.as_bytes());
            buffer.push(b'\n');
            ends.push(u32::try_from(buffer.len() - start).unwrap());
        }
        // A window may hold more than its lines.
        buffer.extend_from_slice(b"the beginning of an");
        MatchedLines::new(buffer.into(), start, ends)
    }

    #[test]
    fn lines_become_one_text_where_they_lie() {
        let lines = matched(ROOM, &["{1}", "{22}", "{333}"]);
        let place = lines.bytes().as_ptr();
        let text = lines.into_text(b"before[", b',', b"]after");
        assert_eq!(text, "before[{1},{22},{333}]after");
        assert_eq!(text[b"before[".len()..].as_ptr(), place, "nothing was moved");
    }

    #[test]
    fn lines_without_room_before_them_become_the_same_text() {
        for start in 0..10 {
            let text = matched(start, &["{1}", "{22}"]).into_text(b"before[", b',', b"]");
            assert_eq!(text, "before[{1},{22}]", "{start} bytes of room");
        }
    }

    #[test]
    fn lines_are_joined_and_cut_by_number() {
        let mut lines = MatchedLines::default();
        lines.append(MatchedLines::default());
        assert!(lines.is_empty() && lines.bytes().is_empty());
        lines.append(matched(7, &["a", "bb", "ccc"]));
        lines.truncate(2);
        lines.append(matched(3, &["d"]));
        assert_eq!(lines.iter().collect::<Vec<_>>(), [&b"a"[..], b"bb", b"d"]);
        assert_eq!((lines.line(1), lines.bytes()), (&b"bb"[..], &b"a\nbb\nd\n"[..]));
        let (bytes, ends) = lines.into_bytes();
        assert_eq!((&bytes[..], &ends[..]), (&b"a\nbb\nd\n"[..], &[2, 5, 7][..]));
    }
}
