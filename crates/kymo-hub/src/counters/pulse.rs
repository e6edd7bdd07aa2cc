//! Events per second and level over the last five minutes.

/// Seconds that are kept.
pub(super) const SECONDS: usize = 300;
/// Whole seconds the rate is taken over.
const RATE_SECONDS: i64 = 10;

/// A ring of seconds; those without events are not written, only recognised as old.
pub(super) struct Pulse {
    began: i64,
    seconds: Box<[(i64, [u32; 5])]>,
}

impl Pulse {
    pub(super) fn new(now: i64) -> Self {
        Self {
            began: now,
            seconds: vec![(i64::MIN, [0; 5]); SECONDS].into(),
        }
    }

    pub(super) fn add(&mut self, second: i64, levels: [u32; 5]) {
        let slot = &mut self.seconds[index(second)];
        if slot.0 != second {
            *slot = (second, [0; 5]);
        }
        for (sum, count) in slot.1.iter_mut().zip(levels) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Every second since the beginning, the newest 300.
    pub(super) fn seconds(&self, now: i64) -> Vec<(i64, [u32; 5])> {
        let first = (now - SECONDS as i64 + 1).max(self.began.min(now));
        (first..=now).map(|second| (second, self.at(second))).collect()
    }

    pub(super) fn sums(&self, now: i64) -> [u64; 5] {
        let mut sums = [0; 5];
        for second in now - SECONDS as i64 + 1..=now {
            for (sum, count) in sums.iter_mut().zip(self.at(second)) {
                *sum += u64::from(count);
            }
        }
        sums
    }

    pub(super) fn per_second(&self, now: i64) -> f64 {
        let events: f64 = (now - RATE_SECONDS..now)
            .flat_map(|second| self.at(second))
            .map(f64::from)
            .sum();
        // Just after the start there are fewer whole seconds to go by.
        let seconds = RATE_SECONDS.min(now - self.began).max(1);
        events / f64::from(i32::try_from(seconds).unwrap_or(1))
    }

    fn at(&self, second: i64) -> [u32; 5] {
        let slot = self.seconds[index(second)];
        if slot.0 == second { slot.1 } else { [0; 5] }
    }
}

fn index(second: i64) -> usize {
    usize::try_from(second.rem_euclid(SECONDS as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_without_events_are_there_as_zeros() {
        let mut pulse = Pulse::new(1_000);
        pulse.add(1_001, [0, 3, 0, 0, 0]);
        pulse.add(1_001, [1, 1, 0, 0, 0]);
        pulse.add(1_003, [0, 0, 0, 0, 9]);
        let zeros = [0; 5];
        assert_eq!(
            pulse.seconds(1_004),
            [
                (1_000, zeros),
                (1_001, [1, 4, 0, 0, 0]),
                (1_002, zeros),
                (1_003, [0, 0, 0, 0, 9]),
                (1_004, zeros)
            ]
        );
        assert_eq!(pulse.sums(1_004), [1, 4, 0, 0, 9]);
    }

    #[test]
    fn what_is_older_than_five_minutes_is_forgotten() {
        let mut pulse = Pulse::new(0);
        pulse.add(10, [0, 7, 0, 0, 0]);
        assert_eq!(pulse.sums(309), [0, 7, 0, 0, 0]);
        assert_eq!(pulse.sums(310), [0; 5]);
        assert_eq!(pulse.seconds(1_000).len(), SECONDS);
        assert_eq!(pulse.seconds(1_000)[0].0, 701);
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_whole_seconds() {
        let mut pulse = Pulse::new(0);
        for second in 0..100 {
            pulse.add(second, [0, 20, 0, 0, 0]);
        }
        assert!((pulse.per_second(100) - 20.0).abs() < 1e-9);
        assert!((pulse.per_second(105) - 10.0).abs() < 1e-9);
        assert!((Pulse::new(50).per_second(50)).abs() < 1e-9);
    }
}
