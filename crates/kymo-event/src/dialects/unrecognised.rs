//! What no dialect recognises: kept whole, under a type of its own, so that it can be counted, shown and had back.
use std::borrow::Cow;

use super::{Dialect, Native, UNRECOGNISED, mapped::NO_SOURCE, recognise};
use crate::{Event, Limits, RawJson, Refusal, json::string_token};

/// The event that keeps a record of no known form: its `data` is the record.
pub fn unrecognised<'a>(source: impl Into<Cow<'a, str>>, record: RawJson<'a>) -> Event<'a> {
    Event {
        data: Some(record.as_str().into()),
        ..Event::new(UNRECOGNISED, source)
    }
}

/// The same for text that is not even JSON: its `data` is the text.
pub fn unrecognised_text<'a>(source: impl Into<Cow<'a, str>>, text: &str) -> Event<'a> {
    Event {
        data: Some(string_token(text).into()),
        ..Event::new(UNRECOGNISED, source)
    }
}

/// Reads an object in the dialect it is recognised as, and keeps it as unrecognised where it says nowhere what it is.
/// For doors behind which nobody waits to be told what is missing.
///
/// Its source is `unknown` where it names none. Refused is what is no object, and what a dialect refuses.
pub fn read_or_keep<'a>(record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
    match recognise(record) {
        None if record.members().is_some() => Ok(unrecognised(NO_SOURCE, record)),
        None => Native.read(record, limits),
        Some(dialect) if dialect.name() == Native.name() && !has_type(record) => {
            Ok(unrecognised(NO_SOURCE, record))
        }
        Some(dialect) => dialect.read(record, limits),
    }
}

/// Whether `type` is a text that says something.
fn has_type(record: RawJson<'_>) -> bool {
    let text = record.get("type").and_then(RawJson::as_string);
    text.is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Event<'_>, Refusal> {
        let record = RawJson::parse(text, 128).expect("JSON");
        read_or_keep(record, &Limits::default())
    }

    #[test]
    fn a_record_that_says_nowhere_what_it_is_is_kept_as_it_stands() {
        for text in [
            r#"{"message":"hello","ts":1}"#,
            r#"{"type":"","a":1}"#,
            r#"{"type":7,"a":[1e400]}"#,
            "{}",
        ] {
            let event = read(text).expect(text);
            assert_eq!(
                (&*event.kind, &*event.source, event.data.as_deref()),
                (UNRECOGNISED, "unknown", Some(text))
            );
        }
    }

    #[test]
    fn a_record_of_a_known_form_is_read_as_that_or_refused() {
        assert_eq!(read(r#"{"type":"a"}"#).expect("native").kind, "a");
        assert_eq!(read(r#"{"event":"a","ts":1}"#).expect("resonance").kind, "a");
        let refused = |text| read(text).expect_err(text).code;
        assert_eq!(refused(r#"{"type":"a","type":"b"}"#), "duplicate_key");
        assert_eq!(refused("[1]"), "not_an_event");
    }

    #[test]
    fn text_that_is_no_json_is_kept_as_a_string() {
        let event = unrecognised_text("nats", "a \"b\"\n");
        assert_eq!(event.data.as_deref(), Some(r#""a \"b\"\n""#));
    }
}
