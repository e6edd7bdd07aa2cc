//! Reads one slice of the ledger and makes it into frames, on a blocking thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kymo_event::{LineView, Seq};
use kymo_ledger::{Chunk, MatchedLines, ReadError, Reader};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, watch};

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
    let reading = Reading {
        pool: Arc::clone(pool),
        feed: Arc::clone(feed),
        from,
        limit,
        frames_max,
        reader,
        shared,
        sender,
    };
    // From here to the blocking thread and from there to who waits: a task in between would be woken twice for nothing.
    match Arc::clone(&pool.reads).try_acquire_owned() {
        Ok(turn) => reading.begin(turn),
        Err(_) => {
            tokio::spawn(async move {
                let turn = Arc::clone(&reading.pool.reads).acquire_owned().await;
                reading.begin(turn.expect("the pool is never closed"));
            });
        }
    }
    pending
}

/// A slice that is to be read, and who is told.
struct Reading {
    pool: Arc<CatchUp>,
    feed: Arc<Feed>,
    from: Seq,
    limit: Option<Seq>,
    frames_max: usize,
    reader: LeftReader,
    shared: bool,
    sender: watch::Sender<Option<Result<Slice, ReadFailure>>>,
}

impl Reading {
    fn begin(self, turn: OwnedSemaphorePermit) {
        tokio::task::spawn_blocking(move || self.run(turn));
    }

    fn run(self, turn: OwnedSemaphorePermit) {
        // A reader that went away while it waited its turn needs nothing any more.
        let outcome = match self.sender.is_closed() {
            true => Err("nobody waits for it".into()),
            false => self.slice(),
        };
        drop(turn);
        if self.shared {
            let mut shelf = self.pool.shelf.lock();
            shelf.put(self.feed.number, self.from, outcome.as_ref().ok());
        }
        self.sender.send_replace(Some(outcome));
    }

    fn slice(&self) -> Result<Slice, ReadFailure> {
        let left = self.reader.lock().take();
        let reader = left
            .filter(|reader| reader.position() == self.from)
            .unwrap_or_else(|| self.pool.ledger.read(self.from, &self.feed.filter));
        let frame_bytes_max = self.pool.frame_bytes_max;
        let cutting = Cutting::new(
            &self.feed,
            self.from,
            self.limit,
            self.frames_max,
            frame_bytes_max,
        );
        match cutting.run(reader) {
            Ok(slice) if slice.items.is_empty() => Err(format!("it ends before {}", self.from).into()),
            Ok(slice) => Ok(slice),
            Err(error) => Err(in_words(&error)),
        }
    }
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
