//! What a filter consists of: nodes over tests on keys, paths and words.
//!
//! A tree may be built by hand and given to [`crate::Filter::from_node`], which brings it to its normal form.

use super::glob;
use crate::{Level, names};

/// Envelope keys a filter can name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Key {
    /// `id`: the emitter's id.
    Id,
    /// `type`: compared with its separators folded; always there.
    Type,
    /// `source`: always there.
    Source,
    /// `level`: ordered; always there.
    Level,
    /// `agent`
    Agent,
    /// `session`
    Session,
    /// `task`
    Task,
    /// `trace`
    Trace,
    /// `span`
    Span,
    /// `parent`
    Parent,
    /// `user`
    User,
    /// `tier`
    Tier,
    /// `dialect`: the form it arrived in, when not native.
    Dialect,
    /// `seq`: a number; always there.
    Seq,
    /// `backfill`: true or not there.
    Backfill,
}

impl Key {
    /// Every key, in the order the docs list them.
    pub const ALL: [Self; 15] = [
        Self::Type,
        Self::Source,
        Self::Level,
        Self::Agent,
        Self::Session,
        Self::Task,
        Self::Trace,
        Self::Span,
        Self::Parent,
        Self::User,
        Self::Tier,
        Self::Id,
        Self::Dialect,
        Self::Seq,
        Self::Backfill,
    ];

    /// The word before the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Type => "type",
            Self::Source => "source",
            Self::Level => "level",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Task => "task",
            Self::Trace => "trace",
            Self::Span => "span",
            Self::Parent => "parent",
            Self::User => "user",
            Self::Tier => "tier",
            Self::Dialect => "dialect",
            Self::Seq => "seq",
            Self::Backfill => "backfill",
        }
    }

    /// The key of that word, in exactly that spelling.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == word)
    }

    /// Whether every event has it.
    #[must_use]
    pub const fn is_always_there(self) -> bool {
        matches!(self, Self::Type | Self::Source | Self::Level | Self::Seq)
    }
}

/// The tree of a filter. In a [`crate::Filter`] it is in normal form: no `And` in an `And`, no `Or` in an `Or`, parts
/// sorted and each there once, no double negation, `All` only on top or (matching nothing) inside the top `Not`.
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
    /// An envelope key is there and passes a test.
    Key(Key, Test),
    /// A value at a path passes a test; needs the payload. The first step is `data` or `ext`.
    Path(Vec<String>, Test),
    /// A case-insensitive substring of a decoded string value in `data` or `ext`; needs the payload. Lower case.
    Words(String),
}

impl Eq for Node {}

impl Node {
    /// Matches no event at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Not(Box::new(Self::All))
    }

    /// Whether it must look into `data` or `ext`.
    #[must_use]
    pub fn needs_payload(&self) -> bool {
        match self {
            Self::All | Self::Key(..) => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::needs_payload),
            Self::Not(part) => part.needs_payload(),
            Self::Path(..) | Self::Words(_) => true,
        }
    }
}

impl Node {
    /// How many terms are tried one by one on an event at worst. Alternatives of one key are looked up instead.
    pub(super) fn tried_one_by_one(&self) -> usize {
        match self {
            Self::All => 0,
            Self::And(parts) => parts.iter().map(Self::tried_one_by_one).sum(),
            Self::Or(parts) => {
                let tried = parts.iter().filter(|part| !part.is_looked_up());
                tried.map(Self::tried_one_by_one).sum()
            }
            Self::Not(part) => part.tried_one_by_one(),
            Self::Key(..) | Self::Path(..) | Self::Words(_) => 1,
        }
    }

    /// Whether this alternative is found in a list, whatever the length of the list. Types compare with separators
    /// folded, so their order is not that of their text.
    pub(super) fn is_looked_up(&self) -> bool {
        matches!(self, Self::Key(key, Test::Is(_)) if *key != Key::Type)
    }
}

/// A test on one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal (for `type`: with separators folded; for others: exactly).
    Is(String),
    /// Begins with (the text before a final `*`), separators folded for `type`.
    Prefix(String),
    /// A pattern: `*` stands for any text, `\*` and `\\` for a star and a backslash.
    Glob(String),
    /// Is there at all (`agent:*`), and not `null`.
    Exists,
    /// A number compares.
    Compare(Op, f64),
    /// A level compares.
    Level(Op, Level),
}

impl Test {
    /// Whether the value of an envelope key passes. This is what [`crate::Filter::matches`] asks of each key, so an
    /// index may ask it once per dictionary entry instead of once per event. A `level` is given as its word, a `seq`
    /// as decimal digits, `backfill` as `true` or `false`.
    #[must_use]
    pub fn matches_str(&self, key: Key, value: &str) -> bool {
        let folds = key == Key::Type;
        match self {
            Self::Is(text) if folds => names::same_name(value, text),
            Self::Is(text) => value == text,
            Self::Prefix(text) if folds => names::begins_name(value, text),
            Self::Prefix(text) => value.starts_with(text.as_str()),
            Self::Glob(pattern) => glob::matches(pattern, value, folds),
            Self::Exists => key != Key::Backfill || value == "true",
            Self::Compare(op, number) => parse_number(value).is_some_and(|value| op.holds(value, *number)),
            Self::Level(..) => Level::parse(value).is_some_and(|level| self.matches_level(level)),
        }
    }

    /// Whether a level passes; the same as [`Test::matches_str`] with the level's word.
    #[must_use]
    pub fn matches_level(&self, level: Level) -> bool {
        match self {
            Self::Level(op, bound) => op.holds(level, *bound),
            _ => self.matches_str(Key::Level, level.as_str()),
        }
    }

    /// Whether a seq passes; the same as [`Test::matches_str`] with its digits.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a filter's numbers are below 2^53, where f64 is exact"
    )]
    pub fn matches_seq(&self, seq: u64) -> bool {
        match self {
            Self::Exists => true,
            Self::Compare(op, number) => op.holds(seq as f64, *number),
            _ => self.matches_str(Key::Seq, &seq.to_string()),
        }
    }
}

/// Reads a JSON number; nothing else (`inf`, `+1`, `.5`) is one.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// The sign.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    /// Whether `value` compares to `bound` so.
    #[must_use]
    pub fn holds<T: PartialOrd>(self, value: T, bound: T) -> bool {
        match self {
            Self::Eq => value == bound,
            Self::Lt => value < bound,
            Self::Le => value <= bound,
            Self::Gt => value > bound,
            Self::Ge => value >= bound,
        }
    }
}
