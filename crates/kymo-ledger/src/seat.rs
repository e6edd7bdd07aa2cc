//! The writer's seat: one writer, and who lends it a thread.
//!
//! The ledger's own thread takes the seat when it was woken for what waits. A caller that has a thread at hand and
//! nothing better to do with it may sit down itself ([`Seat::commit_here`]): that spares two wake-ups of other threads,
//! which cost a lone event about as much as the disk does.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;

use crate::{AppendError, core::Core, queue::Waited, writer::Writer};

/// The writer, and the right to run it.
pub(crate) struct Seat {
    core: Arc<Core>,
    writer: Mutex<Writer>,
}

impl Seat {
    pub(crate) fn new(core: Arc<Core>, writer: Writer) -> Self {
        Self {
            core,
            writer: Mutex::new(writer),
        }
    }

    /// The ledger's own thread: works until the queue is closed and empty.
    pub(crate) fn run(&self) {
        // Whatever ends this thread, nobody waits for it for ever.
        let _closes = ClosesQueue(&self.core);
        let mut deadline = None;
        loop {
            match self.core.queue.wait(deadline) {
                Waited::Filled => {
                    let mut writer = self.writer.lock();
                    deadline = self.unharmed(|| {
                        writer.gather_and_commit();
                        if writer.sync_by().is_some_and(|by| by <= Instant::now()) {
                            writer.sync_late();
                        }
                        writer.sync_by()
                    });
                }
                Waited::Late => {
                    self.writer.lock().sync_late();
                    deadline = None;
                }
                Waited::Closed => break,
            }
        }
        self.writer.lock().sync_late();
    }

    /// Commits one group of what waits on the calling thread, unless another thread has the seat; whether it did. What
    /// is left afterwards is the ledger's own thread's.
    pub(crate) fn commit_here(&self) -> bool {
        // Who has the seat looks at the queue once more after leaving it, and finds what we put there.
        let Some(mut writer) = self.writer.try_lock() else {
            return false;
        };
        self.unharmed(|| {
            writer.commit_waiting();
            // Only the ledger's own thread comes back later for what relaxed durability left.
            writer.sync_late();
        });
        drop(writer);
        self.core.queue.rouse();
        true
    }

    /// Lets nobody have a writer that stopped halfway: if `work` panics, everybody is answered before the seat is free.
    fn unharmed<T>(&self, work: impl FnOnce() -> T) -> T {
        let closes = ClosesQueue(&self.core);
        let done = work();
        std::mem::forget(closes);
        done
    }
}

/// Answers everybody once the writer cannot go on.
struct ClosesQueue<'c>(&'c Core);

impl Drop for ClosesQueue<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
        for pending in self.0.queue.take(usize::MAX) {
            (pending.done)(Err(AppendError::Closed));
        }
    }
}
