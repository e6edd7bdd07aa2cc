//! The values of a term: what may stand behind `level:`, `seq:`, `agent:`, `data.x:`.

use super::{
    glob::{self, Piece},
    normal,
    parse::{Fault, Parser},
    tree::{Key, Node, Op, Test, parse_number},
};
use crate::Level;

/// What a term asks about.
pub(super) enum Target {
    /// A key of the envelope.
    Key(Key),
    /// A path into the payload.
    Path(Vec<String>),
}

impl Target {
    fn node(&self, test: Test) -> Node {
        match self {
            Self::Key(key) => Node::Key(*key, test),
            Self::Path(path) => Node::Path(path.clone(), test),
        }
    }
}

/// One value as written.
struct Value {
    at: usize,
    op: Option<Op>,
    pieces: Vec<Piece>,
    /// Something stood there, if only `""`.
    written: bool,
}

impl Value {
    /// The value where it is one plain text without stars.
    fn text(&self) -> Option<&str> {
        match &self.pieces[..] {
            [] if self.written => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl Parser<'_> {
    /// The values behind the colon; several with commas between them are any of them.
    pub(super) fn values(&mut self, start: usize, target: &Target) -> Result<Node, Fault> {
        let mut parts = Vec::new();
        loop {
            let value = self.value(start)?;
            parts.push(target.node(self.test(target, &value)?));
            if !self.take(",") {
                break;
            }
        }
        if self.peek() == Some('(') {
            let key = &self.text[start..self.at];
            return self.fail(
                self.at,
                format!("alternatives of one key are written with commas: {key}a,b; put brackets meant as text in quotes"),
            );
        }
        self.after_term(start)?;
        Ok(Node::Or(parts))
    }

    fn value(&mut self, start: usize) -> Result<Value, Fault> {
        let at = self.at;
        let op = self.comparison()?;
        let mut value = Value {
            at,
            op,
            pieces: Vec::new(),
            written: false,
        };
        loop {
            match self.peek() {
                Some('"') => {
                    let text = self.quoted()?;
                    value.written = true;
                    glob::push(&mut value.pieces, Piece::Text(text));
                }
                Some('*') => {
                    self.at += 1;
                    glob::push(&mut value.pieces, Piece::Star);
                }
                Some('“' | '”' | '„' | '‘' | '’' | '«' | '»') => {
                    return self.fail(
                        self.at,
                        "these quotation marks are of another kind; write straight quotes: \"…\"",
                    );
                }
                _ => {
                    let text = self.run(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '"' | '*' | ','));
                    if text.is_empty() {
                        break;
                    }
                    glob::push(&mut value.pieces, Piece::Text(text.to_owned()));
                }
            }
        }
        if value.pieces.is_empty() && !value.written {
            return self.no_value(start);
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Option<Op>, Fault> {
        for (sign, op) in [
            ("<=", Op::Le),
            (">=", Op::Ge),
            ("<", Op::Lt),
            (">", Op::Gt),
            ("=", Op::Eq),
        ] {
            if self.take(sign) {
                if matches!(self.peek(), Some('<' | '>' | '=')) {
                    return self.fail(
                        self.at,
                        "the comparisons are < <= > >= and =; put such text in quotes",
                    );
                }
                return Ok(Some(op));
            }
        }
        if self.rest().starts_with("!=") {
            return self.fail(
                self.at,
                "\"not equal\" is written with `-` in front, as in -level:debug",
            );
        }
        Ok(None)
    }

    fn no_value<T>(&self, start: usize) -> Result<T, Fault> {
        let term = &self.text[start..self.at];
        let message = match self.peek() {
            Some('(') => format!("alternatives of one key are written with commas: {term}a,b"),
            Some(',') => "a value is missing before the comma; put text with commas in quotes".into(),
            _ if term.ends_with(',') => {
                "a value is missing behind the comma; put text with commas in quotes".into()
            }
            Some(c) if c.is_whitespace() => {
                format!("a value must follow `{term}` without a space; `{term}*` matches what has any value")
            }
            _ => format!("a value is missing after `{term}`; `{term}*` matches what has any value"),
        };
        self.fail(self.at, message)
    }

    fn test(&self, target: &Target, value: &Value) -> Result<Test, Fault> {
        match (target, value.op) {
            (Target::Key(Key::Level), op) => self.level_test(op, value),
            (Target::Key(Key::Seq), op) => self.seq_test(op, value),
            (Target::Key(Key::Backfill), _) => self.backfill_test(value),
            (Target::Path(_), Some(op)) => self.number_test(op, value),
            (Target::Key(key), Some(op)) => {
                let key = key.as_str();
                let sign = op.as_str();
                self.fail(
                    value.at,
                    format!(
                        "`{key}` is text and cannot be compared with `{sign}`; write {key}:value, or {key}:\"{sign}…\" if the \
                         text begins so"
                    ),
                )
            }
            (Target::Key(_) | Target::Path(_), None) => Ok(normal::pattern_test(&value.pieces)),
        }
    }

    fn level_test(&self, op: Option<Op>, value: &Value) -> Result<Test, Fault> {
        if op.is_none() && value.pieces == [Piece::Star] {
            return Ok(Test::Exists);
        }
        if value.text() == Some("success") {
            return self.fail(
                value.at,
                "`success` is stored as info; write ext.level:success for those that were sent so",
            );
        }
        let Some(level) = value.text().and_then(Level::parse) else {
            return self.fail(
                value.at,
                format!("`{}` is not a level; {}", self.written(value), level_hint(value)),
            );
        };
        Ok(Test::Level(op.unwrap_or(Op::Eq), level))
    }

    fn seq_test(&self, op: Option<Op>, value: &Value) -> Result<Test, Fault> {
        if op.is_none() && value.pieces == [Piece::Star] {
            return Ok(Test::Exists);
        }
        let text = value.text().unwrap_or_default();
        if let Some((from, to)) = text.split_once("..") {
            return self.fail(
                value.at,
                format!("a range is two comparisons: write seq:>={from} seq:<={to}"),
            );
        }
        match parse_number(text) {
            Some(number) if number.fract() == 0.0 && (0.0..=normal::SEQ_MAX).contains(&number) => {
                Ok(Test::Compare(op.unwrap_or(Op::Eq), number))
            }
            _ => self.fail(
                value.at,
                format!(
                    "`{}` is not a position; write seq:18442 or seq:>=18442",
                    self.written(value)
                ),
            ),
        }
    }

    fn backfill_test(&self, value: &Value) -> Result<Test, Fault> {
        match (value.op, value.text()) {
            (None, Some(text @ ("true" | "false"))) => Ok(Test::Is(text.into())),
            (None, None) if value.pieces == [Piece::Star] => Ok(Test::Exists),
            _ => self.fail(
                value.at,
                format!(
                    "`{}` is neither true nor false; write backfill:true or backfill:false",
                    self.written(value)
                ),
            ),
        }
    }

    fn number_test(&self, op: Op, value: &Value) -> Result<Test, Fault> {
        let sign = op.as_str();
        match value.text().and_then(parse_number) {
            Some(number) if number.is_finite() => Ok(Test::Compare(op, number)),
            _ => self.fail(
                value.at,
                format!(
                    "`{sign}` compares numbers, and `{}` is none; write a number such as {sign}0.5, or for equal text the \
                     value without `{sign}`",
                    self.written(value).trim_start_matches(sign)
                ),
            ),
        }
    }

    /// The value as it stands in the text.
    fn written(&self, value: &Value) -> &str {
        &self.text[value.at..self.at]
    }
}

fn level_hint(value: &Value) -> String {
    let word = value.text().unwrap_or_default().to_lowercase();
    let nearest = Level::ALL
        .into_iter()
        .map(Level::as_str)
        .find(|level| strsim::damerau_levenshtein(level, &word) <= 2);
    match nearest {
        Some(level) => format!("the nearest is `{level}`"),
        None => {
            "the levels are debug, info, warn, error and critical, as in level:warn or level:>=warn".into()
        }
    }
}
