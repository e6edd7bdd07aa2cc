//! Counts the events that reached a reader and checks that their positions rise.

use crate::Outcome;

/// What one reader has seen.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    /// Events so far.
    pub(crate) count: u64,
    last: Option<u64>,
    dense: bool,
}

impl Tally {
    /// Expects every position: each is one above the one before.
    pub(crate) const fn dense() -> Self {
        Self {
            count: 0,
            last: None,
            dense: true,
        }
    }

    /// One more event, at `position`. Positions only rise: nothing comes twice, nothing comes late.
    pub(crate) fn take(&mut self, position: u64) -> Outcome {
        let in_order = self.last.is_none_or(|last| {
            if self.dense {
                position == last + 1
            } else {
                position > last
            }
        });
        if !in_order {
            return Err(format!("position {position} came after {:?}", self.last).into());
        }
        self.last = Some(position);
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_or_late_is_an_error() {
        let mut tally = Tally::default();
        for position in [3, 4, 9] {
            tally.take(position).unwrap();
        }
        assert_eq!(tally.count, 3);
        assert!(tally.take(9).is_err());
        assert!(tally.take(8).is_err());
    }

    #[test]
    fn where_every_position_is_due_a_gap_is_an_error() {
        let mut tally = Tally::dense();
        tally.take(5).unwrap();
        tally.take(6).unwrap();
        assert!(tally.take(8).is_err());
    }
}
