//! Filters evaluated the obvious way: over decoded values, with nothing skipped and nothing prepared.

use kymo_event::{
    Level, LineView,
    filter::{Key, Node, Op, Test},
    fold_separators,
};
use serde_json::value::RawValue;

/// Whether the line passes; `None` where it holds half a surrogate pair, which no Rust string can.
pub(crate) fn matches(node: &Node, line: &LineView<'_>) -> Option<bool> {
    let payload = Payload {
        data: line.data().map(Json::of).transpose().ok()?,
        ext: line.ext().map(Json::of).transpose().ok()?,
    };
    Some(passes(node, line, &payload))
}

struct Payload {
    data: Option<Json>,
    ext: Option<Json>,
}

fn passes(node: &Node, line: &LineView<'_>, payload: &Payload) -> bool {
    match node {
        Node::All => true,
        Node::And(parts) => parts.iter().all(|part| passes(part, line, payload)),
        Node::Or(parts) => parts.iter().any(|part| passes(part, line, payload)),
        Node::Not(part) => !passes(part, line, payload),
        Node::Key(key, test) => key_passes(*key, test, line),
        Node::Path(path, test) => {
            let root = if path[0] == "ext" {
                &payload.ext
            } else {
                &payload.data
            };
            root.as_ref().is_some_and(|value| value.at(&path[1..], test))
        }
        Node::Words(words) => {
            let words = fold(words);
            let holds = |value: &Json| value.any_string(&mut |text| fold(text).contains(&words));
            payload.data.as_ref().is_some_and(holds) || payload.ext.as_ref().is_some_and(holds)
        }
    }
}

fn key_passes(key: Key, test: &Test, line: &LineView<'_>) -> bool {
    let event = line.to_event();
    let text = match key {
        Key::Type => return text_passes(&fold_separators(&event.kind), &folded(test)),
        Key::Level => return level_passes(test, event.level),
        Key::Seq => Some(line.seq().to_string().into()),
        Key::Backfill => {
            return text_passes(if event.backfill { "true" } else { "false" }, test)
                && (event.backfill || *test != Test::Exists);
        }
        Key::Source => Some(event.source),
        Key::Id => event.id,
        Key::Agent => event.agent,
        Key::Session => event.session,
        Key::Task => event.task,
        Key::Trace => event.trace,
        Key::Span => event.span,
        Key::Parent => event.parent,
        Key::User => event.user,
        Key::Tier => event.tier,
        Key::Dialect => event.dialect,
    };
    text.is_some_and(|text| text_passes(&text, test))
}

/// A test on `type`, where all separators are one.
fn folded(test: &Test) -> Test {
    match test {
        Test::Is(text) => Test::Is(fold_separators(text).into_owned()),
        Test::Prefix(text) => Test::Prefix(fold_separators(text).into_owned()),
        Test::Glob(text) => Test::Glob(fold_separators(text).into_owned()),
        test => test.clone(),
    }
}

fn level_passes(test: &Test, level: Level) -> bool {
    match test {
        Test::Level(op, bound) => compares(*op, level, *bound),
        test => text_passes(level.as_str(), test),
    }
}

fn text_passes(text: &str, test: &Test) -> bool {
    match test {
        Test::Is(expected) => text == expected,
        Test::Prefix(prefix) => text.starts_with(prefix.as_str()),
        Test::Glob(pattern) => glob(&pieces(pattern), &text.chars().collect::<Vec<_>>()),
        Test::Exists => true,
        Test::Compare(op, bound) => number(text).is_some_and(|number| compares(*op, number, *bound)),
        Test::Level(..) => false,
    }
}

fn compares<T: PartialOrd>(op: Op, value: T, bound: T) -> bool {
    match op {
        Op::Eq => value == bound,
        Op::Lt => value < bound,
        Op::Le => value <= bound,
        Op::Gt => value > bound,
        Op::Ge => value >= bound,
    }
}

/// A number as JSON writes numbers, leading zeros aside.
fn number(text: &str) -> Option<f64> {
    let begins = text
        .strip_prefix('-')
        .unwrap_or(text)
        .starts_with(|c: char| c.is_ascii_digit());
    text.parse().ok().filter(|_| begins)
}

/// The characters of a pattern; `None` for a star.
fn pieces(pattern: &str) -> Vec<Option<char>> {
    let mut chars = pattern.chars();
    std::iter::from_fn(|| {
        Some(match chars.next()? {
            '*' => None,
            '\\' => Some(chars.next().unwrap_or('\\')),
            other => Some(other),
        })
    })
    .collect()
}

/// Row by row: whether the pattern so far takes the text so far.
fn glob(pattern: &[Option<char>], text: &[char]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for piece in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match piece {
                None => row[at] || (at > 0 && next[at - 1]),
                Some(c) => at > 0 && row[at - 1] && text[at - 1] == *c,
            };
        }
        row = next;
    }
    row[text.len()]
}

fn fold(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .collect()
}

/// A tree that forgets nothing: repeated keys stay, numbers stay text.
enum Json {
    Plain(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn of(text: &str) -> Result<Self, serde_json::Error> {
        Ok(match text.trim_start().as_bytes()[0] {
            b'"' => Self::Text(serde_json::from_str(text)?),
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::Array(
                    elements
                        .into_iter()
                        .map(|element| Self::of(element.get()))
                        .collect::<Result<_, _>>()?,
                )
            }
            b'{' => {
                let crate::json::Pairs(members) = serde_json::from_str(text)?;
                let members = members
                    .into_iter()
                    .map(|(name, value)| Ok((name, Self::of(value.get())?)));
                Self::Object(members.collect::<Result<_, serde_json::Error>>()?)
            }
            _ => Self::Plain(text.trim().to_owned()),
        })
    }

    fn at(&self, steps: &[String], test: &Test) -> bool {
        match (self, steps) {
            (Self::Array(_) | Self::Object(_), []) if *test == Test::Exists => true,
            (Self::Array(elements), [step, rest @ ..]) if is_index(step) => {
                let index = step.parse::<usize>().ok();
                index
                    .and_then(|index| elements.get(index))
                    .is_some_and(|element| element.at(rest, test))
            }
            (Self::Array(elements), steps) => elements.iter().any(|element| element.at(steps, test)),
            (Self::Object(members), steps) => members.iter().any(|(name, value)| {
                let taken = (1..=steps.len()).find(|taken| steps[..*taken].join(".") == *name);
                taken.is_some_and(|taken| value.at(&steps[taken..], test))
            }),
            (Self::Text(text), []) => text_passes(text, test),
            (Self::Plain(word), []) => match test {
                Test::Is(expected) => word == expected || is_same_number(word, expected),
                Test::Exists => word != "null",
                test => text_passes(word, test),
            },
            (_, [_, ..]) => false,
        }
    }

    fn any_string(&self, holds: &mut impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => holds(text),
            Self::Array(elements) => elements.iter().any(|element| element.any_string(holds)),
            Self::Object(members) => members.iter().any(|(_, value)| value.any_string(holds)),
            Self::Plain(_) => false,
        }
    }
}

fn is_index(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
}

/// By value, but whole numbers digit by digit.
fn is_same_number(a: &str, b: &str) -> bool {
    let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let values = (number(a), number(b));
    !(whole(a) && whole(b)) && matches!(values, (Some(a), Some(b)) if a == b)
}
