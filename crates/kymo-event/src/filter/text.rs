//! Writes a tree in normal form as text that [`super::parse`] reads back to the same tree.

use std::fmt::Write;

use super::{
    glob::{self, Piece},
    tree::{Key, Node, Op, Test},
};

/// The text of a tree.
pub(super) fn of(node: &Node) -> String {
    let mut out = String::new();
    write(&mut out, node, Binding::Or);
    out
}

/// How tightly the place binds that a node is written into.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
}

fn write(out: &mut String, node: &Node, place: Binding) {
    match node {
        Node::All => out.push('*'),
        Node::And(parts) => list(out, parts, " ", Binding::And, place),
        Node::Or(parts) => list(out, parts, " OR ", Binding::Or, place),
        Node::Not(part) => {
            out.push('-');
            write(out, part, Binding::Not);
        }
        Node::Key(key, test) => key_test(out, *key, test),
        Node::Path(path, test) => path_test(out, path, test),
        Node::Words(words) => quoted(out, words),
    }
}

fn list(out: &mut String, parts: &[Node], between: &str, binding: Binding, place: Binding) {
    let brackets = place > binding;
    if brackets {
        out.push('(');
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        write(out, part, binding);
    }
    if brackets {
        out.push(')');
    }
}

fn key_test(out: &mut String, key: Key, test: &Test) {
    out.push_str(key.as_str());
    out.push(':');
    match test {
        Test::Compare(Op::Eq, number) if key == Key::Seq => push_number(out, *number),
        test => write_test(out, test),
    }
}

fn path_test(out: &mut String, path: &[String], test: &Test) {
    for (index, step) in path.iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        if is_bare_step(step) {
            out.push_str(step);
        } else {
            quoted(out, step);
        }
    }
    out.push(':');
    write_test(out, test);
}

fn write_test(out: &mut String, test: &Test) {
    match test {
        Test::Is(text) => value(out, text),
        Test::Prefix(text) => {
            value(out, text);
            out.push('*');
        }
        Test::Glob(pattern) => {
            for piece in glob::pieces(pattern) {
                match piece {
                    Piece::Star => out.push('*'),
                    Piece::Text(text) => value(out, &text),
                }
            }
        }
        Test::Exists => out.push('*'),
        Test::Compare(op, number) => {
            out.push_str(op.as_str());
            push_number(out, *number);
        }
        Test::Level(Op::Eq, level) => out.push_str(level.as_str()),
        Test::Level(op, level) => {
            out.push_str(op.as_str());
            out.push_str(level.as_str());
        }
    }
}

fn push_number(out: &mut String, number: f64) {
    let plain = number == 0.0 || (1e-5..1e16).contains(&number.abs());
    let written = if plain {
        write!(out, "{number}")
    } else {
        write!(out, "{number:e}")
    };
    written.expect("writing to a string cannot fail");
}

fn value(out: &mut String, text: &str) {
    let bare = text
        .chars()
        .all(|c| c.is_alphanumeric() || "._-:/@+#%~$&=;".contains(c));
    if bare && !text.is_empty() && !text.starts_with('=') {
        out.push_str(text);
    } else {
        quoted(out, text);
    }
}

/// Whether a step of a path needs no quotes.
fn is_bare_step(step: &str) -> bool {
    !step.is_empty()
        && step
            .chars()
            .all(|c| c.is_alphanumeric() || "_-/@#$+%~".contains(c))
}

/// The text in quotes.
pub(super) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
