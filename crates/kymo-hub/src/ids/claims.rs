//! Claims: the answer one batch waits for, seen by every other batch with the same ids.

use std::sync::{Arc, OnceLock};

use kymo_event::Seq;
use tokio::sync::Notify;

/// The answer a batch waits for, seen by everybody who has the same ids.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// The first seq, or that nothing was stored.
    outcome: OnceLock<Option<Seq>>,
    /// Positions that were left out of the batch before it was handed over, rising.
    left_out: OnceLock<Box<[u32]>>,
    settled: Notify,
}

/// What has become of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Stored(Seq),
    Failed,
}

impl Claim {
    /// Says which positions are repeats and not handed over.
    pub(crate) fn leave_out(&self, positions: Box<[u32]>) {
        self.left_out
            .set(positions)
            .expect("a batch is cleared of repeats once");
    }

    /// The writer's answer: the first seq, or that nothing was stored.
    pub(crate) fn settle(&self, first: Option<Seq>) {
        // The guard settles again what was settled before: the first answer stands.
        let _ = self.outcome.set(first);
        self.settled.notify_waiters();
    }

    /// Waits for the answer.
    pub(crate) async fn wait(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.outcome.get().is_some() {
                return;
            }
            settled.await;
        }
    }

    /// Where an event of the batch is, once that is known.
    pub(crate) fn seq(&self, position: u32) -> Option<Seq> {
        match self.status(position) {
            Status::Stored(seq) => Some(seq),
            Status::Pending | Status::Failed => None,
        }
    }

    /// What has become of the event at this position.
    pub(super) fn status(&self, position: u32) -> Status {
        match self.outcome.get() {
            None => Status::Pending,
            Some(None) => Status::Failed,
            Some(Some(first)) => {
                let left_out = self.left_out.get().map_or(&[][..], |positions| positions);
                let before = left_out.partition_point(|left_out| *left_out < position);
                Status::Stored(first.plus(u64::from(position) - before as u64))
            }
        }
    }
}

/// Settles a claim as failed when it is dropped unanswered, so that nobody waits for ever.
#[derive(Debug, Default)]
pub(crate) struct ClaimGuard(pub(crate) Arc<Claim>);

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        self.0.settle(None);
    }
}
