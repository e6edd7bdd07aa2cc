//! Counts the batches that the ledger was given and has not answered; closed, it lets none in and waits for the rest.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    closing: AtomicBool,
    inside: AtomicUsize,
    left: Notify,
}

/// A batch between hand-over and answer.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Gate>);

impl Gate {
    /// `None` once the gate is closing.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        // Counted first and asked then, so that who closes either is seen here or sees us.
        self.inside.fetch_add(1, SeqCst);
        let entered = InFlight(Arc::clone(self));
        (!self.closing.load(SeqCst)).then_some(entered)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }

    /// Lets nobody in from now on; returns whether this call closed it.
    pub(crate) fn close(&self) -> bool {
        !self.closing.swap(true, SeqCst)
    }

    /// Waits until everybody has left.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.inside.load(SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, SeqCst) == 1 && self.0.is_closing() {
            self.0.left.notify_waiters();
        }
    }
}
