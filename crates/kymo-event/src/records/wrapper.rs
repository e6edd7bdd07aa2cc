//! An object around records, as a socket's message is: read in one pass, its records cut on the way.
//!
//! Members are handed out as they were met, so that the refusal of a broken message can still say what it was about.
use std::borrow::Cow;

use super::{Found, Records, Source, array};
use crate::{
    Limits, RawJson, Refusal,
    json::{self, Fault, skip_space},
};

/// An object and the records in it.
pub struct Wrapper<'a> {
    /// Name and value (as JSON text) of every member, in the order they were met; before a fault, those up to it.
    pub members: Vec<(Cow<'a, str>, &'a str)>,
    /// The records in the member that may have some; the byte of each counts from where that member's value begins.
    pub records: Option<Records<'a>>,
}

/// Why an object could not be read to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not JSON; the byte counts from the start of the text.
    Json(Refusal),
    /// It is JSON, but no object.
    NoObject,
    /// It has more than [`Wrapper::MEMBERS_MAX`] members.
    TooManyMembers,
}

/// Strings up to this length are looked at byte by byte.
const SHORT_MAX: usize = 32;

impl<'a> Wrapper<'a> {
    /// Members at most.
    pub const MEMBERS_MAX: usize = 32;

    /// Reads an object; the value of the member named `carrier` is the records.
    pub fn read(text: &'a str, carrier: &str, limits: &Limits) -> (Self, Result<(), Unreadable>) {
        let mut wrapper = Self {
            members: Vec::with_capacity(4),
            records: None,
        };
        let read = wrapper.fill(text, carrier, limits);
        (wrapper, read)
    }

    fn fill(&mut self, text: &'a str, carrier: &str, limits: &Limits) -> Result<(), Unreadable> {
        let bytes = text.as_bytes();
        let start = skip_space(bytes, 0);
        if bytes.get(start) != Some(&b'{') {
            RawJson::parse(text, usize::MAX)?;
            return Err(Unreadable::NoObject);
        }
        let mut at = skip_space(bytes, start + 1);
        if bytes.get(at) == Some(&b'}') {
            return end(bytes, at + 1);
        }
        loop {
            let (name, value) = name(text, at)?;
            if self.members.len() == Self::MEMBERS_MAX {
                return Err(Unreadable::TooManyMembers);
            }
            let value_end = if name == carrier {
                self.cut(text, value, limits)?
            } else {
                value_end(bytes, value)?
            };
            self.members.push((name, &text[value..value_end]));
            at = skip_space(bytes, value_end);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b'}') => return end(bytes, at + 1),
                Some(_) => return fault(at, "`,` or `}` was expected"),
                None => return fault(at, "the text ends inside an object"),
            }
        }
    }

    /// Cuts the value at `start` into records; where it ends.
    fn cut(&mut self, text: &'a str, start: usize, limits: &Limits) -> Result<usize, Unreadable> {
        let text = &text[start..];
        let bytes = text.as_bytes();
        let found = match bytes.first() {
            Some(b'[') => array(bytes, 0),
            _ => json::check(bytes, 0).map(|checked| Found::one(0, checked)),
        };
        let Found { values, rest, end } =
            found.map_err(|Fault::Syntax { at, what }| Fault::Syntax { at: at + start, what })?;
        let values = values.into_iter();
        self.records = Some(Records {
            body: &bytes[..end],
            nesting_max: limits.nesting_max,
            event_bytes_max: limits.event_bytes_max,
            index: 0,
            source: Source::Values { text, values, rest },
        });
        Ok(start + end)
    }
}

/// The name that must begin at `at`, and where its value begins.
fn name(text: &str, at: usize) -> Result<(Cow<'_, str>, usize), Unreadable> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(b'"') => {}
        Some(_) => return fault(at, "a name in double quotes was expected"),
        None => return fault(at, "the text ends inside an object"),
    }
    let close = value_end(bytes, at)?;
    let Some(name) = json::decode(&text[at + 1..close - 1]) else {
        return fault(at, "a name has half a surrogate pair");
    };
    let colon = skip_space(bytes, close);
    match bytes.get(colon) {
        Some(b':') => Ok((name, skip_space(bytes, colon + 1))),
        Some(_) => fault(colon, "`:` was expected after the name"),
        None => fault(colon, "the text ends inside an object"),
    }
}

/// Where the value that begins at `at` ends, if it is JSON. Most values here are short words, for which the checker
/// would do more to get going than to check.
fn value_end(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let plain = |byte: &&u8| **byte >= b' ' && **byte != b'"' && **byte != b'\\';
    if let Some((b'"', rest)) = bytes[at..].split_first() {
        let length = rest.iter().take(SHORT_MAX).take_while(plain).count();
        if rest.get(length) == Some(&b'"') {
            return Ok(at + length + 2);
        }
    }
    Ok(json::check(bytes, at)?.end)
}

fn end(bytes: &[u8], at: usize) -> Result<(), Unreadable> {
    let rest = skip_space(bytes, at);
    match bytes.get(rest) {
        None => Ok(()),
        Some(_) => fault(rest, "nothing may follow the object"),
    }
}

fn fault<T>(at: usize, what: &'static str) -> Result<T, Unreadable> {
    Err(Fault::Syntax { at, what }.into())
}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Self {
        Self::Json(fault.into())
    }
}

impl From<Refusal> for Unreadable {
    fn from(refusal: Refusal) -> Self {
        Self::Json(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn read(text: &str) -> (Wrapper<'_>, Result<(), Unreadable>) {
        Wrapper::read(text, "events", &Limits::default())
    }

    fn fault_at(text: &str) -> Option<usize> {
        match read(text).1 {
            Err(Unreadable::Json(refusal)) => refusal.byte,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn members_are_handed_out_as_they_were_written_and_records_are_cut() {
        let (wrapper, read) = read(r#" {"op" : "e\u006dit","events":[{"a":[1]}, 2] ,"ref":7} "#);
        assert_eq!(read, Ok(()));
        let members: Vec<_> = wrapper
            .members
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        assert_eq!(
            members,
            [
                ("op", r#""e\u006dit""#),
                ("events", r#"[{"a":[1]}, 2]"#),
                ("ref", "7")
            ]
        );
        let records = wrapper.records.expect("there is a carrier");
        let records: Vec<_> = records
            .map(|record| (record.byte, record.value.map(RawJson::as_str)))
            .collect();
        assert_eq!(records, [(1, Ok(r#"{"a":[1]}"#)), (12, Ok("2"))]);
    }

    #[test]
    fn a_lone_value_is_one_record_and_no_carrier_is_none() {
        let (wrapper, _) = read(r#"{"events":{"type":"a"}}"#);
        assert_eq!(wrapper.records.map(Iterator::count), Some(1));
        assert!(read(r#"{"op":"ping"}"#).0.records.is_none());
    }

    #[test]
    fn what_was_met_before_a_fault_is_there_and_the_fault_has_a_place() {
        let (wrapper, _) = read(r#"{"ref":"r1","events":[{"a":1},nul]}"#);
        assert_eq!(wrapper.members, [("ref".into(), "\"r1\"")]);
        assert!(wrapper.records.is_none());
        assert_eq!(fault_at(r#"{"ref":"r1","events":[{"a":1},nul]}"#), Some(33));
        for (text, byte) in [
            ("{\"a\u{1}\":1}", 3),
            ("{\"a\":\"\u{1}\"}", 6),
            ("{\"a\":1", 6),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("{\"a\":1,}", 7),
            ("{\"a\":1} {", 8),
            ("{\"\\ud800\":1}", 1),
            ("[1", 2),
            ("", 0),
        ] {
            assert_eq!(fault_at(text), Some(byte), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_or_has_countless_members_is_told_apart() {
        assert_eq!(read("[1]").1, Err(Unreadable::NoObject));
        let members: Vec<_> = (0..=Wrapper::MEMBERS_MAX)
            .map(|number| format!("\"{number}\":0"))
            .collect();
        assert_eq!(read(&format!("{{{}}}", members[1..].join(","))).1, Ok(()));
        assert_eq!(
            read(&format!("{{{}}}", members.join(","))).1,
            Err(Unreadable::TooManyMembers)
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\\u{1}é🙂]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a\"\\\\é]{0,5}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_is_read_as_another_reader_reads_it(
            members in prop::collection::btree_map("events|[a\"\\\\é]{0,40}", any_value(), 0..6),
            pretty in any::<bool>(),
        ) {
            let object = Value::Object(members.into_iter().collect());
            let text = if pretty { format!("{object:#}") } else { object.to_string() };
            let (wrapper, read) = read(&text);
            prop_assert_eq!(read, Ok(()));
            let read: serde_json::Map<_, _> = wrapper
                .members
                .iter()
                .map(|(name, value)| (name.to_string(), serde_json::from_str(value).expect("a value is JSON")))
                .collect();
            prop_assert_eq!(Value::Object(read), object.clone());
            let records = wrapper.records.map(|records| {
                let value = |record: super::super::Record<'_>| record.value.map(|value| value.as_str().to_owned());
                records.map(|record| value(record).expect("it keeps to the limits")).collect::<Vec<_>>()
            });
            let expected = object.get("events").map(|events| match events {
                Value::Array(elements) => elements.clone(),
                value => vec![value.clone()],
            });
            let records = records.map(|records| {
                records.iter().map(|text| serde_json::from_str::<Value>(text).expect("JSON")).collect::<Vec<_>>()
            });
            prop_assert_eq!(records, expected);
        }

        #[test]
        fn a_text_that_was_cut_off_is_a_fault_at_its_end_at_the_latest(
            members in prop::collection::btree_map("events|[a\"\\\\é]{0,4}", any_value(), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let text = Value::Object(members.into_iter().collect()).to_string();
            let mut end = cut.index(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let at = fault_at(&text[..end]);
            prop_assert!(at.is_some_and(|at| at <= end), "{:?} of {}", at, end);
        }
    }
}
