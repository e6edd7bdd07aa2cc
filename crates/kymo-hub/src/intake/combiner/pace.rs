//! How long the disk takes, and who should wait for it.

use std::time::{Duration, Instant};

/// A disk that usually takes longer is waited for by others, and for how long before it is tried again.
const SLOW: Duration = Duration::from_millis(10);
const SLOW_FOR: Duration = Duration::from_secs(10);

/// How long the disk takes.
#[derive(Default)]
pub(super) struct Pace {
    usual: Duration,
    slow_until: Option<Instant>,
}

impl Pace {
    /// Notes a round's time at the disk. A hiccup is none, a disk that hangs or is always slow is.
    pub(super) fn took(&mut self, begun: Instant, ended: Instant) {
        self.usual = (self.usual * 7 + (ended - begun)) / 8;
        if self.usual > SLOW {
            *self = Self {
                usual: Duration::ZERO,
                slow_until: Some(ended + SLOW_FOR),
            };
        }
    }

    pub(super) fn is_slow(&self, now: Instant) -> bool {
        self.slow_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pace says after commits that took so many milliseconds, one after the other.
    fn slow_after(millis: &[u64]) -> (bool, bool) {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for millis in millis {
            let begun = now;
            now += Duration::from_millis(*millis);
            pace.took(begun, now);
        }
        (pace.is_slow(now), pace.is_slow(now + SLOW_FOR))
    }

    #[test]
    fn a_disk_is_slow_when_it_hangs_or_usually_takes_long_and_is_tried_again() {
        assert_eq!(slow_after(&[0; 50]), (false, false));
        assert_eq!(slow_after(&[0, 0, 60, 0, 0]), (false, false), "a hiccup");
        assert_eq!(slow_after(&[0, 0, 1_000]), (true, false), "it hung");
        assert_eq!(slow_after(&[15; 30]), (true, false), "it turns");
    }
}
