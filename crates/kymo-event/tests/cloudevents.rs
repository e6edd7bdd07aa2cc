//! CloudEvents: the public cases, the modes of HTTP, and what is refused by name.
mod support;

use std::{fs, path::PathBuf};

use kymo_event::{
    Event, Limits, RawJson, Refusal,
    dialects::{
        CloudEvents, Dialect, Native,
        cloudevents::{Mode, mode, read_binary},
    },
};
use serde_json::{Value, json};

fn cases(name: &str) -> Vec<(String, String)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/cloudevents")
        .join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    cases
        .iter()
        .map(|case| (case["name"].to_string(), case["event"].to_string()))
        .collect()
}

fn read(text: &str) -> Result<Event<'_>, Refusal> {
    CloudEvents.read(RawJson::parse(text, 128).unwrap(), &Limits::default())
}

fn given_back(event: &Event<'_>) -> Value {
    serde_json::from_str(&support::given_out(&CloudEvents, event)).unwrap()
}

#[test]
fn every_valid_event_is_kept_and_comes_back() {
    for (name, text) in cases("valid.json") {
        let event = read(&text).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(
            given_back(&event),
            serde_json::from_str::<Value>(&text).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn every_invalid_event_is_refused_with_the_name_of_its_attribute() {
    for (name, text) in cases("invalid.json") {
        let refusal = read(&text).expect_err(&name);
        assert_eq!(refusal.code, "not_cloudevents", "{name}");
        let named = refusal
            .message
            .split('`')
            .nth(1)
            .unwrap_or_else(|| panic!("{name}: {refusal}"));
        let event: Value = serde_json::from_str(&text).unwrap();
        let required = ["specversion", "id", "type", "source"];
        assert!(
            event.get(named).is_some() || required.contains(&named),
            "{name}: {refusal}"
        );
    }
}

#[test]
fn what_claims_to_be_a_cloudevent_and_is_none_is_still_given_out_as_one() {
    let native = [
        r#"{"type":"t","dialect":"cloudevents","ext":{"specversion":"2"}}"#,
        r#"{"type":"t","dialect":"cloudevents","ext":{"b c":{}}}"#,
        r#"{"type":"t","dialect":"cloudevents","agent":"a","ext":{"agent":"b"}}"#,
        r#"{"type":"t","dialect":"cloudevents","data":1,"ext":{"data_base64":"TWE="}}"#,
        r#"{"type":"t","dialect":"cloudevents","ext":{"time":"lunch"}}"#,
        r#"{"type":"t","dialect":"cloudevents","enc":{"key":"k"}}"#,
    ];
    for text in native {
        let event = Native
            .read(RawJson::parse(text, 128).unwrap(), &Limits::default())
            .unwrap();
        let given = given_back(&event).to_string();
        let again = read(&given).unwrap_or_else(|refusal| panic!("{given}: {refusal}"));
        assert_eq!((&*again.kind, again.agent), ("t", event.agent), "{given}");
    }
}

#[test]
fn attributes_that_break_a_rule_are_refused_by_name() {
    let base = json!({"specversion": "1.0", "id": "1", "type": "t", "source": "s"});
    let faults = [
        ("time", json!(1_771_095_683)),
        ("datacontenttype", json!("application/")),
        ("datacontenttype", json!("a b/c")),
        ("dataschema", json!(1)),
        ("subject", json!(true)),
        ("data_base64", json!("%%%")),
        ("data_base64", json!({})),
        ("extobject", json!({})),
        ("extarray", json!([])),
        ("extlong", json!(2_147_483_648_i64)),
        ("extfraction", json!(1.5)),
        ("under_score", json!("x")),
        ("", json!("x")),
        ("id", json!(null)),
        ("specversion", json!(1.0)),
    ];
    for (name, value) in faults {
        let mut event = base.clone();
        event[name] = value;
        let text = event.to_string();
        let refusal = read(&text).expect_err(&text);
        assert_eq!(refusal.code, "not_cloudevents", "{text}");
        assert!(
            refusal.message.contains(&format!("`{name}`")),
            "{text}: {refusal}"
        );
        assert!(refusal.byte.is_some(), "{text}");
    }
}

#[test]
fn an_attribute_that_comes_twice_is_refused() {
    let start = r#"{"specversion":"1.0","id":"1","type":"t","source":"s""#;
    for rest in [
        r#","id":"1""#,
        r#","x":1,"\u0078":2"#,
        r#","agent":"a","agent":5"#,
        r#","data":1,"data":1"#,
    ] {
        let text = format!("{start}{rest}}}");
        assert_eq!(read(&text).unwrap_err().code, "duplicate_key", "{rest}");
    }
}

#[test]
fn limits_hold_for_cloudevents_too() {
    let with = |key: &str, length: usize| {
        let mut event = json!({"specversion": "1.0", "id": "1", "type": "t", "source": "s"});
        event[key] = "x".repeat(length).into();
        event.to_string()
    };
    for (key, limit, code) in [
        ("type", 200, "name_too_long"),
        ("source", 200, "name_too_long"),
        ("id", 256, "id_too_long"),
        ("user", 256, "id_too_long"),
    ] {
        assert!(read(&with(key, limit)).is_ok(), "{key}");
        assert_eq!(read(&with(key, limit + 1)).unwrap_err().code, code, "{key}");
    }
}

#[test]
fn correlation_attributes_are_correlation() {
    let text = r#"{"specversion":"1.0","id":"1","type":"t","source":"s","agent":"planner","level":"error","traceparent":"x"}"#;
    let event = read(text).unwrap();
    assert_eq!(
        (event.agent.as_deref(), event.level.as_str()),
        (Some("planner"), "error")
    );
    assert_eq!(event.ext, [("traceparent".into(), "\"x\"".into())]);
}

#[test]
fn the_mode_is_told_by_the_content_type() {
    for (content_type, ce, expected) in [
        (
            Some("application/cloudevents+json"),
            false,
            Some(Mode::Structured),
        ),
        (Some("application/cloudevents"), true, Some(Mode::Structured)),
        (
            Some("Application/CloudEvents+JSON; charset=utf-8"),
            false,
            Some(Mode::Structured),
        ),
        (
            Some("application/cloudevents-batch+json"),
            false,
            Some(Mode::Batch),
        ),
        (
            Some("APPLICATION/CLOUDEVENTS-BATCH+JSON;charset=UTF-8"),
            true,
            Some(Mode::Batch),
        ),
        (Some("application/json"), true, Some(Mode::Binary)),
        (Some("é"), true, Some(Mode::Binary)),
        (None, true, Some(Mode::Binary)),
        (Some("application/json"), false, None),
        (None, false, None),
    ] {
        assert_eq!(mode(content_type, ce), expected, "{content_type:?} {ce}");
    }
}

const REQUIRED: [(&str, &[u8]); 4] = [
    ("ce-specversion", b"1.0"),
    ("ce-id", b"1"),
    ("ce-type", b"t"),
    ("ce-source", b"/s"),
];

fn binary(content_type: Option<&str>, more: &[(&str, &[u8])], body: &[u8]) -> Result<Value, Refusal> {
    let mut headers = REQUIRED.iter().chain(more).copied();
    let event = read_binary(content_type, &mut headers, body, &Limits::default())?;
    let mut value = given_back(&event);
    for key in ["specversion", "id", "type", "source"] {
        value.as_object_mut().unwrap().remove(key);
    }
    Ok(value)
}

#[test]
fn binary_mode_takes_attributes_from_headers_and_data_from_the_body() {
    let json = Some("application/json; charset=utf-8");
    let type_of = |content_type: &str| json!(content_type);
    assert_eq!(
        binary(
            json,
            &[
                ("host", b"x"),
                ("ce-subject", b"s"),
                ("ce-level", b"warn"),
                ("ce-hops", b"1")
            ],
            b" {\"a\":1.0}\n"
        )
        .unwrap(),
        json!({"datacontenttype": type_of("application/json; charset=utf-8"), "subject": "s", "level": "warn", "hops": 1, "data": {"a": 1.0}})
    );
    let text = Some("text/plain");
    assert_eq!(
        binary(text, &[], "é\"".as_bytes()).unwrap(),
        json!({"datacontenttype": "text/plain", "data": "é\""})
    );
    assert_eq!(
        binary(text, &[], b"\xe9").unwrap(),
        json!({"datacontenttype": "text/plain", "data_base64": "6Q=="})
    );
    let latin = Some("text/plain; charset=ISO-8859-1");
    assert_eq!(binary(latin, &[], b"e").unwrap()["data_base64"], json!("ZQ=="));
    assert_eq!(
        binary(Some("image/png"), &[], b"\x89P").unwrap(),
        json!({"datacontenttype": "image/png", "data_base64": "iVA="})
    );
    assert_eq!(binary(None, &[], b"[1]").unwrap(), json!({"data": [1]}));
    assert_eq!(binary(None, &[], b"Ma").unwrap(), json!({"data_base64": "TWE="}));
    assert_eq!(binary(json, &[], b"").unwrap().get("data"), None);
    assert_eq!(
        binary(Some("application/vnd.x+json"), &[], b"1").unwrap()["data"],
        json!(1)
    );
}

#[test]
fn header_values_are_unquoted_and_percent_decoded_once() {
    for (value, text) in [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%2541", "%41"),
        ("\"a b \\\" \\\\ %22\"", "a b \" \\ \""),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("  padded ", "padded"),
        ("é", "é"),
        ("\"", "\""),
    ] {
        assert_eq!(
            binary(None, &[("ce-note", value.as_bytes())], b"").unwrap(),
            json!({"note": text}),
            "{value}"
        );
    }
}

#[test]
fn what_is_wrong_in_binary_mode_is_refused_by_name() {
    let code = |content_type, more: &[(&str, &[u8])], body: &[u8]| {
        let refusal = binary(content_type, more, body).unwrap_err();
        (refusal.code, refusal.message)
    };
    let named = |more: &[(&str, &[u8])], name: &str| {
        let (code, message) = code(None, more, b"");
        assert_eq!(code, "not_cloudevents");
        assert!(message.contains(&format!("`{name}`")), "{message}");
    };
    named(&[("ce-note", b"\xff")], "note");
    named(&[("ce-note", b"%FF")], "note");
    named(&[("ce-time", b"lunchtime")], "time");
    named(&[("ce-datacontenttype", b"text/plain")], "datacontenttype");
    named(&[("ce-data", b"1")], "data");
    named(&[("ce-my-ext", b"1")], "my-ext");
    assert_eq!(code(None, &[("ce-id", b"2")], b"").0, "duplicate_key");
    assert_eq!(code(Some("xyz"), &[], b"").0, "not_cloudevents");
    assert_eq!(code(Some("application/json"), &[], b"{").0, "invalid_json");
    assert_eq!(code(Some("application/json"), &[], b"\xff").0, "invalid_utf8");
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    assert_eq!(code(Some("application/json"), &[], deep.as_bytes()).0, "too_deep");
    let mut none = std::iter::empty();
    let refusal = read_binary(None, &mut none, b"", &Limits::default()).unwrap_err();
    assert_eq!(refusal.code, "not_cloudevents");
    let limits = Limits {
        event_bytes_max: 3,
        ..Limits::default()
    };
    let read = |body| read_binary(None, &mut REQUIRED.iter().copied(), body, &limits).map(|_| ());
    assert_eq!(read(b"[1]"), Ok(()));
    assert_eq!(read(b"[12]").unwrap_err().code, "event_too_large");
}
