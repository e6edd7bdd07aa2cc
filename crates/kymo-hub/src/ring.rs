//! The newest committed events in memory, and the frames built from them.
//!
//! Groups are cut into chunks of about one frame. A frame is built once per feed and chunk, by the first reader who
//! wants it, and shared by all; a reader that lags a little is given runs of small chunks as one frame, aligned so
//! that others who lag share those too. A line is looked into once for all filters. Lines, frames and what is known of
//! lines together stay within a bound.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use kymo_event::Seq;
use kymo_ledger::Lines;
use parking_lot::Mutex;

use crate::{feeds::Feed, frames::Frame, subscription::Horizon};

mod chunks;

pub(crate) use chunks::Chunk;
use chunks::Held;

/// Runs of so many chunks, beginning at a multiple of it, may become one frame.
const RUNS: [usize; 2] = [64, 8];

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes_max: usize,
    chunk_bytes_max: usize,
    held: Mutex<Held>,
    first: AtomicU64,
    end: AtomicU64,
    closing: AtomicBool,
}

impl Ring {
    /// An empty ring behind a ledger whose next seq is `end`.
    pub(crate) fn new(bytes_max: usize, chunk_bytes_max: usize, end: Seq) -> Self {
        Self {
            bytes_max,
            chunk_bytes_max,
            held: Mutex::default(),
            first: AtomicU64::new(end.get()),
            end: AtomicU64::new(end.get()),
            closing: AtomicBool::new(false),
        }
    }

    /// Takes a durable group. Called by the thread that writes, in seq order.
    pub(crate) fn push(&self, lines: &Lines) {
        if lines.is_empty() {
            return;
        }
        let mut held = self.held.lock();
        for (range, bytes) in chunks::cuts(lines, self.chunk_bytes_max) {
            held.add(lines, range, bytes);
        }
        let end = lines.last().next();
        self.trim(&mut held, end);
        self.end.store(end.get(), SeqCst);
    }

    /// Nothing follows what was pushed.
    pub(crate) fn close(&self) {
        self.closing.store(true, SeqCst);
    }

    pub(crate) fn horizon(&self) -> Horizon {
        // `closing` first: who sees it sees the last `end`, too.
        let closing = self.closing.load(SeqCst);
        let seq = |at: &AtomicU64| Seq::new(at.load(SeqCst)).expect("begins at a seq and rises");
        Horizon {
            ring_first: seq(&self.first),
            end: seq(&self.end),
            closing,
        }
    }

    /// Bytes of lines and frames.
    pub(crate) fn bytes(&self) -> usize {
        let held = self.held.lock();
        held.line_bytes + held.frame_bytes
    }

    /// The chunks with what was pushed from `from` up to `end`; `None` when the ring has moved on.
    pub(crate) fn between(&self, from: Seq, end: Seq) -> Option<Vec<Arc<Chunk>>> {
        let held = self.held.lock();
        if from < end && held.chunks.front().is_none_or(|chunk| from < chunk.first()) {
            return None;
        }
        let chunks = held.chunks.range(held.index_of(from).min(held.chunks.len())..);
        Some(chunks.take_while(|chunk| chunk.first() < end).cloned().collect())
    }

    /// Looks at one line, if the ring holds it.
    pub(crate) fn with_line<T>(&self, seq: Seq, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (chunk, _) = self.find(seq)?;
        let line = chunk.lines_from(seq).next()?;
        Some(look(line))
    }

    /// What `feed` gets from `from` on; `None` when the ring has moved on.
    pub(crate) fn frame(&self, feed: &Feed, from: Seq) -> Option<Frame> {
        let (chunk, run) = self.find(from)?;
        if chunk.first() != from {
            return Some(self.build(feed, from, &[chunk]));
        }
        if !feed.is_shared() {
            return Some(self.build(feed, from, &self.run(&chunk, run)?));
        }
        let slot = Arc::clone(chunk.frames.lock().built.entry((feed.number, run)).or_default());
        if let Some(frame) = slot.get() {
            return Some(frame.clone());
        }
        let chunks = self.run(&chunk, run)?;
        let mut built_bytes = None;
        let frame = slot.get_or_init(|| {
            let frame = self.build(feed, from, &chunks);
            built_bytes = Some(frame.bytes.as_ref().map_or(0, bytes::Bytes::len));
            frame
        });
        let frame = frame.clone();
        if let Some(bytes) = built_bytes {
            self.charge(&chunk, bytes);
        }
        Some(frame)
    }

    fn build(&self, feed: &Feed, from: Seq, chunks: &[Arc<Chunk>]) -> Frame {
        let last = chunks.last().expect("a run has chunks").last();
        if feed.filter.is_all() {
            return feed.frame_of_lines(chunks.iter().flat_map(|chunk| chunk.lines_from(from)), last);
        }
        let mut selected = Vec::new();
        for chunk in chunks {
            let kept_bytes = chunk.select(from, &feed.filter, &mut selected);
            if kept_bytes > 0 {
                self.charge(chunk, kept_bytes);
            }
        }
        feed.frame_of_views(&selected, last)
    }

    /// The chunk that holds `from`, and how many chunks may be taken at once from there.
    fn find(&self, from: Seq) -> Option<(Arc<Chunk>, usize)> {
        let held = self.held.lock();
        let index = held.index_of(from);
        let chunk = held.chunks.get(index).filter(|chunk| chunk.first() <= from)?;
        let run = RUNS
            .into_iter()
            .find(|run| held.can_run(index, *run, self.chunk_bytes_max));
        Some((Arc::clone(chunk), run.unwrap_or(1)))
    }

    fn run(&self, first: &Arc<Chunk>, run: usize) -> Option<Vec<Arc<Chunk>>> {
        if run == 1 {
            return Some(vec![Arc::clone(first)]);
        }
        let held = self.held.lock();
        let index = usize::try_from(first.number.checked_sub(held.front)?).ok()?;
        Some(held.chunks.range(index..index + run).cloned().collect())
    }

    fn charge(&self, chunk: &Chunk, bytes: usize) {
        let mut held = self.held.lock();
        if chunk.number < held.front {
            return;
        }
        chunk.frames.lock().bytes += bytes;
        held.frame_bytes += bytes;
        held.frameless = held.frameless.min(chunk.number);
        let end = Seq::new(self.end.load(SeqCst)).expect("begins at a seq and rises");
        self.trim(&mut held, end);
    }

    fn trim(&self, held: &mut Held, end: Seq) {
        while held.line_bytes + held.frame_bytes > self.bytes_max {
            // Frames can be built again; lines keep readers live. Frames get half at most.
            if held.frame_bytes > self.bytes_max / 2 {
                held.drop_oldest_frames();
            } else {
                held.drop_oldest_chunk();
            }
        }
        let first = held.chunks.front().map_or(end, |chunk| chunk.first());
        self.first.store(first.get(), SeqCst);
    }
}

#[cfg(test)]
mod tests;
