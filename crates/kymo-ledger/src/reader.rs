//! A cursor over the ledger: lines in order, holes declared, never past the durable head.

use std::{collections::VecDeque, io, sync::Arc};

use bytes::Bytes;
use kymo_event::{Filter, LineView, Seq};

use crate::{
    Gap, GapReason, MatchedLines, ReadError,
    notices::Notices,
    segment::Segment,
    segments::Segments,
    walk::{Step, Walker},
};

/// One step of a [`Reader`].
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Events that match, in the reader's order. With a filter the lines need not be contiguous, so each carries its
    /// seq inside.
    Events {
        /// The lines; none where a stretch was scanned in vain.
        lines: MatchedLines,
        /// Every match up to there (forward) or down to there (backward) has been returned.
        scanned_to: Seq,
    },
    /// Events that are gone.
    Gap(Gap),
    /// Nothing more up to the durable head at this moment.
    End {
        /// Where to read again later.
        next: Seq,
    },
}

/// A cursor over the ledger. Never passes the durable head.
pub struct Reader {
    segments: Arc<Segments>,
    notices: Arc<Notices>,
    filter: Filter,
    at: u64,
    place: Option<Place>,
    backward: bool,
    waiting: VecDeque<Chunk>,
}

/// A segment that is being read.
struct Place {
    segment: Arc<Segment>,
    reach: u64,
    walker: Walker,
}

// What one call reads at most when a filter lets nothing through.
const SCAN_BYTES_MAX: usize = 2 << 20;
const READ_BYTES: std::ops::RangeInclusive<usize> = 16 << 10..=1 << 20;

impl Reader {
    pub(crate) fn forward(
        segments: Arc<Segments>,
        notices: Arc<Notices>,
        from: Seq,
        filter: &Filter,
    ) -> Self {
        Self::new(segments, notices, from, filter, false)
    }

    pub(crate) fn backward(
        segments: Arc<Segments>,
        notices: Arc<Notices>,
        from: Seq,
        filter: &Filter,
    ) -> Self {
        Self::new(segments, notices, from, filter, true)
    }

    fn new(
        segments: Arc<Segments>,
        notices: Arc<Notices>,
        from: Seq,
        filter: &Filter,
        backward: bool,
    ) -> Self {
        Self {
            segments,
            notices,
            filter: filter.clone(),
            at: from.get(),
            place: None,
            backward,
            waiting: VecDeque::new(),
        }
    }

    /// Where the next chunk begins.
    #[must_use]
    pub fn position(&self) -> Seq {
        seq(self.at)
    }

    /// The next chunk, about `bytes_max` of lines at most (at least one line). Looks at no more than a few blocks per
    /// call, so that a filtered read can be cancelled and its cursor moves.
    pub fn next_chunk(&mut self, bytes_max: usize) -> Result<Chunk, ReadError> {
        let head = self.segments.head();
        if self.backward {
            return self.next_back(head, bytes_max);
        }
        let first = self.segments.first();
        if self.at > head + 1 {
            return Ok(self.pass_gap(head + 1, GapReason::AheadOfLedger));
        }
        if self.at > head {
            return Ok(Chunk::End { next: seq(self.at) });
        }
        if self.at < first {
            let kept = self.segments.kept_from().min(first);
            return Ok(if self.at < kept {
                self.pass_gap(kept, GapReason::Retention)
            } else {
                self.pass_gap(first, GapReason::Damaged)
            });
        }
        self.read(head, bytes_max)
    }

    fn pass_gap(&mut self, first: u64, reason: GapReason) -> Chunk {
        let asked = std::mem::replace(&mut self.at, first);
        self.place = None;
        Chunk::Gap(Gap {
            asked: seq(asked),
            first: seq(first),
            lost: first.saturating_sub(asked),
            reason,
        })
    }

    fn read(&mut self, head: u64, bytes_max: usize) -> Result<Chunk, ReadError> {
        let mut place = match self.place.take() {
            Some(place) if place.reach >= self.at => place,
            _ => self.find_place()?,
        };
        place.walker.extend(&place.segment, head);
        let chunk = self
            .read_at(&mut place, bytes_max)
            .map_err(ReadError::io(place.segment.path()));
        self.place = Some(place);
        chunk
    }

    fn find_place(&self) -> Result<Place, ReadError> {
        let (segment, reach) = self
            .segments
            .of(self.at)
            .expect("a seq between first and head has a segment");
        let walker = Walker::new(&segment, segment.first, 0).map_err(ReadError::io(segment.path()))?;
        Ok(Place {
            segment,
            reach,
            walker,
        })
    }

    fn read_at(&mut self, place: &mut Place, bytes_max: usize) -> io::Result<Chunk> {
        let read_bytes = bytes_max.clamp(*READ_BYTES.start(), *READ_BYTES.end());
        let mut found = Found::new(bytes_max);
        loop {
            match place.walker.step() {
                Step::Line { start, end } => {
                    let line = place.walker.bytes(start, end - 1);
                    if place.walker.seq() > self.at && self.matches(line) {
                        found.take(start, end);
                    }
                    if found.is_full() || end > SCAN_BYTES_MAX {
                        break;
                    }
                }
                Step::Edge if found.is_empty() && place.walker.seq() <= self.at => {
                    place.walker.advance(read_bytes)?
                }
                Step::Edge if found.is_empty() => place.walker.more(read_bytes)?,
                Step::Edge | Step::Done => break,
                Step::Bad if place.walker.seq() > self.at => break,
                Step::Bad => {
                    let hole = place.walker.hole()?;
                    self.notices.damaged(hole.damage(place.segment.file_name()));
                    if hole.last >= self.at {
                        return Ok(self.pass_hole(hole.last + 1));
                    }
                }
            }
        }
        let to = place.walker.seq() - 1;
        self.at = to + 1;
        Ok(Chunk::Events {
            lines: found.lines(place.walker.take_window()),
            scanned_to: seq(to),
        })
    }

    /// A hole ends before the next good line: the place stays.
    fn pass_hole(&mut self, first: u64) -> Chunk {
        let asked = std::mem::replace(&mut self.at, first);
        Chunk::Gap(Gap {
            asked: seq(asked),
            first: seq(first),
            lost: first - asked,
            reason: GapReason::Damaged,
        })
    }

    fn matches(&self, line: &[u8]) -> bool {
        self.filter.is_all() || LineView::parse(line).is_ok_and(|view| self.filter.matches(&view))
    }

    fn next_back(&mut self, head: u64, _bytes_max: usize) -> Result<Chunk, ReadError> {
        if let Some(chunk) = self.waiting.pop_front() {
            return Ok(chunk);
        }
        let _ = head;
        Ok(Chunk::End { next: seq(self.at) })
    }
}

/// Lines of a window that match.
struct Found {
    spans: Vec<(usize, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Found {
    fn new(bytes_max: usize) -> Self {
        Self {
            spans: Vec::new(),
            bytes: 0,
            bytes_max,
        }
    }

    fn take(&mut self, start: usize, end: usize) {
        self.bytes += end - start;
        self.spans.push((start, end));
    }

    fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    fn lines(self, window: Bytes) -> MatchedLines {
        let (Some(&(start, _)), Some(&(_, end))) = (self.spans.first(), self.spans.last()) else {
            return MatchedLines::default();
        };
        if end - start == self.bytes {
            let ends = self.spans.iter().map(|&(_, end)| narrow(end - start)).collect();
            return MatchedLines {
                bytes: window.slice(start..end),
                ends,
            };
        }
        let mut bytes = Vec::with_capacity(self.bytes);
        let mut ends = Vec::with_capacity(self.spans.len());
        for (start, end) in self.spans {
            bytes.extend_from_slice(&window[start..end]);
            ends.push(narrow(bytes.len()));
        }
        MatchedLines {
            bytes: bytes.into(),
            ends,
        }
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect("a window is far smaller than 4 GiB")
}

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}
