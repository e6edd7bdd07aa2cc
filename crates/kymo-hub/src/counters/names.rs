//! How often each name occurred in the last five minutes, for a bounded number of names.

use std::collections::HashMap;

/// Seconds of one slot, and slots kept: five minutes together.
const SLOT_SECONDS: i64 = 10;
const SLOTS: usize = 30;
/// Names that are told apart; the rest are counted together.
const NAMES_MAX: usize = 1_000;
pub(super) const OTHERS: &str = "(other)";

#[derive(Default)]
pub(super) struct Names {
    windows: HashMap<Box<str>, Window>,
    /// The slot in which room was last made.
    cleared: i64,
}

struct Window {
    newest: i64,
    slots: [u32; SLOTS],
}

impl Names {
    pub(super) fn add(&mut self, second: i64, name: &str, count: u32) {
        let slot = second.div_euclid(SLOT_SECONDS);
        if let Some(window) = self.windows.get_mut(name) {
            window.add(slot, count);
            return;
        }
        if self.windows.len() >= NAMES_MAX && self.cleared != slot {
            // Once in a slot, so that countless names do not cost countless searches.
            self.cleared = slot;
            self.windows.retain(|_, window| window.sum(slot) > 0);
        }
        let name = if self.windows.len() < NAMES_MAX {
            name
        } else {
            OTHERS
        };
        let window = self.windows.entry(name.into()).or_insert(Window {
            newest: slot,
            slots: [0; SLOTS],
        });
        window.add(slot, count);
    }

    /// The most frequent names, by falling count.
    pub(super) fn largest(&self, second: i64, limit: usize) -> Vec<(String, u64)> {
        let slot = second.div_euclid(SLOT_SECONDS);
        let sums = self.windows.iter().map(|(name, window)| (name, window.sum(slot)));
        let mut sums: Vec<_> = sums.filter(|(_, sum)| *sum > 0).collect();
        sums.sort_unstable_by(|(name, sum), (other, more)| more.cmp(sum).then(name.cmp(other)));
        sums.truncate(limit);
        sums.into_iter()
            .map(|(name, sum)| (name.to_string(), sum))
            .collect()
    }
}

impl Window {
    fn add(&mut self, slot: i64, count: u32) {
        // A clock that stepped back counts for the newest slot.
        let passed = (slot - self.newest).clamp(0, SLOTS as i64);
        for back in 0..passed {
            self.slots[index(slot - back)] = 0;
        }
        self.newest = self.newest.max(slot);
        let sum = &mut self.slots[index(self.newest)];
        *sum = sum.saturating_add(count);
    }

    fn sum(&self, slot: i64) -> u64 {
        let oldest = slot - SLOTS as i64 + 1;
        let kept = oldest.max(self.newest - SLOTS as i64 + 1)..=self.newest;
        kept.map(|kept| u64::from(self.slots[index(kept)])).sum()
    }
}

fn index(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(SLOTS as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_come_first_and_old_ones_go() {
        let mut names = Names::default();
        names.add(0, "old", 9);
        names.add(290, "a", 1);
        names.add(291, "b", 5);
        names.add(295, "a", 1);
        let expected = |pairs: &[(&str, u64)]| {
            pairs
                .iter()
                .map(|(name, sum)| ((*name).to_owned(), *sum))
                .collect::<Vec<_>>()
        };
        assert_eq!(names.largest(299, 2), expected(&[("old", 9), ("b", 5)]));
        assert_eq!(names.largest(300, 50), expected(&[("b", 5), ("a", 2)]));
        assert_eq!(names.largest(3_000, 50), expected(&[]));
    }

    #[test]
    fn beyond_the_bound_names_are_counted_together() {
        let mut names = Names::default();
        for number in 0..NAMES_MAX * 3 {
            names.add(5, &format!("type.{number}"), 1);
        }
        assert!(names.windows.len() <= NAMES_MAX + 1);
        assert_eq!(
            names.largest(5, 1)[0],
            (OTHERS.to_owned(), (NAMES_MAX * 2) as u64)
        );
        names.add(9_000, "fresh", 1);
        assert_eq!(
            names.windows.len(),
            1,
            "names that were not seen for long make room"
        );
    }

    proptest! {
        #[test]
        fn a_window_sums_exactly_the_last_slots(adds in prop::collection::vec((0_i64..70, 1_u32..5), 1..40)) {
            let mut at = 0;
            let mut window = Window { newest: 0, slots: [0; SLOTS] };
            let mut all = vec![];
            for (ahead, count) in adds {
                at += ahead;
                window.add(at, count);
                all.push((at, count));
                let expected: u64 = all.iter().filter(|(slot, _)| *slot > at - SLOTS as i64).map(|(_, count)| u64::from(*count)).sum();
                prop_assert_eq!(window.sum(at), expected);
            }
        }
    }
}
