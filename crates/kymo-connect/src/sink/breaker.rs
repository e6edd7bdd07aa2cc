//! Leaves the other side alone while it takes nothing. Pure: told what happened, it says how long to wait.
//!
//! Closed, faults are tried again soon. After some in a row it opens: then there is one try now and then, until one works.

use std::time::Duration;

use crate::retry::Pauses;

/// Faults in a row that open it.
const OPENS_AFTER: u32 = 5;

/// See above.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    faults: u32,
    soon: Pauses,
    rarely: Pauses,
}

/// What to do after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after this.
    Retry(Duration),
    /// It is open: try once after this.
    Open(Duration),
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            faults: 0,
            soon: Pauses::new(Duration::from_millis(100), Duration::from_secs(2)),
            rarely: Pauses::new(Duration::from_secs(5), Duration::from_secs(60)),
        }
    }
}

impl Breaker {
    pub(super) fn failed(&mut self) -> Verdict {
        self.faults = self.faults.saturating_add(1);
        if self.faults < OPENS_AFTER {
            Verdict::Retry(self.soon.next_pause())
        } else {
            Verdict::Open(self.rarely.next_pause())
        }
    }

    pub(super) fn worked(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_some_faults_in_a_row_and_closes_when_one_works() {
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            for _ in 1..OPENS_AFTER {
                assert!(matches!(breaker.failed(), Verdict::Retry(pause) if pause <= Duration::from_secs(2)));
            }
            let mut open = Duration::ZERO;
            for _ in 0..20 {
                let Verdict::Open(pause) = breaker.failed() else {
                    panic!("it is open");
                };
                open = pause;
            }
            assert!(
                (Duration::from_secs(30)..=Duration::from_secs(60)).contains(&open),
                "{open:?}"
            );
            breaker.worked();
        }
    }
}
