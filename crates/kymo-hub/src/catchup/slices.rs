//! Reads one slice of the ledger and makes it into frames, on a blocking thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kymo_event::{LineView, Seq};
use kymo_ledger::{Chunk, Ledger, MatchedLines, ReadError, Reader};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{CatchUp, Item, LeftReader, ReadFailure, Slice, shelf::Claim};
use crate::{feeds::Feed, frames::Frame};

/// The answer of a read that is under way, for everybody who waits for it.
pub(super) type Pending = watch::Receiver<Option<Result<Slice, ReadFailure>>>;

/// A filter that matches nothing gives its place in the pool back after this long.
const SLICE_TIME_MAX: Duration = Duration::from_millis(20);

/// Begins to read the slice at `from`, or joins who reads it already.
pub(super) fn read(
    pool: &Arc<CatchUp>,
    feed: &Arc<Feed>,
    from: Seq,
    frames_max: usize,
    reader: LeftReader,
) -> Pending {
    let (sender, pending) = watch::channel(None);
    let shared = feed.is_shared();
    let mut limit = None;
    if shared {
        match pool.shelf.lock().claim(feed.number, from, &pending) {
            Claim::Pending(other) => return other,
            Claim::Read { limit: end } => limit = end,
        }
    }
    let (pool, feed) = (Arc::clone(pool), Arc::clone(feed));
    let frame_bytes_max = pool.frame_bytes_max;
    tokio::spawn(async move {
        let number = feed.number;
        let job = move |ledger: &Ledger| {
            let reader = reader.lock().take().filter(|reader| reader.position() == from);
            let reader = reader.unwrap_or_else(|| ledger.read(from, &feed.filter));
            Cutting::new(&feed, from, limit, frames_max, frame_bytes_max).run(reader)
        };
        // A reader that went away while it waited its turn needs nothing any more.
        let outcome = pool.read_unless(|| sender.is_closed(), job).await;
        let outcome = match outcome {
            Some(Ok(slice)) if slice.items.is_empty() => Err(format!("it ends before {from}").into()),
            Some(Ok(slice)) => Ok(slice),
            Some(Err(error)) => Err(in_words(&error)),
            None => Err("nobody waits for it".into()),
        };
        if shared {
            pool.shelf.lock().put(number, from, outcome.as_ref().ok());
        }
        sender.send_replace(Some(outcome));
    });
    pending
}

fn in_words(error: &ReadError) -> ReadFailure {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}").into(),
        None => error.to_string().into(),
    }
}

/// A slice in the making.
struct Cutting<'f> {
    feed: &'f Feed,
    limit: Option<Seq>,
    frames_max: usize,
    frame_bytes_max: usize,
    items: Vec<Item>,
    /// The frame in the making: its first seq, the seq after its last, its lines.
    from: Seq,
    next: Seq,
    lines: MatchedLines,
}

impl<'f> Cutting<'f> {
    fn new(feed: &'f Feed, from: Seq, limit: Option<Seq>, frames_max: usize, frame_bytes_max: usize) -> Self {
        Self {
            feed,
            limit,
            frames_max,
            frame_bytes_max,
            items: Vec::new(),
            from,
            next: from,
            lines: MatchedLines::default(),
        }
    }

    fn run(mut self, mut reader: Reader) -> Result<Slice, ReadError> {
        let deadline = Instant::now() + SLICE_TIME_MAX;
        loop {
            match reader.next_chunk(
                self.frame_bytes_max
                    .saturating_sub(self.lines.bytes().len())
                    .max(1),
            ) {
                Ok(Chunk::Events { lines, scanned_to }) => self.add(lines, scanned_to),
                Ok(Chunk::Gap(gap)) => {
                    self.reach(gap.asked);
                    self.cut();
                    let from = std::mem::replace(&mut self.from, gap.first);
                    self.next = gap.first;
                    self.items.push(Item::Gap { from, gap });
                    break;
                }
                Ok(Chunk::End { next }) => {
                    self.reach(next);
                    break;
                }
                Err(error) if self.items.is_empty() && self.next == self.from => return Err(error),
                // What was read before it is good; who reads on meets the error again.
                Err(_) => break,
            }
            if self.lines.bytes().len() >= self.frame_bytes_max / 4 * 3 {
                self.cut();
            }
            if self.items.len() >= self.frames_max || self.at_limit() || Instant::now() >= deadline {
                break;
            }
        }
        self.cut();
        let in_step = reader.position() == self.next;
        Ok(Slice {
            items: self.items.into(),
            reader: Arc::new(Mutex::new(in_step.then_some(reader))),
        })
    }

    fn add(&mut self, mut lines: MatchedLines, scanned_to: Seq) {
        let mut to = scanned_to;
        if let Some(limit) = self.limit.filter(|limit| *limit < scanned_to) {
            lines.truncate(lines_up_to(&lines, limit));
            to = limit;
        }
        self.lines.append(lines);
        self.reach(to.next());
    }

    /// Everything before `next` was looked at.
    fn reach(&mut self, next: Seq) {
        self.next = self.next.max(next);
    }

    fn at_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.next > limit)
    }

    /// Ends the frame in the making.
    fn cut(&mut self) {
        if self.next == self.from {
            return;
        }
        let to = self.next.prev().expect("it is after another seq");
        let frame: Frame = self.feed.frame_of_matches(std::mem::take(&mut self.lines), to);
        self.items.push(Item::Frame {
            from: self.from,
            frame,
        });
        self.from = self.next;
    }
}

fn lines_up_to(lines: &MatchedLines, limit: Seq) -> usize {
    let inside = |line: &&[u8]| LineView::parse(line).is_ok_and(|view| view.seq() <= limit);
    lines.iter().take_while(inside).count()
}
