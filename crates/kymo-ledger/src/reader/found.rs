//! Lines that a read has found, and how they leave: as they lie in the window where they lie together, else copied.

use crate::{
    MatchedLines,
    buffers::Buffer,
    lines::{BEHIND, ROOM},
};

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

    /// The lines, given the window they are in. A window is kept only for lines that fill half of it: whoever keeps a
    /// few lines should not pay for all that was read to find them.
    pub(crate) fn lines(self, window: Buffer) -> MatchedLines {
        let (Some(&(start, _)), Some(&(_, end))) = (self.spans.first(), self.spans.last()) else {
            return MatchedLines::default();
        };
        if end - start == self.bytes && self.bytes >= window.capacity() / 2 {
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

    pub(crate) fn lines(mut self) -> MatchedLines {
        // Lines may be kept for long; what they grew into for nothing is not.
        self.bytes.shrink_to(self.bytes.len() + BEHIND);
        MatchedLines::new(self.bytes.into(), ROOM, self.ends)
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect("what is read at once is far smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffers::Buffers;

    const WINDOW: usize = 128 << 10;

    /// What becomes of lines at these places of a window of `x`, and whether the window is free again.
    fn taken(spans: &[(usize, usize)]) -> (MatchedLines, bool) {
        let buffers = Buffers::default();
        let mut window = buffers.take(WINDOW);
        window.resize(WINDOW, b'x');
        let place = window.as_ptr();
        let mut found = Spans::default();
        spans.iter().for_each(|&(start, end)| found.take(start, end));
        let lines = found.lines(window);
        (lines, buffers.take(WINDOW).as_ptr() == place)
    }

    #[test]
    fn lines_that_fill_their_window_stay_in_it() {
        let half = WINDOW / 2;
        let (lines, free) = taken(&[(100, half), (half, WINDOW)]);
        assert_eq!((lines.len(), lines.bytes().len(), free), (2, WINDOW - 100, false));
    }

    #[test]
    fn few_lines_and_lines_apart_do_not_keep_their_window() {
        let half = WINDOW / 2;
        for spans in [&[(100, 500)][..], &[(100, half), (half + 1, WINDOW)], &[]] {
            let (lines, free) = taken(spans);
            assert_eq!((lines.len(), free), (spans.len(), true));
        }
    }
}
