//! Reads newest first: stretches of about a block are read forward and turned around.

use std::collections::VecDeque;

use super::{Chunk, Forward, found::Copied, gap, seq};
use crate::{GapReason, MatchedLines, ReadError, scan};

// What is kept of a stretch; of a longer one the newest part is taken first.
const STRETCH_BYTES: usize = 4 << 20;
const CHUNK_BYTES: usize = 256 << 10;
const STRETCHES_MAX: usize = 64;

/// The state of a reader that goes backward.
pub(crate) struct Backward {
    /// The newest seq not yet looked at; zero when there is none.
    at: u64,
    /// Chunks that are ready, each with the place behind it.
    ready: VecDeque<(Chunk, u64)>,
    ended: bool,
}

impl Backward {
    pub(crate) fn new(at: u64) -> Self {
        Self {
            at,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.at.max(1)
    }

    pub(crate) fn next_chunk(&mut self, forward: &mut Forward, bytes_max: usize) -> Result<Chunk, ReadError> {
        self.at = self.at.min(forward.source.segments.head());
        for _ in 0..STRETCHES_MAX {
            if let Some((chunk, behind)) = self.ready.pop_front() {
                self.at = behind;
                return Ok(chunk);
            }
            if self.at < forward.source.segments.first() {
                return Ok(self.end(forward));
            }
            self.read_stretch(forward, bytes_max)?;
        }
        Ok(Chunk::Events {
            lines: MatchedLines::default(),
            scanned_to: seq(self.at + 1),
        })
    }

    fn end(&mut self, forward: &Forward) -> Chunk {
        let first = forward.source.segments.first();
        if std::mem::replace(&mut self.ended, true) {
            return Chunk::End { next: seq(first) };
        }
        let kept = forward.source.segments.kept().from.min(first);
        if kept < first {
            self.ready.push_back((gap(kept, first, GapReason::Damaged), 0));
        }
        if kept > 1 {
            self.ready.push_back((gap(1, kept, GapReason::Retention), 0));
        }
        self.at = 0;
        self.ready
            .pop_front()
            .map_or(Chunk::End { next: seq(first) }, |(chunk, _)| chunk)
    }

    fn read_stretch(&mut self, forward: &mut Forward, bytes_max: usize) -> Result<(), ReadError> {
        let start = beginning(forward, self.at)?;
        let stretch = gather(forward, start, self.at)?;
        self.at = stretch.from - 1;
        for (chunk, low) in stretch.chunks.into_iter().rev() {
            match chunk {
                Chunk::Events { lines, .. } => self.turn(&lines, low, bytes_max),
                other => self.ready.push_back((other, low - 1)),
            }
        }
        Ok(())
    }

    /// Readies lines newest first, in chunks of about `bytes_max`; `low` is the lowest seq they stand for.
    fn turn(&mut self, lines: &MatchedLines, low: u64, bytes_max: usize) {
        let mut turned = Copied::default();
        for index in (0..lines.len()).rev() {
            let (line, end) = (lines.line(index), lines.ends()[index] as usize);
            turned.take(&lines.bytes()[end - line.len() - 1..end]);
            if index > 0 && turned.bytes() >= bytes_max {
                let to = scan::seq_of(line).unwrap_or(low);
                self.push(std::mem::take(&mut turned).lines(), to);
            }
        }
        if !lines.is_empty() {
            self.push(turned.lines(), low);
        }
    }

    fn push(&mut self, lines: MatchedLines, to: u64) {
        let chunk = Chunk::Events {
            lines,
            scanned_to: seq(to),
        };
        self.ready.push_back((chunk, to - 1));
    }
}

/// Where the stretch that ends at `at` begins: with its block, or behind the last indexed one.
fn beginning(forward: &Forward, at: u64) -> Result<u64, ReadError> {
    let segments = &forward.source.segments;
    let Some(segment) = segments.of(at) else {
        return Ok(segments.first());
    };
    let index = segment.index().map_err(ReadError::io(segment.index_path()))?;
    Ok(match index.block_before(at) {
        None => segment.first,
        Some(block) if block.last() < at => block.last() + 1,
        Some(block) => block.first,
    })
}

struct Stretch {
    /// The lowest seq it stands for.
    from: u64,
    chunks: VecDeque<(Chunk, u64)>,
}

/// Reads from `start` to `to`, keeping the newest [`STRETCH_BYTES`] or so, each chunk with the lowest seq it stands
/// for.
fn gather(forward: &mut Forward, start: u64, to: u64) -> Result<Stretch, ReadError> {
    (forward.at, forward.limit) = (start, to);
    let (mut chunks, mut bytes) = (VecDeque::<(Chunk, u64)>::new(), 0);
    let mut from = start;
    loop {
        let low = forward.at;
        let chunk = forward.next_chunk(CHUNK_BYTES)?;
        bytes += match &chunk {
            Chunk::End { .. } => return Ok(Stretch { from, chunks }),
            chunk => size(chunk),
        };
        chunks.push_back((chunk, low));
        while bytes - size(&chunks[0].0) >= STRETCH_BYTES {
            bytes -= size(&chunks[0].0);
            chunks.pop_front();
            from = chunks[0].1;
        }
    }
}

fn size(chunk: &Chunk) -> usize {
    match chunk {
        Chunk::Events { lines, .. } => lines.bytes().len(),
        _ => 0,
    }
}
