//! The native form: what is taken, what is kept beside it, what is refused.
use kymo_event::{
    Batch, Event, IdKey, Level, Limits, Micros, RawJson, Refusal, Seq,
    dialects::{Dialect, Native},
};

fn read(text: &str) -> Result<Event<'_>, Refusal> {
    Native.read(RawJson::parse(text, 128).unwrap(), &Limits::default())
}

fn code(text: &str) -> &'static str {
    read(text).expect_err(text).code
}

fn ext<'e>(event: &'e Event<'_>) -> Vec<(&'e str, &'e str)> {
    event
        .ext
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect()
}

#[test]
fn the_smallest_event_has_a_type_and_the_rest_by_default() {
    let event = read(r#"{"type":"cycle.start"}"#).unwrap();
    assert_eq!(event, Event::new("cycle.start", "unknown"));
    assert_eq!(event.level, Level::Info);
}

#[test]
fn every_key_is_read_and_null_is_absent() {
    let text = r#"{"id":"1","time":"2026-02-14T19:01:23.456789Z","type":"t","source":"s","level":"warn","agent":"a","session":"b","task":"c","trace":"d","span":"e","parent":"f","user":"g","tier":"h","cause":18446744073709551615,"hops":255,"backfill":true,"data":[1],"ext":{"x":1},"dialect":"hooks","enc":{"key":"k"}}"#;
    let event = read(text).unwrap();
    assert_eq!(event.time, Some(Micros(1_771_095_683_456_789)));
    assert_eq!(event.cause, Seq::new(u64::MAX));
    assert_eq!(
        (event.hops, event.backfill, event.level),
        (Some(255), true, Level::Warn)
    );
    let mut out = Vec::new();
    event.to_json(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), text);
    let nulls = r#"{"id":null,"time":null,"type":"t","source":null,"level":null,"agent":null,"session":null,"task":null,"trace":null,"span":null,"parent":null,"user":null,"tier":null,"cause":null,"hops":null,"backfill":null,"ext":null,"dialect":null,"enc":null}"#;
    assert_eq!(read(nulls).unwrap(), Event::new("t", "unknown"));
    assert_eq!(
        read(r#"{"type":"t","data":null}"#).unwrap().data.as_deref(),
        Some("null")
    );
}

#[test]
fn envelope_text_is_decoded_and_written_with_the_least_escapes() {
    let event = read(r#"{"t\u0079pe":"\u0061\/\ud83d\ude00\n","source":"\"\\"}"#).unwrap();
    assert_eq!((event.kind.as_ref(), event.source.as_ref()), ("a/😀\n", "\"\\"));
    let mut out = Vec::new();
    event.to_json(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"type":"a/😀\n","source":"\"\\","level":"info"}"#
    );
}

#[test]
fn fields_without_a_key_are_kept_and_merged_with_ext() {
    let event =
        read(r#"{"cycle":42,"type":"t","ext":{"a":[ 1 ]},"day":"\u0031","seq":9,"recorded":"x","crc":"y"}"#)
            .unwrap();
    let kept = [
        ("a", "[ 1 ]"),
        ("cycle", "42"),
        ("day", r#""\u0031""#),
        ("seq", "9"),
        ("recorded", "\"x\""),
        ("crc", "\"y\""),
    ];
    assert_eq!(ext(&event), kept);
}

#[test]
fn an_event_that_was_imported_and_exported_again_keeps_its_origin() {
    let event = read(r#"{"seq":5,"crc":"b","type":"t","ext":{"seq":1,"recorded":"r"}}"#).unwrap();
    assert_eq!(
        ext(&event),
        [("seq", "1"), ("recorded", "\"r\""), ("crc", "\"b\"")]
    );
}

#[test]
fn a_persona_is_an_agent() {
    let event = read(r#"{"persona":"p","type":"t"}"#).unwrap();
    assert_eq!(
        (event.agent.as_deref(), ext(&event)),
        (Some("p"), vec![("persona", "\"p\"")])
    );
    assert_eq!(
        read(r#"{"persona_id":"p","agent":"a","type":"t"}"#)
            .unwrap()
            .agent
            .as_deref(),
        Some("a")
    );
    assert_eq!(
        read(r#"{"agent":"a","persona_id":"p","type":"t"}"#)
            .unwrap()
            .agent
            .as_deref(),
        Some("a")
    );
    assert_eq!(read(r#"{"persona":7,"type":"t"}"#).unwrap().agent, None);
}

#[test]
fn a_level_of_other_words_is_understood_and_kept() {
    for (word, level) in [
        ("warning", Level::Warn),
        ("FATAL", Level::Critical),
        ("success", Level::Info),
        ("loud", Level::Info),
    ] {
        let text = format!(r#"{{"type":"t","level":"{word}"}}"#);
        let event = read(&text).unwrap();
        assert_eq!(event.level, level);
        assert_eq!(event.ext("level"), Some(format!("\"{word}\"").as_str()));
    }
    assert_eq!(read(r#"{"type":"t","level":"error"}"#).unwrap().ext, []);
}

#[test]
fn a_time_is_kept_as_it_was_where_ours_says_less() {
    let moment = Micros::parse("2026-02-14T19:01:23.456Z").unwrap();
    for (time, kept) in [
        (r#""2026-02-14T19:01:23.456Z""#, false),
        (r#""2026-02-14T19:01:23.456000+00:00""#, false),
        (r#""2026-02-15T04:01:23.456+09:00""#, true),
        (r#""2026-02-14T19:01:23.456-00:00""#, true),
        (r#""2026-02-14T19:01:23.456000001Z""#, true),
        ("1771095683.456", true),
        ("1771095683456", true),
    ] {
        let text = format!(r#"{{"type":"t","time":{time}}}"#);
        let event = read(&text).unwrap();
        assert_eq!(event.time, Some(moment), "{time}");
        assert_eq!(event.ext("time"), kept.then_some(time), "{time}");
    }
    for time in [r#""lunchtime""#, "true", "{}", "1e300", r#""\ud800""#] {
        assert_eq!(
            code(&format!(r#"{{"type":"t","time":{time}}}"#)),
            "invalid_time",
            "{time}"
        );
    }
}

#[test]
fn what_is_no_event_is_refused_with_its_reason_and_place() {
    for text in ["[]", "1", "\"a\"", "null", "true"] {
        assert_eq!(code(text), "not_an_event");
    }
    for text in ["{}", r#"{"type":""}"#, r#"{"type":null}"#, r#"{"data":1}"#] {
        assert_eq!(code(text), "type_missing");
    }
    let refusal = read(r#"{"type":"t","agent": 7}"#).unwrap_err();
    assert_eq!((refusal.code, refusal.byte), ("invalid_field", Some(21)));
    assert!(
        refusal.message.contains("`agent`") && refusal.message.contains("text"),
        "{refusal}"
    );
    for field in [
        r#""source":1"#,
        r#""id":[]"#,
        r#""level":30"#,
        r#""cause":0"#,
        r#""cause":-1"#,
        r#""cause":1.5"#,
        r#""cause":"1""#,
        r#""hops":256"#,
        r#""backfill":1"#,
        r#""backfill":"true""#,
        r#""ext":[]"#,
        r#""enc":"x""#,
        r#""dialect":1"#,
        r#""user":"\ud800""#,
        r#""\udc00":1"#,
        r#""ext":{"\udc00":1}"#,
    ] {
        assert_eq!(
            code(&format!(r#"{{"type":"t",{field}}}"#)),
            "invalid_field",
            "{field}"
        );
    }
}

#[test]
fn a_key_that_comes_twice_is_refused_however_it_is_spelled() {
    for text in [
        r#"{"type":"a","type":"a"}"#,
        r#"{"type":"a","t\u0079pe":"b"}"#,
        r#"{"type":"a","agent":null,"agent":"x"}"#,
        r#"{"type":"a","data":1,"data":2}"#,
        r#"{"type":"a","ext":{},"ext":{}}"#,
        r#"{"type":"a","x":1,"\u0078":2}"#,
        r#"{"type":"a","x":1,"ext":{"x":1}}"#,
        r#"{"type":"a","ext":{"x":1,"x":1}}"#,
        r#"{"type":"a","level":"loud","ext":{"level":"x"}}"#,
        r#"{"type":"a","backfill":false,"backfill":false}"#,
    ] {
        assert_eq!(code(text), "duplicate_key", "{text}");
    }
    let many: String = (0..50).map(|n| format!(r#","k{n}":1"#)).collect();
    assert!(read(&format!(r#"{{"type":"a"{many}}}"#)).is_ok());
    assert_eq!(code(&format!(r#"{{"type":"a"{many},"k7":1}}"#)), "duplicate_key");
    assert!(read(r#"{"type":"a","data":{"a":1,"a":2}}"#).is_ok());
}

#[test]
fn names_and_ids_are_measured_to_the_byte() {
    let text = |key: &str, length: usize| {
        let value = format!("é{}", "x".repeat(length - 2));
        if key == "type" {
            format!(r#"{{"type":"{value}"}}"#)
        } else {
            format!(r#"{{"type":"t","{key}":"{value}"}}"#)
        }
    };
    for key in ["type", "source"] {
        assert!(read(&text(key, 200)).is_ok());
        assert_eq!(code(&text(key, 201)), "name_too_long");
    }
    for key in [
        "id", "agent", "session", "task", "trace", "span", "parent", "user", "tier",
    ] {
        assert!(read(&text(key, 256)).is_ok());
        assert_eq!(code(&text(key, 257)), "id_too_long");
    }
}

#[test]
fn an_id_belongs_to_its_source_and_an_empty_one_is_none() {
    let mut batch = Batch::default();
    for text in [
        r#"{"type":"t","source":"a","id":"bc"}"#,
        r#"{"type":"u","source":"a","id":"bc"}"#,
        r#"{"type":"t","source":"ab","id":"c"}"#,
        r#"{"type":"t","source":"ab"}"#,
        r#"{"type":"t","source":"ab","id":""}"#,
    ] {
        batch.push(&read(text).unwrap());
    }
    assert_eq!(batch.id_key(0), Some(IdKey::of("a", "bc")));
    assert_eq!(batch.id_key(0), batch.id_key(1));
    assert_ne!(batch.id_key(0), batch.id_key(2));
    assert_eq!((batch.id_key(3), batch.id_key(4)), (None, None));
    let bodies: Vec<_> = batch.bodies().map(<[u8]>::len).collect();
    assert_eq!(bodies.iter().sum::<usize>(), batch.bytes());
    batch.pop();
    assert_eq!((batch.len(), batch.bytes()), (4, bodies[..4].iter().sum()));
}
