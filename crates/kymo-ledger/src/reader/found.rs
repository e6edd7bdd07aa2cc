//! Lines that a read has found, and how they leave: as they lie in the window where they lie together, else copied.

use crate::{MatchedLines, buffers::Buffer, lines::ROOM};

/// Lines found in one window of bytes.
#[derive(Default)]
pub(crate) struct Spans {
    spans: Vec<(usize, usize)>,
    bytes: usize,
}

impl Spans {
    pub(crate) fn take(&mut self, start: usize, end: usize) {
        self.bytes += end - start;
        self.spans.push((start, end));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The lines, given the window they are in.
    pub(crate) fn lines(self, window: Buffer) -> MatchedLines {
        let (Some(&(start, _)), Some(&(_, end))) = (self.spans.first(), self.spans.last()) else {
            return MatchedLines::default();
        };
        if end - start == self.bytes {
            let ends = self.spans.iter().map(|&(_, end)| narrow(end - start)).collect();
            return MatchedLines::new(window, start, ends);
        }
        let mut copied = Copied::default();
        self.spans
            .iter()
            .for_each(|&(start, end)| copied.take(&window[start..end]));
        copied.lines()
    }
}

/// Lines copied together from several places.
pub(crate) struct Copied {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Default for Copied {
    fn default() -> Self {
        Self {
            bytes: vec![0; ROOM],
            ends: Vec::new(),
        }
    }
}

impl Copied {
    /// Adds a line with its line feed.
    pub(crate) fn take(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push(narrow(self.bytes()));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() - ROOM
    }

    pub(crate) fn lines(self) -> MatchedLines {
        MatchedLines::new(self.bytes.into(), ROOM, self.ends)
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect("what is read at once is far smaller than 4 GiB")
}
