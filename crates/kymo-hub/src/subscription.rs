//! What a reader is owed next: a cursor over ring and ledger as a pure state machine.
//!
//! A [`Subscription`] never skips a seq and never goes back: every seq is passed once, by a frame, by a frame without
//! events, or by a gap that was told. It does no I/O and knows no clock; `subscriber.rs` asks it for the next step,
//! does what it says and reports how far that went.

use kymo_event::Seq;
use kymo_ledger::Gap;

/// A reader that is awake and whose filter matches nothing is told its cursor after this many seqs at the latest: few
/// enough to look through again on resuming, enough that hundreds of such readers cost little at full speed. (Those that
/// sleep are told by time.) The model tests with less.
pub(crate) const CURSOR_EVERY_SEQS: u64 = if cfg!(test) { 1_024 } else { 16_384 };

/// What is where at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// First seq the ring holds; `end` while it holds nothing.
    pub(crate) ring_first: Seq,
    /// The seq after the newest durable one the ring was told of.
    pub(crate) end: Seq,
    /// Nothing will follow `end`.
    pub(crate) closing: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing, until something is committed.
    Wait,
    /// Hand on what the ring holds from here.
    Ring(Seq),
    /// Hand on what the ledger holds from here.
    Ledger(Seq),
    /// Tell of events that are gone.
    Gap(Gap),
    /// Tell that everything up to the cursor is sent.
    CaughtUp { cursor: Option<Seq> },
    /// Tell that the ring has moved on.
    FellBehind { cursor: Option<Seq>, lag_events: u64 },
    /// Tell that nothing follows.
    Closing { cursor: Option<Seq> },
}

/// Where one reader is.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Everything before was passed.
    next: Seq,
    /// Everything before was passed and the reader knows it.
    told: Seq,
    /// The gap between what was asked and where it begins.
    opening: Option<Gap>,
    live: bool,
}

impl Subscription {
    /// A reader that begins at `next`; `opening` is told first.
    pub(crate) fn new(next: Seq, opening: Option<Gap>) -> Self {
        Self {
            next,
            told: next,
            opening,
            live: false,
        }
    }

    /// The seq to be passed next.
    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    /// Everything up to here was passed.
    pub(crate) fn cursor(&self) -> Option<Seq> {
        self.next.prev()
    }

    /// Whether it was told that it caught up, and has not fallen behind since.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// What to do now. Steps that tell something are told by being returned; the others are reported by
    /// [`Subscription::pass`] or [`Subscription::lose`].
    pub(crate) fn step(&mut self, horizon: Horizon) -> Step {
        if let Some(gap) = self.opening.take() {
            return Step::Gap(gap);
        }
        // A read of the ledger may have seen more than the ring was told of: then `next` is beyond `end`.
        if self.next >= horizon.end {
            return self.at_the_end(horizon);
        }
        if self.next >= horizon.ring_first {
            return Step::Ring(self.next);
        }
        if self.live {
            self.live = false;
            self.told = self.next;
            return Step::FellBehind {
                cursor: self.cursor(),
                lag_events: horizon.end.get() - self.next.get(),
            };
        }
        if horizon.closing {
            return self.closing();
        }
        Step::Ledger(self.next)
    }

    fn at_the_end(&mut self, horizon: Horizon) -> Step {
        if self.live {
            return if horizon.closing {
                self.closing()
            } else {
                Step::Wait
            };
        }
        self.live = true;
        self.told = self.next;
        Step::CaughtUp {
            cursor: self.cursor(),
        }
    }

    fn closing(&self) -> Step {
        Step::Closing {
            cursor: self.cursor(),
        }
    }

    /// Everything up to `to` was looked at and `events` of it match. Returns the cursor of the frame that must be
    /// handed on now: always when something matches, else when the reader has not heard of its cursor for long.
    pub(crate) fn pass(&mut self, to: Seq, events: usize) -> Option<Seq> {
        debug_assert!(to >= self.next, "a cursor never goes back");
        self.next = to.next();
        (events > 0 || self.untold_seqs() >= CURSOR_EVERY_SEQS).then(|| self.tell())
    }

    /// A gap met on the way. Returns it when it lies ahead and must be told.
    pub(crate) fn lose(&mut self, gap: Gap) -> Option<Gap> {
        if gap.first <= self.next {
            return None;
        }
        self.next = gap.first;
        self.told = self.next;
        Some(gap)
    }

    /// Seqs that were passed without the reader knowing.
    pub(crate) fn untold_seqs(&self) -> u64 {
        self.next.get() - self.told.get()
    }

    /// The cursor to tell now, after a while without a match; `None` when the reader knows it.
    pub(crate) fn remind(&mut self) -> Option<Seq> {
        (self.untold_seqs() > 0).then(|| self.tell())
    }

    fn tell(&mut self) -> Seq {
        self.told = self.next;
        self.next.prev().expect("something was passed")
    }
}

#[cfg(test)]
mod tests;
