//! A stretch in which nothing comes for a feed, and the readers who wait through it together.
//!
//! Nobody is woken for what is not theirs: [`crate::wake::Wake`] looks at what was committed on behalf of all who wait,
//! and ends the lulls of those it may be for. Who comes back from a lull goes on behind what was looked at.

use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use kymo_event::Seq;
use tokio::sync::{Notify, futures::Notified};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lull {
    over: AtomicBool,
    /// Once over: the first seq that was not looked at.
    until: AtomicU64,
    bell: Notify,
}

impl Lull {
    /// Wakes everyone; everything before `until` was looked at and is not for them.
    pub(crate) fn end(&self, until: Seq) {
        self.until.store(until.get(), Relaxed);
        self.over.store(true, SeqCst);
        self.bell.notify_waiters();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Rung when it ends; who asks [`Lull::is_over`] after this misses nothing.
    pub(crate) fn bell(&self) -> Notified<'_> {
        self.bell.notified()
    }

    /// The first seq that may be for who waits here. `looked` is what had been looked at for all, drawn before this is
    /// asked: a lull that is not over by then was looked at so far, too.
    pub(crate) fn passed(&self, looked: Seq) -> Seq {
        if self.is_over() {
            Seq::new(self.until.load(Relaxed)).expect("an end was told as a seq")
        } else {
            looked
        }
    }
}
