//! The one language that selects events: `type:task.* level:>=warn -source:test "exact words" (a OR b)`.
//!
//! A [`Filter`] is parsed once, brought to its normal form and made ready for matching; it is the same in
//! subscriptions, history, the search box, routes, alerts and tokens. `docs/filters.md` tells users how to write one.
//! The ledger skips by [`Filter::possible`] what its columns exclude and asks [`Filter::matches`] for the rest.

mod error;
mod glob;
mod matcher;
mod normal;
mod parse;
mod paths;
mod scent;
mod summary;
mod terms;
mod text;
mod tree;
mod values;
mod walk;
mod words;

use std::{fmt, hash, str::FromStr, sync::Arc};

pub use error::FilterError;
pub use summary::{Possible, Summary};
pub use tree::{Key, Node, Op, Test};

use crate::LineView;

/// Terms of one filter that are tried one by one on every event. Beyond this the others would feel it.
const TRIED_MAX: usize = 512;

/// A parsed filter; cheap to clone. Equal filters have equal [`Filter::canonical`] texts, which is what feeds share by.
#[derive(Clone)]
pub struct Filter(Arc<Parts>);

struct Parts {
    tree: Node,
    canonical: Box<str>,
    needs_payload: bool,
    matcher: matcher::Matcher,
}

impl Filter {
    /// Matches everything.
    #[must_use]
    pub fn all() -> Self {
        Self::from_node(Node::All)
    }

    /// Reads the language; an empty text matches everything.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let filter = parse::parse(text).map(Self::from_node)?;
        match filter.tree().tried_one_by_one() {
            ..=TRIED_MAX => Ok(filter),
            tried => Err(FilterError {
                at: 0,
                message: format!(
                    "the filter has {tried} terms to try on every event, and {TRIED_MAX} are allowed; write fewer, or \
                     divide them among several filters"
                ),
            }),
        }
    }

    /// From a tree (simplified and normalised).
    #[must_use]
    pub fn from_node(node: Node) -> Self {
        let tree = normal::normal(node);
        Self(Arc::new(Parts {
            canonical: text::of(&tree).into(),
            needs_payload: tree.needs_payload(),
            matcher: matcher::Matcher::new(&tree),
            tree,
        }))
    }

    /// Both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if other.is_all() || self == other {
            return self.clone();
        }
        if self.is_all() {
            return other.clone();
        }
        Self::from_node(Node::And(vec![self.tree().clone(), other.tree().clone()]))
    }

    /// Any of them; none means nothing to choose from, which matches everything.
    #[must_use]
    pub fn any(filters: &[Self]) -> Self {
        match filters {
            [] => Self::all(),
            [filter] => filter.clone(),
            filters => Self::from_node(Node::Or(
                filters.iter().map(|filter| filter.tree().clone()).collect(),
            )),
        }
    }

    /// Everything but this.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self::from_node(Node::Not(Box::new(self.tree().clone())))
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self.tree(), Node::All)
    }

    /// Whether it must look into `data` or `ext`.
    #[must_use]
    pub fn needs_payload(&self) -> bool {
        self.0.needs_payload
    }

    /// The tree, in normal form.
    #[must_use]
    pub fn tree(&self) -> &Node {
        &self.0.tree
    }

    /// The normal text: parses to an equal filter. `*` for the filter that matches everything.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// What can be said of all events that the summary stands for, without looking at one. Where this is `Always` or
    /// `Never`, [`Filter::matches`] would say the same of each of them.
    #[must_use]
    pub fn possible(&self, summary: &dyn Summary) -> Possible {
        summary::possible(self.tree(), summary)
    }

    /// Whether an event passes.
    #[must_use]
    pub fn matches(&self, line: &LineView<'_>) -> bool {
        self.0.matcher.matches(line)
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::all()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.canonical() == other.canonical()
    }
}

impl Eq for Filter {}

impl hash::Hash for Filter {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", self.canonical())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.canonical())
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl serde::Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.canonical())
    }
}

impl<'de> serde::Deserialize<'de> for Filter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
