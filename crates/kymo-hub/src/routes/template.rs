//! Templates: text and JSON whose strings may hold `{{ expressions }}`.
//!
//! A string that is one expression and nothing else becomes what that gives, of whatever type; in a longer string it
//! becomes text. A member of an object whose expression gives nothing is left out.

use kymo_event::json::{push_string, string_token};
use serde_json::Value;

use super::expression::{Expression, Original};

/// Depth of a template, so that what it makes is not deeper than events may be with what it takes in.
const DEPTH_MAX: usize = 32;

/// A string that may hold expressions.
pub(super) struct Text(Vec<Part>);

enum Part {
    Plain(Box<str>),
    Expression(Expression),
}

/// Any JSON whose strings may hold expressions.
pub(super) enum Template {
    /// JSON text without any.
    Plain(Box<str>),
    Expression(Expression),
    Text(Text),
    Object(Vec<(Box<str>, Template)>),
    Array(Vec<Template>),
}

impl Text {
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(begin) = rest.find("{{") {
            let inside = &rest[begin + 2..];
            let end = expression_end(inside).ok_or_else(|| format!("`{{{{` is not closed in `{text}`"))?;
            let expression = Expression::compile(&inside[..end])
                .map_err(|error| format!("`{{{{{}}}}}`: {error}", &inside[..end]))?;
            if begin > 0 {
                parts.push(Part::Plain(rest[..begin].into()));
            }
            parts.push(Part::Expression(expression));
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Plain(rest.into()));
        }
        Ok(Self(parts))
    }

    /// The text, if it is the same for every event.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Plain(text)] => Some(text),
            _ => None,
        }
    }

    pub(super) fn write(&self, original: &Original<'_>) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Expression(expression) => out.push_str(&expression.find(original)?.text()),
            }
        }
        Ok(out)
    }
}

impl Template {
    pub(super) fn compile(value: &Value) -> Result<Self, String> {
        Self::compile_at(value, 0)
    }

    fn compile_at(value: &Value, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("a template may be {DEPTH_MAX} deep"));
        }
        match value {
            Value::String(text) => {
                let Text(mut parts) = Text::compile(text)?;
                Ok(match (parts.pop(), parts.is_empty()) {
                    (None, _) => Self::Plain(string_token("").into()),
                    (Some(Part::Plain(text)), true) => Self::Plain(string_token(&text).into()),
                    (Some(Part::Expression(expression)), true) => Self::Expression(expression),
                    (Some(last), false) => {
                        parts.push(last);
                        Self::Text(Text(parts))
                    }
                })
            }
            Value::Object(members) => {
                let compiled = members
                    .iter()
                    .map(|(name, value)| Ok((name.as_str().into(), Self::compile_at(value, depth + 1)?)));
                compiled.collect::<Result<_, String>>().map(Self::Object)
            }
            Value::Array(elements) => {
                let compiled = elements.iter().map(|value| Self::compile_at(value, depth + 1));
                compiled.collect::<Result<_, _>>().map(Self::Array)
            }
            plain => Ok(Self::Plain(plain.to_string().into())),
        }
    }

    /// Appends the JSON text; whether there is any.
    pub(super) fn write(&self, original: &Original<'_>, out: &mut Vec<u8>) -> Result<bool, String> {
        match self {
            Self::Plain(json) => out.extend_from_slice(json.as_bytes()),
            Self::Expression(expression) => match expression.find(original)?.json() {
                Some(json) => out.extend_from_slice(json.as_bytes()),
                None => return Ok(false),
            },
            Self::Text(text) => push_string(out, &text.write(original)?),
            Self::Object(members) => {
                out.push(b'{');
                let mut first = true;
                for (name, value) in members {
                    let before = out.len();
                    if !first {
                        out.push(b',');
                    }
                    push_string(out, name);
                    out.push(b':');
                    match value.write(original, out)? {
                        true => first = false,
                        false => out.truncate(before),
                    }
                }
                out.push(b'}');
            }
            Self::Array(elements) => {
                out.push(b'[');
                for (index, value) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    // An array keeps its places, as JSON does it.
                    if !value.write(original, out)? {
                        out.extend_from_slice(b"null");
                    }
                }
                out.push(b']');
            }
        }
        Ok(true)
    }
}

/// Where the expression ends: at `}}`, unless that is quoted or closes a map.
fn expression_end(text: &str) -> Option<usize> {
    let (mut quote, mut depth, mut escaped) = (None, 0_usize, false);
    let bytes = text.as_bytes();
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use kymo_event::LineView;
    use serde_json::json;

    const LINE: &str = r#"{"seq":7,"recorded":"2026-02-14T19:01:23.457102Z","type":"deploy:status-changed","source":"ci","level":"info","agent":"planner","data":{"id":"d1","big":12345678901234567890123,"n":1.50,"logs":["a","b","c"],"quoted":"say \"hi\"","none":null},"crc":"00000000"}"#;

    fn original() -> LineView<'static> {
        LineView::parse(LINE.as_bytes()).expect("a line")
    }

    fn written(template: Value) -> Result<String, String> {
        let mut out = Vec::new();
        let some = Template::compile(&template)?.write(&Original::new(&original()), &mut out)?;
        assert_eq!(some, !out.is_empty(), "{template}");
        Ok(String::from_utf8(out).expect("text"))
    }

    #[track_caller]
    fn check(template: Value, expected: &str) {
        assert_eq!(written(template).as_deref(), Ok(expected));
    }

    #[test]
    fn a_path_gives_the_token_as_it_was_sent() {
        check(json!("{{ data.big }}"), "12345678901234567890123");
        check(json!("{{data.n}}"), "1.50");
        check(json!("{{ data.logs }}"), r#"["a","b","c"]"#);
        check(json!("{{ data.logs[0] }}"), r#""a""#);
        check(json!("{{ data.logs[-1] }}"), r#""c""#);
        check(json!("{{ data.quoted }}"), r#""say \"hi\"""#);
        check(json!("{{ data.none }}"), "null");
        check(json!("{{ seq }}"), "7");
        check(json!("{{ agent }}"), r#""planner""#);
    }

    #[test]
    fn what_the_original_has_not_is_left_out() {
        check(json!("{{ data.nowhere }}"), "");
        check(json!("{{ data.logs[3] }}"), "");
        check(json!("{{ data.logs[-4] }}"), "");
        check(json!("{{ nowhere.at.all | upper if false }}"), "");
        check(
            json!({"a": "{{ data.nowhere }}", "b": "{{ data.id }}", "c": "{{ data.nowhere.x }}"}),
            r#"{"b":"d1"}"#,
        );
        check(json!(["{{ data.nowhere }}", 1]), "[null,1]");
        check(
            json!("id={{ data.id }} x={{ data.nowhere }} n={{ data.none }}!"),
            r#""id=d1 x= n=!""#,
        );
    }

    #[test]
    fn more_than_a_path_is_jinja() {
        check(json!("{{ data.logs[-2:] }}"), r#"["b","c"]"#);
        check(json!("{{ data.nowhere[-2:] }}"), "[]");
        check(json!("{{ data.id | upper }}"), r#""D1""#);
        check(json!("{{ data.n * 2 }}"), "3.0");
        check(json!("{{ 'late' if data.n > 1 else 'soon' }}"), r#""late""#);
        check(json!("{{ {'a': {'b': data.id}} }}"), r#"{"a":{"b":"d1"}}"#);
        check(json!("{{ '}}' }}"), r#""}}""#);
        check(
            json!("{{ data.logs | join('-') }} of {{ type }}"),
            r#""a-b-c of deploy:status-changed""#,
        );
        check(json!("{{ true }}"), "true");
    }

    #[test]
    fn what_has_no_expression_stays_as_it_is() {
        check(
            json!({"a": [1, 2.5, null, true, "x } y"], "b": ""}),
            r#"{"a":[1,2.5,null,true,"x } y"],"b":""}"#,
        );
    }

    #[test]
    fn mistakes_are_told_when_the_template_is_made() {
        for (template, part) in [
            (json!("{{ data.id"), "not closed"),
            (json!("{{ data. }}"), "syntax error"),
            (json!("{{ data.id | nonesuch }}"), "unknown filter"),
            (json!({"a": ["{{ 1 + }}"]}), "syntax error"),
        ] {
            let error = Template::compile(&template)
                .err()
                .unwrap_or_else(|| panic!("{template} is taken"));
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn nothing_makes_much_out_of_little() {
        for expression in [
            "range(100000)",
            "lipsum(1000)",
            "'x' * 1000000000",
            "[1] * 1000000000",
        ] {
            let made = written(json!(format!("{{{{ {expression} }}}}")));
            assert!(made.is_err(), "{expression}");
        }
    }
}
