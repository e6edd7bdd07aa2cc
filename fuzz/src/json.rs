//! The JSON scanner against serde_json: it takes exactly what RFC 8259 takes, and walks to the same tokens.

use kymo_event::{
    RawJson,
    json::{self, Kind},
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

const NESTING_MAX: usize = 64;

/// Any bytes.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    strings(text);
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    match RawJson::parse(text, NESTING_MAX) {
        Ok(value) => {
            assert!(is_json, "what is no JSON was taken");
            assert!(depth(text) <= NESTING_MAX);
            assert_eq!(value.as_str(), text.trim_matches([' ', '\t', '\r', '\n']));
            one_line(value.as_str());
            walk(value);
        }
        Err(refusal) if refusal.code == "too_deep" => {
            assert!(is_json && depth(text) > NESTING_MAX);
        }
        Err(refusal) => {
            assert!(!is_json, "JSON was refused: {refusal}");
            let at = refusal.byte.expect("a fault has a place");
            assert!(at <= text.len());
        }
    }
}

/// Compares the parts of a value with what serde_json finds, all the way down.
fn walk(value: RawJson<'_>) {
    let text = value.as_str();
    match value.kind() {
        Kind::Object => {
            let members: Vec<_> = value.members().expect("an object").collect();
            let Ok(Pairs(expected)) = serde_json::from_str(text) else {
                // A name with half a surrogate pair: there is no string to compare it with.
                assert!(members.iter().any(|member| member.name().is_none()));
                return;
            };
            assert_eq!(members.len(), expected.len());
            for (member, (name, token)) in members.iter().zip(&expected) {
                assert_eq!(member.name().as_deref(), Some(&**name));
                assert_eq!(member.value().as_str(), token.get());
                assert_eq!(member.text().as_deref(), member.value().as_string().as_deref());
                assert!(value.may_have(name));
                let first = expected.iter().find(|(other, _)| other == name);
                assert_eq!(
                    value.get(name).map(RawJson::as_str),
                    first.map(|(_, token)| token.get())
                );
                walk_again(token.get());
            }
        }
        Kind::Array => {
            let elements: Vec<_> = value.elements().expect("an array").map(RawJson::as_str).collect();
            let expected: Vec<&RawValue> = serde_json::from_str(text).expect("an array");
            assert!(
                elements.iter().eq(expected
                    .iter()
                    .map(|token| token.get())
                    .collect::<Vec<_>>()
                    .iter())
            );
            elements.into_iter().for_each(walk_again);
        }
        Kind::String => {
            let expected = serde_json::from_str::<String>(text).ok();
            assert_eq!(value.as_string().as_deref(), expected.as_deref());
        }
        Kind::Number | Kind::Bool | Kind::Null => assert!(!text.contains(['"', ' ', ','])),
    }
}

fn walk_again(token: &str) {
    walk(RawJson::parse(token, NESTING_MAX).expect("a part of JSON is JSON"));
}

/// Any text comes back from between quotes.
fn strings(text: &str) {
    let token = json::string_token(text);
    assert_eq!(serde_json::from_str::<String>(&token).ok().as_deref(), Some(text));
    assert_eq!(json::decode(&token[1..token.len() - 1]).as_deref(), Some(text));
}

/// On one line every token is what it was.
fn one_line(text: &str) {
    let line = json::one_line(text);
    assert!(!line.contains(['\r', '\n']));
    assert_eq!(without_space(&line), without_space(text));
}

/// The text without the white space between its tokens.
pub(crate) fn without_space(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |c: &char| {
        let outside = !quoted && matches!(c, ' ' | '\t' | '\r' | '\n');
        quoted ^= *c == '"' && !escaped;
        escaped = quoted && *c == '\\' && !escaped;
        !outside
    };
    text.chars().filter(keep).collect()
}

fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for c in text.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        deepest = deepest.max(depth);
    }
    deepest
}

/// The members of an object in their order.
pub(crate) struct Pairs<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
