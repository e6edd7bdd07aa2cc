//! Messages of channels that found no room here, and are lost.

use std::time::Duration;

use kymo_event::Micros;
use kymo_hub::Bridge;

use crate::clock::now;

/// Messages that found no room, as long as there is no end of them.
#[derive(Default)]
pub(super) struct Dropped {
    counted: u64,
    since: Option<(Micros, u64)>,
}

impl Dropped {
    /// Looked at every so often, with the number of all so far: says how many found no room once that is over.
    pub(super) fn look(&mut self, all: u64, every: Duration, bridge: &Bridge) {
        let at = now();
        let more = all - self.counted;
        self.counted = all;
        match (&mut self.since, more) {
            (_, 0) => {
                if let Some((since, count)) = self.since.take() {
                    bridge.gap(since, at, Some(count), "slow_consumer");
                }
            }
            (Some((_, count)), more) => *count += more,
            (None, more) => {
                let since = Micros(at.0 - i64::try_from(every.as_micros()).unwrap_or(0));
                self.since = Some((since, more));
            }
        }
    }
}
