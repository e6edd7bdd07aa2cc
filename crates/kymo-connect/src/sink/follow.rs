//! A sink's cursor over the ledger: gathers what is for it into batches, and knows how far it has looked.

use bytes::Bytes;
use kymo_event::{Level, Seq};
use kymo_hub::{Bridge, BridgeFault, Delivery, Subscriber};
use serde_json::json;

use super::batch::{Batch, Wanted};

/// A batch grows to about this while there is more.
const BATCH_EVENTS: usize = 4_096;
const BATCH_BYTES: usize = 1 << 20;

/// Reads on behalf of a sink.
pub(super) struct Follower {
    reader: Subscriber,
    batch: Batch,
    /// Everything before is in the batch, delivered, or not for it.
    looked: Seq,
    closing: bool,
}

impl Follower {
    pub(super) fn new(reader: Subscriber) -> Self {
        Self {
            looked: reader.from(),
            batch: Batch::default(),
            reader,
            closing: false,
        }
    }

    pub(super) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Everything before is in the batch, delivered, or not for it.
    pub(super) fn looked(&self) -> Seq {
        self.looked
    }

    /// The hub ends.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// The batch is delivered.
    pub(super) fn delivered(&mut self) {
        self.batch = Batch::default();
    }

    /// Waits until something has moved: the batch, or the place up to which was looked. Cancel-safe.
    pub(super) async fn wait(&mut self, wanted: &Wanted, bridge: &Bridge) {
        let delivery = self.reader.next().await;
        self.take(delivery, wanted, bridge);
    }

    /// Fills the batch with what is there already.
    pub(super) fn fill(&mut self, wanted: &Wanted, bridge: &Bridge) {
        while self.batch.len() < BATCH_EVENTS && self.batch.bytes() < BATCH_BYTES && !self.closing {
            let Some(delivery) = self.reader.try_next() else {
                return;
            };
            self.take(delivery, wanted, bridge);
        }
    }

    fn take(&mut self, delivery: Delivery, wanted: &Wanted, bridge: &Bridge) {
        match delivery {
            Delivery::Frame {
                bytes,
                cursor,
                events,
            } => {
                if events > 0 {
                    self.add(&bytes, wanted, bridge);
                }
                self.looked = cursor.next();
            }
            Delivery::Gap(gap) => {
                let data = json!({
                    "asked": gap.asked, "first": gap.first, "lost": gap.lost, "reason": gap.reason,
                });
                bridge.note("kymo.bridge.gap", Level::Warn, data);
                self.looked = gap.first;
            }
            Delivery::Failed { code, message } => bridge.fault(BridgeFault::new(code, message)),
            Delivery::Closing { .. } => self.closing = true,
            // Whoever is told where it is here is not told again.
            Delivery::CaughtUp { cursor } | Delivery::FellBehind { cursor, .. } => {
                self.looked = cursor.map_or(self.looked, Seq::next).max(self.looked);
            }
        }
    }

    fn add(&mut self, bytes: &Bytes, wanted: &Wanted, bridge: &Bridge) {
        let left_out = self.batch.add(bytes, wanted);
        if left_out > 0 {
            bridge.skipped(left_out);
        }
    }
}
