//! Decides whether one line passes, without copying anything of it.
//!
//! A filter's tree is made ready once. What asks the envelope alone stands before what needs the payload, so `data` is
//! only looked at when the envelope leaves the question open.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    paths::PathTest,
    tree::{Key, Node, Test},
    words::Needle,
};
use crate::LineView;

/// A tree made ready.
pub(super) enum Matcher {
    All,
    And(Box<[Matcher]>),
    Or(Box<[Matcher]>),
    Not(Box<Matcher>),
    Key(Key, Test),
    /// The key has one of these values; sorted.
    OneOf(Key, Box<[Box<str>]>),
    Data(PathTest),
    Ext(PathTest),
    Words(Needle),
}

impl Matcher {
    /// From a tree in normal form.
    pub(super) fn new(node: &Node) -> Self {
        match node {
            Node::All => Self::All,
            Node::And(parts) => Self::And(cheapest_first(parts)),
            Node::Or(parts) => Self::or(parts),
            Node::Not(part) => Self::Not(Box::new(Self::new(part))),
            Node::Key(key, test) => Self::Key(*key, test.clone()),
            Node::Path(path, test) => {
                let (root, steps) = path.split_first().expect("a path in normal form has a root");
                let path = PathTest::new(steps, test);
                if root == "ext" {
                    Self::Ext(path)
                } else {
                    Self::Data(path)
                }
            }
            Node::Words(words) => Self::Words(Needle::new(words)),
        }
    }

    /// Alternatives of one key, as a token or a list of agents has them, are looked up instead of tried one by one.
    fn or(parts: &[Node]) -> Self {
        let mut values: BTreeMap<Key, BTreeSet<&str>> = BTreeMap::new();
        let mut rest = Vec::new();
        for part in parts {
            match part {
                Node::Key(key, Test::Is(value)) if part.is_looked_up() => {
                    values.entry(*key).or_default().insert(value);
                }
                part => rest.push(part.clone()),
            }
        }
        let lists = values
            .into_iter()
            .map(|(key, values)| Self::OneOf(key, values.into_iter().map(Into::into).collect()));
        let alternatives: Box<[Self]> = lists.chain(cheapest_first(&rest)).collect();
        Self::Or(alternatives)
    }

    pub(super) fn matches(&self, line: &LineView<'_>) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(line)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(line)),
            Self::Not(part) => !part.matches(line),
            Self::OneOf(key, values) => line
                .key(*key)
                .is_some_and(|found| values.binary_search_by(|value| (**value).cmp(&found)).is_ok()),
            Self::Key(key, test) => key_matches(*key, test, line),
            // The whole line is searched before its payload is looked for: where the bytes are nowhere, that is all.
            Self::Data(path) => {
                path.may_be_in(line.text()) && line.data().is_some_and(|data| path.matches(data))
            }
            Self::Ext(path) => path.may_be_in(line.text()) && line.ext().is_some_and(|ext| path.matches(ext)),
            Self::Words(needle) => {
                let holds = |json: &str| needle.is_in(json);
                needle.may_be_in(line.text())
                    && (line.data().is_some_and(holds) || line.ext().is_some_and(holds))
            }
        }
    }
}

/// What can be decided without the payload comes first.
fn cheapest_first(parts: &[Node]) -> Box<[Matcher]> {
    let mut parts: Vec<&Node> = parts.iter().collect();
    parts.sort_by_key(|part| part.needs_payload());
    parts.into_iter().map(Matcher::new).collect()
}

fn key_matches(key: Key, test: &Test, line: &LineView<'_>) -> bool {
    match key {
        Key::Type => test.matches_str(key, &line.kind()),
        Key::Source => test.matches_str(key, &line.source()),
        Key::Level => test.matches_level(line.level()),
        Key::Seq => test.matches_seq(line.seq().get()),
        Key::Backfill => test.matches_str(key, if line.backfill() { "true" } else { "false" }),
        key => line.key(key).is_some_and(|value| test.matches_str(key, &value)),
    }
}
