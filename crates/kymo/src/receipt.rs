//! What a server decided about each record it was sent.
use serde::{Deserialize, Serialize};

/// The answer to posted events.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) accepted: usize,
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    #[serde(default)]
    pub(crate) durability: String,
    #[serde(default)]
    pub(crate) duplicates: Vec<Duplicate>,
    #[serde(default)]
    pub(crate) rejected: Vec<Rejected>,
}

/// A record that was stored before.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Duplicate {
    pub(crate) index: usize,
    pub(crate) seq: u64,
}

/// A record that was not taken.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Rejected {
    pub(crate) index: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) byte: Option<u64>,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Receipt {
    /// Adds an answer about the records at `indexes`; returns the indexes of those that the rate limit held back.
    pub(crate) fn take_over(&mut self, part: Self, indexes: &[usize]) -> Vec<usize> {
        let whole = |index: usize| indexes.get(index).copied().unwrap_or(index);
        self.accepted += part.accepted;
        self.first = self.first.or(part.first);
        self.last = part.last.or(self.last);
        self.durability = part.durability;
        for mut duplicate in part.duplicates {
            duplicate.index = whole(duplicate.index);
            self.duplicates.push(duplicate);
        }
        let mut held_back = Vec::new();
        for mut rejected in part.rejected {
            rejected.index = whole(rejected.index);
            if rejected.is_rate_limited() {
                held_back.push(rejected.index);
            } else {
                self.rejected.push(rejected);
            }
        }
        held_back
    }

    /// Counts indexes from the beginning of a larger whole.
    pub(crate) fn shift(&mut self, by: usize) {
        self.rejected.iter_mut().for_each(|rejected| rejected.index += by);
        self.duplicates
            .iter_mut()
            .for_each(|duplicate| duplicate.index += by);
    }
}

impl Rejected {
    /// Whether it may be taken a second later.
    pub(crate) fn is_rate_limited(&self) -> bool {
        self.code == "rate_limited"
    }
}
