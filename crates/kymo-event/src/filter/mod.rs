//! The one language that selects events: `type:task.* level:>=warn -source:test "exact words" (a OR b)`.
use crate::LineView;

/// Envelope keys a filter can name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Key {
    Id,
    Type,
    Source,
    Level,
    Agent,
    Session,
    Task,
    Trace,
    Span,
    Parent,
    User,
    Tier,
    Dialect,
    Seq,
    Backfill,
}

/// A parsed filter; cheap to clone. Equal filters have equal [`Filter::canonical`] texts, which is what feeds share by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    tree: std::sync::Arc<Node>,
    canonical: std::sync::Arc<str>,
}

/// The tree of a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Matches everything.
    All,
    /// Every part matches.
    And(Vec<Node>),
    /// Some part matches.
    Or(Vec<Node>),
    /// The part does not match.
    Not(Box<Node>),
    /// An envelope key passes a test.
    Key(Key, Test),
    /// A path into `data` (or `ext.…`) passes a test; needs the payload.
    Path(Vec<String>, Test),
    /// A case-insensitive substring of the decoded strings in `data` and `ext`; needs the payload. Lower case.
    Words(String),
}

impl Eq for Node {}

/// A test on one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal (for `type`: with separators folded; for others: exactly).
    Is(String),
    /// Begins with (the text before a final `*`), separators folded for `type`.
    Prefix(String),
    /// Contains `*` elsewhere.
    Glob(String),
    /// Is there at all (`agent:*`).
    Exists,
    /// A number compares, or a level is at or beyond.
    Compare(Op, f64),
    /// A level compares.
    Level(Op, crate::Level),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
}

/// What is wrong with a filter text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", at + 1)]
pub struct FilterError {
    /// Character position, from 0.
    pub at: usize,
    /// What happened and what to write instead.
    pub message: String,
}

impl Filter {
    /// Matches everything.
    #[must_use]
    pub fn all() -> Self {
        todo!()
    }
    /// Reads the language; an empty text matches everything.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        todo!("{text}")
    }
    /// From a tree (simplified and normalised).
    #[must_use]
    pub fn from_node(node: Node) -> Self {
        todo!("{node:?}")
    }
    /// Both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        todo!("{other:?}")
    }
    /// Any of them; none means nothing to choose from, which matches everything.
    #[must_use]
    pub fn any(filters: &[Self]) -> Self {
        todo!("{filters:?}")
    }
    /// Whether it matches everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(*self.tree, Node::All)
    }
    /// Whether it must look into `data` or `ext`.
    #[must_use]
    pub fn needs_payload(&self) -> bool {
        todo!()
    }
    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Node {
        &self.tree
    }
    /// The normal text: parses to an equal filter.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
    /// Whether an event passes.
    #[must_use]
    pub fn matches(&self, line: &LineView<'_>) -> bool {
        todo!("{line:?}")
    }
}
