//! What the ring holds: chunks of committed lines, each with the frames built from it, and what they weigh.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{Arc, OnceLock},
};

use kymo_event::{Filter, LineSpans, LineView, Seq};
use kymo_ledger::Lines;
use parking_lot::Mutex;

use crate::frames::{Frame, view};

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
pub(crate) struct Chunk {
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
    /// What the lines look like inside, once a second filter asks.
    spans: Arc<OnceLock<Box<[LineSpans]>>>,
    /// Whether a filter looked through the lines.
    filtered: bool,
    pub(super) bytes: usize,
}

impl Chunk {
    pub(crate) fn first(&self) -> Seq {
        self.lines.first.plus(self.range.start as u64)
    }

    pub(crate) fn last(&self) -> Seq {
        self.lines.first.plus(self.range.end as u64 - 1)
    }

    pub(crate) fn lines_from(&self, from: Seq) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let skipped = from.get().saturating_sub(self.first().get());
        let start = self.range.start + usize::try_from(skipped).expect("the chunk holds the seq");
        (start..self.range.end).map(|index| self.lines.line(index))
    }

    /// Adds what matches from `from` on. The lines are read once for all filters but the first, which may well be the
    /// only one. Returns how many bytes are kept for that from now on.
    pub(super) fn select<'c>(
        &'c self,
        from: Seq,
        filter: &Filter,
        selected: &mut Vec<LineView<'c>>,
    ) -> usize {
        let (first, slot) = {
            let mut frames = self.frames.lock();
            let first = !std::mem::replace(&mut frames.filtered, true);
            (first, Arc::clone(&frames.spans))
        };
        let mut kept_bytes = 0;
        let lines = self.lines_from(from);
        let skipped = self.range.len() - lines.len();
        if !first {
            let spans = slot.get_or_init(|| {
                let spans = self.read();
                kept_bytes = size_of_val(&*spans);
                spans
            });
            if let Some(spans) = spans.get(skipped..).filter(|spans| spans.len() == lines.len()) {
                let views = lines
                    .zip(spans)
                    .filter_map(|(line, spans)| LineView::with_spans(line, spans));
                selected.extend(views.filter(|view| filter.matches(view)));
                return kept_bytes;
            }
        }
        selected.extend(lines.filter_map(view).filter(|view| filter.matches(view)));
        kept_bytes
    }

    fn read(&self) -> Box<[LineSpans]> {
        let views = self.lines_from(self.first()).filter_map(view);
        views.map(|view| view.spans()).collect()
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
