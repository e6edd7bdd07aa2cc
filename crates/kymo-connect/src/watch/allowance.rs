//! How many changes of files are reported one by one.
//!
//! A checkout or an unpacking changes thousands of files at once: the first ones are shown, the rest is counted and
//! the counts are an event, so that nothing is silent and nothing else is drowned.

use std::time::{Duration, Instant};

/// Shown at once; refilled while it is quiet.
pub(super) const AT_ONCE: u32 = 1_000;
const PER_SECOND: u32 = 200;
/// A burst is summed up when it is over, or after so long.
const SUMMED_UP_AFTER: Duration = Duration::from_secs(1);

/// What was left out, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct LeftOut {
    pub(super) created: u64,
    pub(super) modified: u64,
    pub(super) removed: u64,
    pub(super) renamed: u64,
}

impl LeftOut {
    pub(super) fn total(self) -> u64 {
        self.created + self.modified + self.removed + self.renamed
    }
}

/// Says of each change whether it is shown.
pub(super) struct Allowance {
    left: u32,
    refilled: Instant,
    shown: u64,
    left_out: LeftOut,
    since: Option<Instant>,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            left: AT_ONCE,
            refilled: now,
            shown: 0,
            left_out: LeftOut::default(),
            since: None,
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, kind: &str, now: Instant) -> bool {
        self.refill(now);
        if self.left > 0 {
            self.left -= 1;
            self.shown += 1;
            return true;
        }
        self.since.get_or_insert(now);
        match kind {
            "file.created" => self.left_out.created += 1,
            "file.removed" => self.left_out.removed += 1,
            "file.renamed" => self.left_out.renamed += 1,
            _ => self.left_out.modified += 1,
        }
        false
    }

    fn refill(&mut self, now: Instant) {
        let quiet = now.saturating_duration_since(self.refilled).as_millis();
        let more = u32::try_from(quiet * u128::from(PER_SECOND) / 1_000)
            .unwrap_or(AT_ONCE)
            .min(AT_ONCE);
        if more > 0 {
            self.refilled = now;
            self.left = (self.left + more).min(AT_ONCE);
            if self.left == AT_ONCE && self.since.is_none() {
                self.shown = 0;
            }
        }
    }

    /// When there is something to sum up.
    pub(super) fn due(&self) -> Option<Instant> {
        Some(self.since? + SUMMED_UP_AFTER)
    }

    /// What was shown and what was left out in the burst, once.
    pub(super) fn sum_up(&mut self) -> Option<(u64, LeftOut)> {
        self.since.take()?;
        Some((
            std::mem::take(&mut self.shown),
            std::mem::take(&mut self.left_out),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_shown_in_part_and_counted_in_full() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let shown = (0..5_000)
            .filter(|_| allowance.take("file.created", start))
            .count();
        assert_eq!(shown, AT_ONCE as usize);
        let (shown, left_out) = allowance.sum_up().unwrap();
        assert_eq!((shown, left_out.created, left_out.total()), (1_000, 4_000, 4_000));
        assert!(allowance.sum_up().is_none() && allowance.due().is_none());
        assert!(!allowance.take("file.removed", start));
        assert!(allowance.take("file.removed", start + Duration::from_secs(1)));
    }
}
