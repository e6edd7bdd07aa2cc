//! When to look at everything: now and then, and when something was heard that asks for it, but never without a pause.
//! Pure: it is told the time.

use std::time::{Duration, Instant};

/// Looking by itself takes a twentieth of the time at most, and a fifth where ever more is heard.
const PAUSE_UNASKED: u32 = 20;
const PAUSE_ASKED: u32 = 4;

/// When it is time to look.
pub(super) struct Pace {
    sweep: Duration,
    unasked: Instant,
    asked: Instant,
}

impl Pace {
    /// At once, and then each `sweep`.
    pub(super) fn new(sweep: Duration, now: Instant) -> Self {
        Self {
            sweep,
            unasked: now,
            asked: now,
        }
    }

    /// When to look next. `is_asked`: something was heard that asks for it.
    pub(super) fn due(&self, is_asked: bool) -> Instant {
        if is_asked { self.asked } else { self.unasked }
    }

    pub(super) fn is_due(&self, is_asked: bool, now: Instant) -> bool {
        now >= self.due(is_asked)
    }

    /// Everything was looked at.
    pub(super) fn looked(&mut self, began: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(began);
        self.asked = ended + took * PAUSE_ASKED;
        self.unasked = ended + self.sweep.max(took * PAUSE_UNASKED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hears_without_end_looks_with_pauses_as_long_as_looking_takes() {
        let (began, millis) = (Instant::now(), Duration::from_millis);
        let mut pace = Pace::new(millis(1_000), began);
        assert!(pace.is_due(false, began), "first at once");
        for (took, asked, unasked) in [(1, 4, 1_000), (100, 400, 2_000)] {
            let ended = began + millis(took);
            pace.looked(began, ended);
            for (is_asked, pause) in [(true, asked), (false, unasked)] {
                assert!(!pace.is_due(is_asked, ended + millis(pause - 1)));
                assert!(pace.is_due(is_asked, ended + millis(pause)));
            }
        }
    }
}
