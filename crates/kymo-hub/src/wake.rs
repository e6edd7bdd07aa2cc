//! Wakes readers that wait at the head, and of many only those for whom there is something.
//!
//! After each group the thread that writes calls [`Wake::committed`]. A few who wait are woken there and then, because that
//! is quickest for them. Of many nearly all may wait for something else, and waking one costs more than looking at an
//! event: then a task looks at what came, once for all, and ends the lulls of the feeds that it may be for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use kymo_event::Seq;
use tokio::sync::Notify;

use crate::{feeds::Feeds, ring::Ring};

/// Above this many who wait, or feeds, it leaves the waking to [`Wake::look_on`].
const WOKEN_BY_WRITER_MAX: usize = 64;
/// Looking whether an event is for a feed is worth it so often for each who waits; then waking all is cheaper.
const LOOKS_EACH: usize = 32;
/// All who wait are together told their cursors this often.
const REMINDED_EVERY: Duration = Duration::from_millis(2);
/// 2^32 divided by the golden ratio: its multiples divide a circle evenly, however many there are.
const STEP: u32 = 0x9e37_79b9;

/// See the module.
pub(crate) struct Wake {
    ring: Arc<Ring>,
    feeds: Arc<Feeds>,
    waiting: AtomicUsize,
    /// Everything before was looked at: what is for the feeds of lulls that go on is behind.
    looked: AtomicU64,
    many: Notify,
}

impl Wake {
    pub(crate) fn new(ring: Arc<Ring>, feeds: Arc<Feeds>) -> Self {
        Self {
            looked: AtomicU64::new(ring.horizon().end.get()),
            ring,
            feeds,
            waiting: AtomicUsize::new(0),
            many: Notify::new(),
        }
    }

    /// The ring was given something; called by the thread that writes.
    pub(crate) fn committed(&self) {
        match self.waiting.load(SeqCst) {
            0 => {}
            1..=WOKEN_BY_WRITER_MAX if self.feeds.wake_few(WOKEN_BY_WRITER_MAX, self.looked()) => {}
            _ => self.many.notify_one(),
        }
    }

    /// Looks on behalf of many, for as long as it is polled.
    pub(crate) async fn look_on(&self) {
        loop {
            self.many.notified().await;
            self.look();
            // Commits may come faster than looks end, and whom this one woke is to be polled by the same thread.
            tokio::task::yield_now().await;
        }
    }

    fn look(&self) {
        let (from, end) = (self.looked(), self.ring.horizon().end);
        let budget = LOOKS_EACH * self.waiting.load(SeqCst);
        // Who begins to wait from here on has passed `end`, so their lull need not be looked for.
        let looking = AssertUnwindSafe(|| {
            let chunks = self.ring.between(from, end)?;
            self.feeds.wake_those_for(&chunks, from, budget);
            Some(())
        });
        // A fault in looking at one event must not leave all who ever wait asleep: they look for themselves.
        let looked = catch_unwind(looking).unwrap_or_else(|_| {
            tracing::error!(%from, %end, "looking at events on behalf of many failed; all are woken");
            None
        });
        if looked.is_none() {
            self.feeds.wake_all(from);
        }
        self.looked.store(end.get(), SeqCst);
    }

    /// Wakes everyone, however many.
    pub(crate) fn everyone(&self) {
        self.feeds.wake_all(self.looked());
    }

    /// The first seq that was not looked at yet.
    pub(crate) fn looked(&self) -> Seq {
        Seq::new(self.looked.load(SeqCst)).expect("begins at a seq and rises")
    }

    /// Counts one who waits until the answer is dropped; to be asked before looking whether there is something already.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, SeqCst);
        Waiting(&self.waiting)
    }

    /// After which time reader `number` is told its cursor if nothing else is: within `usual` at the latest, or later
    /// where many wait; at different times, so that they do not come all at once.
    pub(crate) fn reminder(&self, usual: Duration, number: u32) -> Duration {
        let waiting = u32::try_from(self.waiting.load(SeqCst)).unwrap_or(u32::MAX);
        let latest = usual.max(REMINDED_EVERY.saturating_mul(waiting));
        let part = f64::from(number.wrapping_mul(STEP)) / 2_f64.powi(32);
        latest.mul_f64((1.0 + part) / 2.0)
    }
}

/// One who waits.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests;
