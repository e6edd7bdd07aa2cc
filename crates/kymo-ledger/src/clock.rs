//! The time of commit: read from the machine, held over small steps back.

use kymo_event::Micros;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// This moment.
    fn now(&self) -> Micros;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Micros(since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Steps back shorter than this are held: `recorded` goes on by the smallest step until the clock has caught up.
const STEP_HELD_MICROS: i64 = 1_000_000;

/// Gives each group its `recorded`.
pub(crate) struct Stamp {
    last: Micros,
}

impl Stamp {
    /// Goes on after the newest `recorded` there is.
    pub(crate) fn after(last: Option<Micros>) -> Self {
        Self {
            last: last.unwrap_or(Micros(i64::MIN)),
        }
    }

    /// The time for a group committed at `now`, and by how much the clock stepped back if that was accepted.
    pub(crate) fn at(&mut self, now: Micros) -> (Micros, Option<i64>) {
        let back = self.last.0.saturating_sub(now.0);
        let held = (0..STEP_HELD_MICROS).contains(&back);
        // No two groups in a row have the same time: recovery tells them apart by it.
        self.last = if held { Micros(self.last.0 + 1) } else { now };
        (self.last, (back > 0 && !held).then_some(back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_under_a_second_is_held() {
        let mut stamp = Stamp::after(Some(Micros(5_000_000)));
        assert_eq!(stamp.at(Micros(4_000_002)), (Micros(5_000_001), None));
        assert_eq!(stamp.at(Micros(5_000_001)), (Micros(5_000_002), None));
        assert_eq!(stamp.at(Micros(5_000_003)), (Micros(5_000_003), None));
    }

    #[test]
    fn a_step_back_of_a_second_is_accepted_and_told() {
        let mut stamp = Stamp::after(Some(Micros(5_000_000)));
        assert_eq!(stamp.at(Micros(4_000_000)), (Micros(4_000_000), Some(1_000_000)));
        assert_eq!(stamp.at(Micros(4_000_001)), (Micros(4_000_001), None));
    }

    #[test]
    fn the_first_stamp_takes_any_time() {
        assert_eq!(Stamp::after(None).at(Micros(-7)), (Micros(-7), None));
    }
}
