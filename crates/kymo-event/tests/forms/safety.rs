//! What no form gives way on: the envelope, its limits, and being sure of what something is.
use kymo_event::{
    Event, RawJson,
    dialects::{self, Broadcast, Conductor, Dialect, Egos, Resonance},
};

use crate::{FORMS, read, round_trip, support::given_out, try_read};

#[test]
fn no_payload_overwrites_the_envelope() {
    let evil =
        r#"{"type":"evil","event":"evil","ts":1,"timestamp":1,"task_id":"evil","source":"evil","id":"evil"}"#;
    for (dialect, record) in [
        (
            &Resonance as &dyn Dialect,
            format!(r#"{{"event":"good","good":{evil}}}"#),
        ),
        (
            &Resonance,
            format!(r#"{{"event":"good","more":1,"good":{evil}}}"#),
        ),
        (&Broadcast, format!(r#"{{"type":"good","data":{evil}}}"#)),
        (&Conductor, format!(r#"{{"type":"good","payload":{evil}}}"#)),
    ] {
        let event = round_trip(dialect, &record);
        assert_eq!(
            (&*event.kind, event.time, &event.task),
            ("good", None, &None),
            "{record}"
        );
        // Nor when an event from elsewhere is given out in the form.
        let native = Event {
            data: Some(evil.into()),
            ..Event::new("good", "here")
        };
        let given = given_out(dialect, &native);
        let again = read(dialect, &given);
        assert_eq!(
            (&*again.kind, again.data.as_deref()),
            ("good", Some(evil)),
            "{given}"
        );
    }
    for (dialect, record) in [
        (
            &Resonance as &dyn Dialect,
            r#"{"event":"a","task_id":"t","task_id":"u"}"#,
        ),
        (&Resonance, r#"{"event":"a","ev\u0065nt":"b"}"#),
        (&Broadcast, r#"{"type":"a","data":1,"data":2}"#),
        (&Conductor, r#"{"type":"a","userId":null,"userId":"u"}"#),
        (&Conductor, r#"{"type":"a","odd":1,"odd":2}"#),
        (&Egos, r#"{"type":"a","id":1,"id":2}"#),
    ] {
        assert_eq!(
            try_read(dialect, record).unwrap_err().code,
            "duplicate_key",
            "{record}"
        );
    }
    // Inside a payload nothing is judged.
    assert_eq!(
        read(&Resonance, r#"{"event":"a","x":1,"x":2}"#).data.as_deref(),
        Some(r#"{"x":1,"x":2}"#)
    );
}

#[test]
fn limits_hold_in_every_form() {
    let long = "x".repeat(201);
    for dialect in FORMS {
        let refusal = try_read(dialect, &format!(r#"{{"type":"{long}"}}"#)).unwrap_err();
        assert_eq!(refusal.code, "name_too_long");
        assert!(refusal.byte.is_some());
    }
    // A source too long to be one stays with the payload.
    let record = format!(r#"{{"event":"a","source":"{long}"}}"#);
    assert_eq!(round_trip(&Resonance, &record).source, "unknown");
}

#[test]
fn only_what_is_certain_is_recognised() {
    let recognised = |text| dialects::recognise(RawJson::parse(text, 128).unwrap()).map(Dialect::name);
    for (text, dialect) in [
        (r#"{"type":"t","ts":1761447437.5}"#, Some("kymo")),
        (r#"{"type":"t","event":"e","ts":1}"#, Some("kymo")),
        (
            r#"{"type":"t","ts":"2026-02-14T19:01:23Z","cycle":1}"#,
            Some("kymo"),
        ),
        (
            r#"{"type":"t","id":"1","timestamp":1771095683456,"payload":{},"source":"s","data":{}}"#,
            Some("kymo"),
        ),
        (r#"{"type":"sparc_test","timestamp":"x"}"#, Some("kymo")),
        (r#"{"event":"e"}"#, None),
        (r#"{"event":{},"ts":1}"#, None),
        (r#"{"Message":"m","Timestamp":"2025-11-01 07:46:58"}"#, None),
        (r#"{"status":"active","timestamp":"x","trace_id":"y"}"#, None),
        ("{}", None),
        ("[]", None),
        ("7", None),
    ] {
        assert_eq!(recognised(text), dialect, "{text}");
        let read_in = dialects::detect(RawJson::parse(text, 128).unwrap()).name();
        assert_eq!(read_in, dialect.unwrap_or("kymo"), "{text}");
    }
}
