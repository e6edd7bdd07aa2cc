//! Wakes readers that wait at the head.
//!
//! The writer's thread calls [`Wake::wake`] after each group. Few sleepers are woken there and then, because that is
//! quickest for them; many are woken by a task, because the writer has better things to do.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// Above this many sleepers the writer's thread leaves the waking to [`Wake::pump`].
const WOKEN_BY_WRITER_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Wake {
    sleepers: AtomicUsize,
    bell: Notify,
    many: Notify,
}

impl Wake {
    /// Something changed that sleepers wait for; call after it can be seen.
    pub(crate) fn wake(&self) {
        match self.sleepers.load(SeqCst) {
            0 => {}
            1..=WOKEN_BY_WRITER_MAX => self.bell.notify_waiters(),
            _ => self.many.notify_one(),
        }
    }

    /// Sleeps until the next wake, unless `ready` says there is something already. `ready` is asked once the sleeper
    /// is on the list, so nothing that happens in between is missed.
    pub(crate) async fn sleep_unless(&self, ready: impl FnOnce() -> bool) {
        let _counted = Counted::new(&self.sleepers);
        let bell = self.bell.notified();
        tokio::pin!(bell);
        bell.as_mut().enable();
        if !ready() {
            bell.await;
        }
    }

    /// Wakes many sleepers on behalf of the writer, for as long as it is polled.
    pub(crate) async fn pump(&self) {
        loop {
            self.many.notified().await;
            self.bell.notify_waiters();
        }
    }

    /// Wakes everyone, however many.
    pub(crate) fn wake_all(&self) {
        self.bell.notify_waiters();
    }
}

struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, SeqCst);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
