//! What every dialect must hold, over the list of dialects.
mod support;

use kymo_event::{
    Event, Limits, RawJson, Seq,
    dialects::{self, DIALECTS, Dialect, Native},
};
use serde_json::Value;
use support::given_out;

fn written(dialect: &dyn Dialect, event: &Event<'_>) -> Value {
    let mut value: Value = serde_json::from_str(&given_out(dialect, event)).unwrap();
    if dialect.name() == Native.name() {
        for key in ["seq", "recorded", "crc"] {
            assert!(
                value.as_object_mut().unwrap().remove(key).is_some(),
                "a native event says {key}"
            );
        }
    }
    value
}

fn each_sample(check: impl Fn(&'static dyn Dialect, &'static str, Event<'static>)) {
    for dialect in DIALECTS {
        assert!(
            !dialect.samples().is_empty(),
            "{} shows no sample",
            dialect.name()
        );
        for sample in dialect.samples() {
            let record = RawJson::parse(sample, 128).unwrap();
            let event = dialect.read(record, &Limits::default());
            check(
                *dialect,
                sample,
                event.unwrap_or_else(|refusal| panic!("{sample}: {refusal}")),
            );
        }
    }
}

/// serde_json cannot hold numbers such as 1e400, so those samples are compared as text of their `data`.
fn as_json(text: &str) -> Value {
    serde_json::from_str(&text.replace("1e400", "1e30").replace("\\ud800", "")).unwrap()
}

#[test]
fn every_sample_comes_back_equal_as_json() {
    each_sample(|dialect, sample, event| {
        let out = given_out(dialect, &event);
        let mut back = as_json(&out);
        if dialect.name() == Native.name() {
            for key in ["seq", "recorded", "crc"] {
                assert!(
                    back.as_object_mut().unwrap().remove(key).is_some(),
                    "a native event says {key}"
                );
            }
        }
        assert_eq!(back, as_json(sample), "{}: {sample}", dialect.name());
        for token in ["1e400", "\\ud800"] {
            assert_eq!(out.matches(token).count(), sample.matches(token).count());
        }
    });
}

#[test]
fn every_sample_is_detected_as_what_it_is() {
    each_sample(|dialect, sample, _| {
        assert_eq!(
            dialects::detect(RawJson::parse(sample, 128).unwrap()).name(),
            dialect.name(),
            "{sample}"
        );
    });
}

#[test]
fn every_sample_says_its_dialect_unless_it_is_native() {
    each_sample(|dialect, sample, event| {
        if dialect.name() != Native.name() {
            assert_eq!(event.dialect.as_deref(), Some(dialect.name()), "{sample}");
        }
    });
}

#[test]
fn every_sample_survives_a_spool() {
    each_sample(|dialect, sample, event| {
        let mut spooled = Vec::new();
        event.to_json(&mut spooled);
        let spooled = std::str::from_utf8(&spooled).unwrap();
        let again = Native
            .read(RawJson::parse(spooled, 128).unwrap(), &Limits::default())
            .unwrap();
        assert_eq!(again, event, "{}: {sample}", dialect.name());
    });
}

#[test]
fn every_dialect_gives_out_the_events_of_every_other() {
    each_sample(|_, sample, event| {
        for dialect in DIALECTS {
            let text = given_out(*dialect, &event);
            let record = RawJson::parse(&text, 128).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
            let again = dialect.read(record, &Limits::default());
            let again =
                again.unwrap_or_else(|refusal| panic!("{sample} as {}: {text}: {refusal}", dialect.name()));
            // A form whose payload is always an object has an empty one where there is none.
            let data = again.data.filter(|data| event.data.is_some() || data != "{}");
            assert_eq!((&again.kind, &data), (&event.kind, &event.data), "{text}");
        }
    });
}

#[test]
fn every_dialect_refuses_what_is_no_object() {
    for dialect in DIALECTS {
        for text in ["[]", "1", "\"a\"", "null"] {
            let refusal = dialect
                .read(RawJson::parse(text, 128).unwrap(), &Limits::default())
                .unwrap_err();
            assert_eq!(refusal.code, "not_an_event", "{} of {text}", dialect.name());
        }
    }
}

#[test]
fn names_of_dialects_are_their_own() {
    for dialect in DIALECTS {
        assert_eq!(dialects::by_name(dialect.name()).unwrap().name(), dialect.name());
    }
    assert!(dialects::by_name("esperanto").is_none());
}

#[test]
fn a_native_event_is_a_valid_cloudevent() {
    let text = r#"{"type":"t","source":"s","level":"warning","time":1771095683.5,"agent":"a","cause":9999999999,"ext":{"Odd.name":{"x":1},"day":1551,"id":"mine","subject":""}}"#;
    let event = Native
        .read(RawJson::parse(text, 128).unwrap(), &Limits::default())
        .unwrap();
    let value = written(dialects::by_name("cloudevents").unwrap(), &event);
    let expected = serde_json::json!({
        "specversion": "1.0", "id": "0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11:7", "type": "t", "source": "s",
        "time": "2026-02-14T19:01:23.5Z", "level": "warn", "agent": "a", "cause": "9999999999", "day": 1551,
        "kymoext": "{\"Odd.name\":{\"x\":1},\"id\":\"mine\",\"subject\":\"\",\"level\":\"warning\",\"time\":1771095683.5}",
    });
    assert_eq!(value, expected);
    let text = value.to_string();
    let again = dialects::by_name("cloudevents")
        .unwrap()
        .read(RawJson::parse(&text, 128).unwrap(), &Limits::default());
    assert_eq!(again.unwrap().cause, Seq::new(9_999_999_999));
}
