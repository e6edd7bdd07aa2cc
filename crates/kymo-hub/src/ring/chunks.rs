//! What the ring holds: chunks of committed lines, each with the frames built from it, and what they weigh.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{Arc, OnceLock},
};

use kymo_event::Seq;
use kymo_ledger::Lines;
use parking_lot::Mutex;

use crate::frames::Frame;

/// What a chunk costs beside its lines: group commits of single events would else count for little.
const CHUNK_OVERHEAD_BYTES: usize = 512;
/// All chunks, oldest first.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) chunks: VecDeque<Arc<Chunk>>,
    /// Number of the front chunk; numbers rise by one.
    pub(super) front: u64,
    pub(super) line_bytes: usize,
    pub(super) frame_bytes: usize,
    /// Chunks before this number have no frames.
    pub(super) frameless: u64,
}

/// Some lines of a group.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) number: u64,
    lines: Lines,
    /// Indexes in `lines`.
    range: Range<usize>,
    bytes: usize,
    pub(super) frames: Mutex<Frames>,
}

#[derive(Debug, Default)]
pub(super) struct Frames {
    /// By feed and number of chunks.
    pub(super) built: HashMap<(u32, usize), Arc<OnceLock<Frame>>>,
    pub(super) bytes: usize,
}

impl Chunk {
    pub(super) fn first(&self) -> Seq {
        self.lines.first.plus(self.range.start as u64)
    }

    pub(super) fn last(&self) -> Seq {
        self.lines.first.plus(self.range.end as u64 - 1)
    }

    pub(super) fn lines_from(&self, from: Seq) -> impl Iterator<Item = &[u8]> + Clone {
        let skipped = from.get().saturating_sub(self.first().get());
        let start = self.range.start + usize::try_from(skipped).expect("the chunk holds the seq");
        (start..self.range.end).map(|index| self.lines.line(index))
    }
}

impl Held {
    pub(super) fn add(&mut self, lines: &Lines, range: Range<usize>, bytes: usize) {
        let bytes = bytes + CHUNK_OVERHEAD_BYTES;
        self.line_bytes += bytes;
        self.chunks.push_back(Arc::new(Chunk {
            number: self.front + self.chunks.len() as u64,
            lines: lines.clone(),
            range,
            bytes,
            frames: Mutex::default(),
        }));
    }

    /// The first chunk that ends at or after `from`. Most readers want the newest.
    pub(super) fn index_of(&self, from: Seq) -> usize {
        let newest = self.chunks.len().saturating_sub(1);
        match self.chunks.get(newest) {
            Some(chunk) if chunk.first() <= from => newest + usize::from(chunk.last() < from),
            _ => self.chunks.partition_point(|chunk| chunk.last() < from),
        }
    }

    pub(super) fn can_run(&self, index: usize, run: usize, bytes_max: usize) -> bool {
        let Some(first) = self.chunks.get(index) else {
            return false;
        };
        if first.number % run as u64 != 0 || index + run > self.chunks.len() {
            return false;
        }
        let mut room = bytes_max;
        self.chunks.range(index..index + run).all(|chunk| {
            let fits = room.checked_sub(chunk.bytes - CHUNK_OVERHEAD_BYTES);
            room = fits.unwrap_or(0);
            fits.is_some()
        })
    }

    pub(super) fn drop_oldest_chunk(&mut self) {
        let chunk = self.chunks.pop_front().expect("bytes come from chunks");
        self.front += 1;
        self.line_bytes -= chunk.bytes;
        self.frame_bytes -= chunk.frames.lock().bytes;
    }

    pub(super) fn drop_oldest_frames(&mut self) {
        let from = usize::try_from(self.frameless.saturating_sub(self.front)).unwrap_or(0);
        for chunk in self.chunks.range(from.min(self.chunks.len())..) {
            let frames = std::mem::take(&mut *chunk.frames.lock());
            self.frameless = chunk.number + 1;
            if frames.bytes > 0 {
                self.frame_bytes -= frames.bytes;
                return;
            }
        }
        debug_assert!(false, "frame bytes come from chunks");
        self.frame_bytes = 0;
    }
}

/// Ranges of lines of about `bytes_max` bytes, each at least one line.
pub(super) fn cuts(lines: &Lines, bytes_max: usize) -> impl Iterator<Item = (Range<usize>, usize)> {
    let offset = |index: usize| {
        index
            .checked_sub(1)
            .map_or(0, |before| lines.ends[before] as usize)
    };
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        let limit = offset(start) + bytes_max;
        let fitting = lines.ends[start..].partition_point(|end| *end as usize <= limit);
        next = (start + fitting.max(1)).min(lines.len());
        (start < lines.len()).then(|| (start..next, offset(next) - offset(start)))
    })
}
