//! Walks the lines of one segment from some line on, in order, and names the holes it meets.
//!
//! A line is handed out only with the seq it must have and the checksum of its own bytes. Everything else up to the
//! next good line is a [`Hole`]. The walker knows one segment; `reader` strings them together.

use std::{io, sync::Arc};

use kymo_event::Seq;
use memchr::memchr;

use crate::{
    buffers::{Buffer, Buffers},
    lines::{BEHIND, ROOM},
    notices::Damage,
    scan::{self, ExpectedStart},
    segment::{Data, Segment},
};

/// What stands at the walker's place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A good line of the window, with its line feed.
    Line { start: usize, end: usize },
    /// Something else than the line that must follow: see [`Walker::hole`].
    Bad,
    /// The window ends here but the segment does not: see [`Walker::more`].
    Edge,
    /// The last line of the segment has been walked.
    Done,
}

/// Bytes that hold no good line, and the seqs that would have been there (none if `last < first`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) byte: u64,
    pub(crate) bytes: u64,
}

impl Hole {
    pub(crate) fn lost(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }

    /// The hole in the words of a notice.
    pub(crate) fn damage(&self, file: String) -> Damage {
        let first = Seq::new(self.first).unwrap_or(Seq::FIRST);
        let reason = match (self.lost(), self.bytes) {
            (0, _) => "bytes that belong to no event; nothing is lost",
            (_, 0) => "lines are missing",
            _ => "bytes are not as they were written",
        };
        Damage {
            file,
            byte: self.byte,
            bytes: self.bytes,
            first,
            last: Seq::new(self.last.max(self.first)).unwrap_or(first),
            reason: reason.to_owned(),
        }
    }
}

// A piece without a line feed is searched only so far; no line is this long.
const PIECE_MAX: usize = 64 << 20;
const SEARCH_STEP: usize = 1 << 20;

fn no_window() -> Buffer {
    vec![0; ROOM].into()
}

/// A place in a segment, and a window of its bytes from there.
pub(crate) struct Walker {
    data: Arc<Data>,
    /// The walk ends at this seq and byte.
    last: u64,
    bytes: u64,
    /// [`ROOM`], then bytes of the segment.
    window: Buffer,
    /// Where in the segment those begin.
    base: u64,
    at: usize,
    /// Where large windows come from.
    buffers: Buffers,
    seq: u64,
    start: ExpectedStart,
}

impl Walker {
    /// Stands before line `seq`, which begins at `offset`; walks to `last` or to byte `bytes`, whichever comes first.
    pub(crate) fn over(data: Arc<Data>, seq: u64, offset: u64, last: u64, bytes: u64) -> Self {
        Self {
            data,
            last,
            bytes,
            window: no_window(),
            base: offset,
            at: ROOM,
            buffers: Buffers::default(),
            seq,
            start: ExpectedStart::of(seq),
        }
    }

    /// Takes its windows from there, to which those given away return.
    pub(crate) fn with_buffers(mut self, buffers: Buffers) -> Self {
        self.buffers = buffers;
        self
    }

    /// Seq of the line it stands before.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Where in the segment that line begins.
    pub(crate) fn offset(&self) -> u64 {
        self.base + (self.at - ROOM) as u64
    }

    /// The bytes of a line that [`Walker::step`] found in this window.
    pub(crate) fn bytes(&self, start: usize, end: usize) -> &[u8] {
        &self.window[start..end]
    }

    /// Goes on to where the segment ends now, but not past `head`.
    pub(crate) fn extend(&mut self, segment: &Segment, head: u64) {
        let end = segment.end();
        (self.last, self.bytes) = (end.last.min(head), end.bytes);
    }

    /// Reads about `bytes` more into the window; what the window already has stays.
    pub(crate) fn more(&mut self, bytes: usize) -> io::Result<()> {
        let from = self.read_to();
        let left = self.bytes.saturating_sub(from);
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(bytes);
        if self.window.len() == ROOM {
            self.window = self.buffers.take(ROOM + bytes + BEHIND);
            self.window.resize(ROOM, 0);
        }
        if self.data.read(&mut self.window, from, bytes)? == 0 {
            // The file is shorter than it was: what follows is a hole.
            self.bytes = from;
        }
        Ok(())
    }

    /// Reads on after [`Step::Edge`] when the window's lines are not needed any more.
    pub(crate) fn advance(&mut self, bytes: usize) -> io::Result<()> {
        let base = self.offset();
        self.window.drain(ROOM..self.at);
        (self.base, self.at) = (base, ROOM);
        self.more(bytes)
    }

    /// Gives the window away (with all lines found in it so far) and begins a new one at the current place.
    pub(crate) fn take_window(&mut self) -> Buffer {
        let base = self.offset();
        let mut window = std::mem::replace(&mut self.window, no_window());
        window.truncate(self.at);
        (self.base, self.at) = (base, ROOM);
        window
    }

    /// Where in the segment the window ends.
    fn read_to(&self) -> u64 {
        self.base + (self.window.len() - ROOM) as u64
    }

    /// The next line, or what is in the way of it.
    pub(crate) fn step(&mut self) -> Step {
        if self.seq > self.last {
            return Step::Done;
        }
        let Some(feed) = memchr(b'\n', &self.window[self.at..]) else {
            let whole = self.read_to() >= self.bytes;
            return if whole { Step::Bad } else { Step::Edge };
        };
        let (start, end) = (self.at, self.at + feed + 1);
        if !self.start.fits(&self.window[start..end - 1]) {
            return Step::Bad;
        }
        self.pass(end);
        Step::Line { start, end }
    }

    fn pass(&mut self, end: usize) {
        self.at = end;
        self.seq += 1;
        self.start.advance();
    }

    /// After [`Step::Bad`]: finds the next good line and stands before it. The window is lost (take it before).
    pub(crate) fn hole(&mut self) -> io::Result<Hole> {
        let (byte, first) = (self.offset(), self.seq);
        loop {
            if let Some(feed) = memchr(b'\n', &self.window[self.at..]) {
                let feed = self.at + feed;
                if let Some(found) = scan::good_line_in(&self.window, self.at, feed, self.seq..=self.last) {
                    self.at = found.start;
                    return Ok(self.found(first, byte, found.seq));
                }
                self.at = feed + 1;
            } else if self.read_to() < self.bytes {
                self.search_on()?;
            } else {
                self.at = self.window.len();
                let last = self.last;
                return Ok(self.found(first, byte, last + 1));
            }
        }
    }

    fn found(&mut self, first: u64, byte: u64, seq: u64) -> Hole {
        self.seq = seq;
        self.start = ExpectedStart::of(seq);
        Hole {
            first,
            last: seq - 1,
            byte,
            bytes: self.offset() - byte,
        }
    }

    fn search_on(&mut self) -> io::Result<()> {
        if self.window.len() - self.at > PIECE_MAX {
            self.at = self.window.len();
        }
        self.advance(SEARCH_STEP)
    }
}
