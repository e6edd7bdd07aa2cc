//! Resonance ledgers: the manners of their many programs, and keys that users add.
use kymo_event::{
    Level,
    dialects::{Mapping, MappingError, Resonance, UNRECOGNISED},
};
use serde_json::{Value, json};

use crate::{read, round_trip, support::given_out, time_of, value};

#[test]
fn a_ledger_record_is_told_by_whatever_key_it_has() {
    for (record, kind, time, rest) in [
        (
            r#"{"event":"eval","quality":0.8,"ts":1761447437.1017134}"#,
            "eval",
            "2025-10-26T02:57:17.101713Z",
            json!({"data": {"quality": 0.8}, "ext": {"ts": 1_761_447_437.101_713_4}}),
        ),
        (
            r#"{"event_type":"eval","a":1}"#,
            "eval",
            "",
            json!({"data": {"a": 1}, "ext": {"event_type": "eval"}}),
        ),
        (r#"{"type":"eval"}"#, "eval", "", json!({"ext": {"type": "eval"}})),
        (
            r#"{"type":"dialogue","event":"sent"}"#,
            "sent",
            "",
            json!({"ext": {"type": "dialogue", "event": "sent"}}),
        ),
        (
            r#"{"tags":{"event_type":"eval","x":1}}"#,
            "eval",
            "",
            json!({"data": {"tags": {"event_type": "eval", "x": 1}}, "ext": {"kymo": {"type": "/tags/event_type"}}}),
        ),
        (
            r#"{"Message":"hello"}"#,
            UNRECOGNISED,
            "",
            json!({"data": {"Message": "hello"}, "ext": {"kymo": {"type": null}}}),
        ),
        (
            r#"{"event":7,"event_type":"","type":"x"}"#,
            "x",
            "",
            json!({"data": {"event": 7, "event_type": ""}, "ext": {"type": "x"}}),
        ),
        // The moment of the call goes before that of the writing, and a certain moment before one without a zone.
        (
            r#"{"event":"a","ts":1761447440.5,"timestamp":"2025-10-26T02:57:17Z"}"#,
            "a",
            "2025-10-26T02:57:17.000000Z",
            json!({"ext": {"ts": 1_761_447_440.5, "timestamp": "2025-10-26T02:57:17Z"}}),
        ),
        (
            r#"{"event":"a","timestamp":"2025-10-26T02:57:17","ts":1761447440}"#,
            "a",
            "2025-10-26T02:57:20.000000Z",
            json!({"ext": {"timestamp": "2025-10-26T02:57:17", "ts": 1_761_447_440}}),
        ),
        (
            r#"{"event":"a","timestamp":"2025-10-26T02:57:17"}"#,
            "a",
            "2025-10-26T02:57:17.000000Z",
            json!({"ext": {"timestamp": "2025-10-26T02:57:17", "kymo": {"zone": "inferred"}}}),
        ),
        (
            r#"{"event":"a","timestamp":"soon","ts":0}"#,
            "a",
            "",
            json!({"data": {"timestamp": "soon", "ts": 0}}),
        ),
        // Alone under the event's name it is the payload.
        (
            r#"{"event":"rune","ts":1761447440,"rune":{"impact":1}}"#,
            "rune",
            "2025-10-26T02:57:20.000000Z",
            json!({"data": {"impact": 1}, "ext": {"ts": 1_761_447_440, "kymo": {"payload": "rune"}}}),
        ),
        (
            r#"{"event":"eval","quality":1,"eval":{"quality":1}}"#,
            "eval",
            "",
            json!({"data": {"quality": 1, "eval": {"quality": 1}}}),
        ),
    ] {
        let event = round_trip(&Resonance, record);
        assert_eq!(
            (&*event.kind, time_of(&event).unwrap_or_default().as_str()),
            (kind, time),
            "{record}"
        );
        let ext: serde_json::Map<_, _> = event
            .ext
            .iter()
            .map(|(name, token)| (name.to_string(), value(token)))
            .collect();
        let data = event.data.as_deref().map(value);
        assert_eq!(data.as_ref(), rest.get("data"), "{record}");
        assert_eq!(
            Value::from(ext),
            rest.get("ext").cloned().unwrap_or(json!({})),
            "{record}"
        );
    }
}

#[test]
fn a_ledger_record_is_tied_to_task_session_and_persona() {
    let event = round_trip(
        &Resonance,
        r#"{"event":"a","task_id":"t","session_id":"s","persona_id":"p","trace_id":"x","user":"u","severity":"warning"}"#,
    );
    let ties: Vec<_> = event.correlation().collect();
    assert_eq!(
        ties,
        [
            ("agent", "p"),
            ("session", "s"),
            ("task", "t"),
            ("trace", "x"),
            ("user", "u")
        ]
    );
    assert_eq!(
        (event.level, event.ext("severity")),
        (Level::Warn, Some("\"warning\""))
    );
    assert_eq!(event.data, None);
    // Another name, another spelling, a number, and several at once.
    for (record, agent, task) in [
        (
            r#"{"event":"a","persona":"p","taskId":"t"}"#,
            Some("p"),
            Some("t"),
        ),
        (
            r#"{"Event":"a","PersonaId":"p","TaskId":7}"#,
            Some("p"),
            Some("7"),
        ),
        (
            r#"{"event":"a","persona":"q","persona_id":"p","task_id":"t","TaskId":"u"}"#,
            Some("p"),
            Some("t"),
        ),
        (
            r#"{"event":"a","persona_id":"p","persona":"q","TaskId":"u","task_id":"t"}"#,
            Some("p"),
            Some("t"),
        ),
        (
            r#"{"event":"a","persona":{"name":"p"},"task_id":null,"session_id":""}"#,
            None,
            None,
        ),
    ] {
        let event = round_trip(&Resonance, record);
        assert_eq!(
            (event.agent.as_deref(), event.task.as_deref()),
            (agent, task),
            "{record}"
        );
    }
    let long = "x".repeat(257);
    let record = format!(r#"{{"event":"a","task_id":"{long}"}}"#);
    assert_eq!(round_trip(&Resonance, &record).task, None);
}

#[test]
fn a_user_names_keys_of_their_own() {
    let added: Mapping = serde_json::from_value(json!({
        "type": ["kind", "/meta/kind"], "task": ["job_id"], "time": ["when"], "id": ["MessageId"],
    }))
    .unwrap();
    assert!(serde_json::from_value::<Mapping>(json!({"tusk": ["x"]})).is_err());
    let mine = Resonance::extended(&added).unwrap();
    for (record, kind, task, id) in [
        (
            r#"{"kind":"k","job_id":"j","when":1761447437.5,"MessageId":"m"}"#,
            "k",
            Some("j"),
            Some("m"),
        ),
        (
            r#"{"event":"e","kind":"k","jobId":"j","task_id":"t","MessageId":7}"#,
            "e",
            Some("t"),
            Some("7"),
        ),
        (r#"{"meta":{"kind":"deep"},"JobId":9}"#, "deep", Some("9"), None),
    ] {
        let event = read(&mine, record);
        assert_eq!(
            (&*event.kind, event.task.as_deref(), event.id.as_deref()),
            (kind, task, id),
            "{record}"
        );
        // Who gives it out need not know the user's keys.
        assert_eq!(value(&given_out(&Resonance, &event)), value(record));
    }
    let event = read(&mine, r#"{"kind":"k","when":1761447437.5}"#);
    assert_eq!(time_of(&event).as_deref(), Some("2025-10-26T02:57:17.500000Z"));
    let twice = Mapping {
        session: vec!["task_id".into()],
        ..Mapping::default()
    };
    assert!(matches!(
        Resonance::extended(&twice),
        Err(MappingError::Twice { .. })
    ));
    assert!(
        Resonance::mapping()
            .extended(&added)
            .kind
            .ends_with(&["kind".into(), "/meta/kind".into()])
    );
}
