//! What a stream answers: entries with their ids, and what it says of itself. Pure.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use kymo_event::{Micros, json};
use redis::Value;
use xxhash_rust::xxh3::xxh3_64;

/// The place of an entry: milliseconds since 1970, where nobody chose another number, and a number among those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    millis: u64,
    number: u64,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    /// Names and values; `None` if it was removed from the stream while it was on its way.
    pub(super) fields: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl EntryId {
    /// Before every entry.
    pub(super) const ZERO: Self = Self { millis: 0, number: 0 };

    /// The one before it.
    pub(super) fn before(self) -> Self {
        match self.number.checked_sub(1) {
            Some(number) => Self { number, ..self },
            None => Self {
                millis: self.millis.saturating_sub(1),
                number: if self.millis == 0 { 0 } else { u64::MAX },
            },
        }
    }

    /// When the entry came to be, if its id says so.
    pub(super) fn moment(self) -> Option<Micros> {
        // Ids may be any numbers. From 2001 on they are taken for times.
        let micros = i64::try_from(self.millis).ok()?.checked_mul(1_000)?;
        (micros > 1_000_000_000_000_000 && micros < 9_999_999_999_000_000).then_some(Micros(micros))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

impl FromStr for EntryId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (millis, number) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self {
            millis: millis.parse()?,
            number: number.parse()?,
        })
    }
}

impl Entry {
    /// What the entry says: the value of the field for events, else all of its fields as one object.
    pub(super) fn payload(self, field: &str) -> Option<Vec<u8>> {
        let mut fields = self.fields?;
        match fields.iter().position(|(name, _)| name == field.as_bytes()) {
            Some(at) => Some(fields.swap_remove(at).1),
            None => Some(object(&fields)),
        }
    }
}

/// What is known of an entry by its place: the same however often it is read. Its text is part of it, since places come
/// again in a stream that was removed and made anew.
pub(super) fn place(stream: &str, id: EntryId, payload: &[u8]) -> String {
    format!("{stream}:{id}:{:016x}", xxh3_64(payload))
}

fn object(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut text = vec![b'{'];
    for (name, value) in fields {
        if text.len() > 1 {
            text.push(b',');
        }
        json::push_string(&mut text, &String::from_utf8_lossy(name));
        text.push(b':');
        match std::str::from_utf8(value) {
            Ok(value) => json::push_string(&mut text, value),
            Err(_) => text
                .extend_from_slice(format!(r#"{{"base64":"{}"}}"#, BASE64_STANDARD.encode(value)).as_bytes()),
        }
    }
    text.push(b'}');
    text
}

/// The entries of an answer to XREADGROUP or XREAD, by stream.
pub(super) fn streams(answer: Value) -> Vec<(String, Vec<Entry>)> {
    let named = |(name, entries): (Value, Value)| Some((text(&name)?, self::entries(entries)));
    match answer {
        Value::Map(streams) => streams.into_iter().filter_map(named).collect(),
        // So it is before version 3 of the protocol.
        Value::Array(streams) => {
            let pairs = streams.into_iter().filter_map(|stream| pairs(stream).next());
            pairs.filter_map(named).collect()
        }
        _ => Vec::new(),
    }
}

/// The entries of one stream.
pub(super) fn entries(answer: Value) -> Vec<Entry> {
    let Value::Array(entries) = answer else {
        return Vec::new();
    };
    entries.into_iter().filter_map(entry).collect()
}

fn entry(answer: Value) -> Option<Entry> {
    let (id, fields) = pairs(answer).next()?;
    let fields = match fields {
        Value::Nil => None,
        fields => Some(
            pairs(fields)
                .map(|(name, value)| (bytes(name), bytes(value)))
                .collect(),
        ),
    };
    Some(Entry {
        id: text(&id)?.parse().ok()?,
        fields,
    })
}

/// What follows each other two and two in an answer.
pub(super) fn pairs(answer: Value) -> Box<dyn Iterator<Item = (Value, Value)>> {
    match answer {
        Value::Map(pairs) => Box::new(pairs.into_iter()),
        Value::Array(values) => {
            let mut values = values.into_iter();
            Box::new(std::iter::from_fn(move || Some((values.next()?, values.next()?))))
        }
        _ => Box::new(std::iter::empty()),
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn bytes(value: Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) => text.into_bytes(),
        Value::Int(number) => number.to_string().into_bytes(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn ids_are_places_in_order_and_times_where_they_can_be() {
        let ids = ["0-0", "5-1", "5-10", "1700000000123-0", "18446744073709551615-7"];
        let parsed: Vec<EntryId> = ids.iter().map(|id| id.parse().expect("an id")).collect();
        assert!(parsed.is_sorted());
        assert_eq!(parsed.iter().map(EntryId::to_string).collect::<Vec<_>>(), ids);
        let before: Vec<_> = parsed.iter().map(|id| id.before().to_string()).collect();
        assert_eq!(before[..3], ["0-0", "5-0", "5-9"]);
        assert_eq!(before[3], "1700000000122-18446744073709551615");
        let moments: Vec<_> = parsed.iter().map(|id| id.moment()).collect();
        assert_eq!(
            moments,
            [None, None, None, Some(Micros(1_700_000_000_123_000)), None]
        );
        assert!("".parse::<EntryId>().is_err() && "a-b".parse::<EntryId>().is_err());
    }

    #[test]
    fn an_answer_is_understood_in_both_versions_of_the_protocol() {
        let entries = || {
            Value::Array(vec![
                Value::Array(vec![
                    bulk("1-1"),
                    Value::Array(vec![bulk("event"), bulk("{}"), bulk("a"), bulk("b")]),
                ]),
                Value::Array(vec![bulk("1-2"), Value::Nil]),
            ])
        };
        let map = Value::Map(vec![(bulk("s"), entries())]);
        let list = Value::Array(vec![Value::Array(vec![bulk("s"), entries()])]);
        for answer in [map, list] {
            let [(name, found)] = &streams(answer)[..] else {
                panic!("one stream");
            };
            assert_eq!((&**name, found.len()), ("s", 2));
            assert_eq!(found[0].clone().payload("event"), Some(b"{}".to_vec()));
            assert_eq!(
                found[0].clone().payload("x"),
                Some(br#"{"event":"{}","a":"b"}"#.to_vec())
            );
            assert_eq!(found[1].clone().payload("event"), None);
        }
        assert_eq!(
            object(&[(b"a".to_vec(), vec![0xff])]),
            br#"{"a":{"base64":"/w=="}}"#
        );
        assert_eq!(streams(Value::Nil), []);
        assert_eq!(streams(Value::Array(vec![Value::Int(7)])), []);
    }

    #[test]
    fn a_place_is_another_where_the_text_is() {
        let id = EntryId::ZERO;
        assert_eq!(place("s", id, b"a"), place("s", id, b"a"));
        assert_ne!(place("s", id, b"a"), place("s", id, b"b"));
        assert!(place("s", id, b"a").starts_with("s:0-0:"));
    }
}
