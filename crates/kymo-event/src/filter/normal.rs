//! The normal form of a tree, so that filters which differ only in how they were written are one filter.
//!
//! Order, repetition, nesting of the same kind and double negation make no difference; level tests are brought to the
//! shortest of their equals. Equal trees have equal texts ([`super::text`]), which is what feeds are shared by.

use super::{
    glob::{self, Piece},
    text,
    tree::{Key, Node, Op, Test, parse_number},
    words,
};
use crate::{Level, names::fold_separators};

/// 2^53, beyond which not every whole number is itself as f64. No ledger comes near.
pub(super) const SEQ_MAX: f64 = 9_007_199_254_740_992.0;

/// Brings a tree to its normal form. Tests that make no sense (an ordered comparison of an agent's name, a path that
/// begins with neither `data` nor `ext`) match nothing.
pub(super) fn normal(node: Node) -> Node {
    match node {
        Node::All => Node::All,
        Node::And(parts) => join(parts, Joint::And),
        Node::Or(parts) => join(parts, Joint::Or),
        Node::Not(part) => negate(normal(*part)),
        Node::Key(key, test) => key_test(key, test),
        Node::Path(path, test) => path_test(path, test),
        Node::Words(words) if words.is_empty() => Node::All,
        Node::Words(words) => Node::Words(words::fold(&words)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

fn join(parts: Vec<Node>, joint: Joint) -> Node {
    let (neutral, absorbing) = match joint {
        Joint::And => (Node::All, Node::nothing()),
        Joint::Or => (Node::nothing(), Node::All),
    };
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match (joint, normal(part)) {
            (_, part) if part == absorbing => return absorbing,
            (_, part) if part == neutral => {}
            (Joint::And, Node::And(inner)) | (Joint::Or, Node::Or(inner)) => flat.extend(inner),
            (_, part) => flat.push(part),
        }
    }
    flat.sort_by_cached_key(text::of);
    flat.dedup();
    match (flat.len(), joint) {
        (0, _) => neutral,
        (1, _) => flat.remove(0),
        (_, Joint::And) => Node::And(flat),
        (_, Joint::Or) => Node::Or(flat),
    }
}

fn negate(node: Node) -> Node {
    match node {
        Node::Not(part) => *part,
        // -level:debug is level:>=info; what is no range from one end (-level:info) stays as it is.
        Node::Key(Key::Level, test) => match levels(|level| !test.matches_level(level)) {
            Node::Or(_) => Node::Not(Box::new(Node::Key(Key::Level, test))),
            range => range,
        },
        Node::Key(Key::Seq, Test::Compare(Op::Ge, number)) => seq(Test::Compare(Op::Lt, number)),
        Node::Key(Key::Seq, Test::Compare(Op::Le, number)) => seq(Test::Compare(Op::Gt, number)),
        node => Node::Not(Box::new(node)),
    }
}

fn key_test(key: Key, test: Test) -> Node {
    match key {
        Key::Level => return levels(|level| test.matches_level(level)),
        Key::Backfill => return backfill(&test),
        Key::Seq => return seq(test),
        _ => {}
    }
    match text_test(test, key == Key::Type) {
        Some(Test::Exists) if key.is_always_there() => Node::All,
        Some(test) => Node::Key(key, test),
        None => Node::nothing(),
    }
}

/// A test on text in its simplest form; `None` for one that no text passes.
fn text_test(test: Test, folds: bool) -> Option<Test> {
    let fold = |text: String| {
        if folds {
            fold_separators(&text).into_owned()
        } else {
            text
        }
    };
    match test {
        Test::Is(text) => Some(Test::Is(fold(text))),
        Test::Prefix(text) if text.is_empty() => Some(Test::Exists),
        Test::Prefix(text) => Some(Test::Prefix(fold(text))),
        Test::Glob(pattern) => Some(pattern_test(&glob::pieces(&fold(pattern)))),
        Test::Exists => Some(Test::Exists),
        Test::Compare(..) | Test::Level(..) => None,
    }
}

/// The simplest test for a pattern.
pub(super) fn pattern_test(pieces: &[Piece]) -> Test {
    match pieces {
        [] => Test::Is(String::new()),
        [Piece::Text(text)] => Test::Is(text.clone()),
        [Piece::Star] => Test::Exists,
        [Piece::Text(text), Piece::Star] => Test::Prefix(text.clone()),
        pieces => Test::Glob(glob::pattern(pieces)),
    }
}

/// Every event has a level, so a test on it is the set of levels that pass.
fn levels(passes: impl Fn(Level) -> bool) -> Node {
    let passing: Vec<Level> = Level::ALL.into_iter().filter(|level| passes(*level)).collect();
    let contiguous = passing.windows(2).all(|pair| pair[0] as u8 + 1 == pair[1] as u8);
    match passing[..] {
        [] => Node::nothing(),
        [level] => Node::Key(Key::Level, Test::Level(Op::Eq, level)),
        [Level::Debug, .., Level::Critical] if contiguous => Node::All,
        [first, .., Level::Critical] if contiguous => Node::Key(Key::Level, Test::Level(Op::Ge, first)),
        [Level::Debug, .., last] if contiguous => Node::Key(Key::Level, Test::Level(Op::Le, last)),
        _ => join(
            passing
                .into_iter()
                .map(|level| Node::Key(Key::Level, Test::Level(Op::Eq, level)))
                .collect(),
            Joint::Or,
        ),
    }
}

fn backfill(test: &Test) -> Node {
    let is_true = Node::Key(Key::Backfill, Test::Is("true".into()));
    let passes = |value| test.matches_str(Key::Backfill, value);
    match (passes("true"), passes("false")) {
        (true, true) => Node::All,
        (true, false) => is_true,
        (false, true) => negate(is_true),
        (false, false) => Node::nothing(),
    }
}

/// A seq is a whole number from 1, so every comparison is one of `=`, `>=` and `<=` with such a number.
fn seq(test: Test) -> Node {
    let (op, number) = match test {
        Test::Exists => return Node::All,
        Test::Is(text) => (Op::Eq, parse_number(&text).unwrap_or(f64::NAN)),
        Test::Compare(Op::Gt, number) => (Op::Ge, number.floor() + 1.0),
        Test::Compare(Op::Ge, number) => (Op::Ge, number.ceil()),
        Test::Compare(Op::Lt, number) => (Op::Le, number.ceil() - 1.0),
        Test::Compare(Op::Le, number) => (Op::Le, number.floor()),
        Test::Compare(Op::Eq, number) => (Op::Eq, number),
        Test::Prefix(_) | Test::Glob(_) | Test::Level(..) => (Op::Eq, f64::NAN),
    };
    match op {
        Op::Ge if number <= 1.0 => Node::All,
        Op::Le if number >= SEQ_MAX => Node::All,
        _ if number.fract() == 0.0 && (1.0..=SEQ_MAX).contains(&number) => {
            Node::Key(Key::Seq, Test::Compare(op, number))
        }
        _ => Node::nothing(),
    }
}

fn path_test(path: Vec<String>, test: Test) -> Node {
    if !matches!(path.first().map(String::as_str), Some("data" | "ext")) {
        return Node::nothing();
    }
    let test = match test {
        // Adding zero makes -0 the 0 that it equals.
        Test::Compare(op, number) if number.is_finite() => Some(Test::Compare(op, number + 0.0)),
        test => text_test(test, false),
    };
    test.map_or_else(Node::nothing, |test| Node::Path(path, test))
}
