//! What can be said of a filter without looking at events: the way an index skips what cannot match.

use super::tree::{Key, Node, Test};

/// What a summary of some events (a block, one row of columns) knows about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Possible {
    /// No event of it passes.
    Never,
    /// It cannot say.
    Maybe,
    /// Every event of it passes.
    Always,
}

impl Possible {
    /// `Always` or `Never`, for those who know exactly.
    #[must_use]
    pub const fn exactly(passes: bool) -> Self {
        if passes { Self::Always } else { Self::Never }
    }
}

impl std::ops::Not for Possible {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Never => Self::Always,
            Self::Maybe => Self::Maybe,
            Self::Always => Self::Never,
        }
    }
}

/// Columns, dictionaries or Bloom filters over one event or many.
///
/// An event that does not have the key does not pass the test. A wrong `Never` loses events and a wrong `Always` adds
/// some; when in doubt answer `Maybe`.
pub trait Summary {
    /// Whether the events it stands for pass the test on the key. [`Test::matches_str`] says it of one value.
    fn may_match(&self, key: Key, test: &Test) -> Possible;
}

/// Three-valued evaluation of a tree; what needs the payload is `Maybe`.
pub(super) fn possible(node: &Node, summary: &dyn Summary) -> Possible {
    match node {
        Node::All => Possible::Always,
        Node::And(parts) => {
            let mut least = Possible::Always;
            for part in parts {
                least = least.min(possible(part, summary));
                if least == Possible::Never {
                    break;
                }
            }
            least
        }
        Node::Or(parts) => {
            let mut most = Possible::Never;
            for part in parts {
                most = most.max(possible(part, summary));
                if most == Possible::Always {
                    break;
                }
            }
            most
        }
        Node::Not(part) => !possible(part, summary),
        Node::Key(key, test) => summary.may_match(*key, test),
        Node::Path(..) | Node::Words(_) => Possible::Maybe,
    }
}
