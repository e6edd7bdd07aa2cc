//! A cursor over the ledger: lines in order, holes declared, never past the durable head.
//!
//! `place` reads one segment, `found` collects what matches, `backward` turns stretches around.

mod backward;
mod found;
mod place;

use std::sync::Arc;

use kymo_event::{Filter, Seq};

use crate::{
    Gap, GapReason, MatchedLines, ReadError, buffers::Buffers, notices::Notices, segments::Segments,
};
use backward::Backward;
use place::Place;

/// One step of a [`Reader`].
#[derive(Debug)]
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
    /// Nothing more up to the durable head (backward: down to the first event) at this moment.
    End {
        /// Where to read again later.
        next: Seq,
    },
}

/// A cursor over the ledger. Never passes the durable head.
pub struct Reader {
    forward: Forward,
    backward: Option<Backward>,
}

impl Reader {
    pub(crate) fn forward(source: Source, from: Seq, filter: &Filter) -> Self {
        Self {
            forward: Forward::new(source, from.get(), filter.clone()),
            backward: None,
        }
    }

    pub(crate) fn backward(source: Source, from: Seq, filter: &Filter) -> Self {
        Self {
            forward: Forward::new(source, from.get(), filter.clone()),
            backward: Some(Backward::new(from.get())),
        }
    }

    /// Where the next chunk begins.
    #[must_use]
    pub fn position(&self) -> Seq {
        seq(self.backward.as_ref().map_or(self.forward.at, Backward::position))
    }

    /// The next chunk, about `bytes_max` of lines at most (at least one line). Looks at no more than a few blocks per
    /// call, so that a filtered read can be cancelled and its cursor moves.
    pub fn next_chunk(&mut self, bytes_max: usize) -> Result<Chunk, ReadError> {
        match &mut self.backward {
            None => self.forward.next_chunk(bytes_max),
            Some(backward) => backward.next_chunk(&mut self.forward, bytes_max),
        }
    }
}

/// What readers read from, and whom they tell of damage.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) segments: Arc<Segments>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) buffers: Buffers,
}

/// A cursor that goes forward, to the head or to a limit below it.
pub(crate) struct Forward {
    source: Source,
    filter: Filter,
    at: u64,
    limit: u64,
    place: Option<Place>,
}

impl Forward {
    pub(crate) fn new(source: Source, at: u64, filter: Filter) -> Self {
        Self {
            source,
            filter,
            at,
            limit: u64::MAX,
            place: None,
        }
    }

    fn next_chunk(&mut self, bytes_max: usize) -> Result<Chunk, ReadError> {
        loop {
            let head = self.source.segments.head().min(self.limit);
            if let Some(chunk) = self.outside(head) {
                return Ok(chunk);
            }
            let mut place = match self.place.take().filter(|place| place.has(self.at)) {
                Some(place) => place,
                None => match self.find_place()? {
                    Some(place) => place,
                    // Retention took the segment between two looks.
                    None => continue,
                },
            };
            let chunk = place
                .read(&mut self.at, head, &self.filter, &self.source.notices, bytes_max)
                .map_err(ReadError::io(place.path()));
            self.place = Some(place);
            return chunk;
        }
    }

    /// The answer where there is nothing to read: behind the head, or before the first event.
    fn outside(&mut self, head: u64) -> Option<Chunk> {
        if self.at > head + 1 && self.limit == u64::MAX {
            return Some(self.pass(head + 1, GapReason::AheadOfLedger));
        }
        if self.at > head {
            return Some(Chunk::End { next: seq(self.at) });
        }
        let first = self.source.segments.first();
        if self.at >= first {
            return None;
        }
        let kept = self.source.segments.kept().from.min(first);
        Some(match self.at < kept {
            true => self.pass(kept, GapReason::Retention),
            false => self.pass(first, GapReason::Damaged),
        })
    }

    fn pass(&mut self, first: u64, reason: GapReason) -> Chunk {
        self.place = None;
        let asked = std::mem::replace(&mut self.at, first);
        gap(asked, first, reason)
    }

    fn find_place(&self) -> Result<Option<Place>, ReadError> {
        let Some(segment) = self.source.segments.of(self.at) else {
            return Ok(None);
        };
        let path = segment.path();
        let place = Place::new(segment, self.source.buffers.clone()).map_err(ReadError::io(path))?;
        // A file that is not there is either a segment just removed, or damage.
        Ok((self.at >= self.source.segments.first()).then_some(place))
    }
}

pub(crate) fn gap(asked: u64, first: u64, reason: GapReason) -> Chunk {
    Chunk::Gap(Gap {
        asked: seq(asked),
        first: seq(first),
        lost: first.saturating_sub(asked),
        reason,
    })
}

pub(crate) fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}
