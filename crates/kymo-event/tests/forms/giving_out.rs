//! Events from elsewhere, given out in each form; and those that only claim to have come in it.
use kymo_event::{
    Event,
    dialects::{Broadcast, Conductor, Dialect, Egos, Native, Resonance},
};
use serde_json::json;

use crate::{FORMS, read, support::given_out, value};

#[test]
fn events_from_elsewhere_are_given_out_as_the_documents_say() {
    let native = r#"{"id":"e1","time":"2026-02-14T19:01:23.456Z","type":"task.started","source":"runner","level":"warn","agent":"planner","session":"s","task":"t","trace":"x","user":"u","tier":"gold","data":{"goal":"g"},"ext":{"cycle":42,"capsuleId":"c"}}"#;
    let event = read(&Native, native);
    let given = |dialect: &dyn Dialect| value(&given_out(dialect, &event));
    assert_eq!(
        given(&Resonance),
        json!({"event": "task.started", "timestamp": "2026-02-14T19:01:23.456000+00:00", "ts": 1_771_095_683.456,
            "source": "runner", "level": "warn", "task_id": "t", "session_id": "s", "persona_id": "planner",
            "trace_id": "x", "user": "u", "tier": "gold", "goal": "g"})
    );
    assert_eq!(
        given(&Broadcast),
        json!({"type": "task.started", "ts": "2026-02-14T19:01:23.456000+00:00", "cycle": 42, "day": 0, "data": {"goal": "g"}})
    );
    assert_eq!(
        given(&Conductor),
        json!({"id": "e1", "timestamp": 1_771_095_683_456_i64, "source": "runner", "type": "task.started", "tier": "gold",
            "userId": "u", "sessionId": "s", "agent": "planner", "severity": "warn", "capsuleId": "c", "payload": {"goal": "g"}})
    );
    assert_eq!(
        given(&Egos),
        json!({"id": "e1", "type": "task.started", "event_type": "task.started", "source_subsystem": "runner",
            "timestamp": "2026-02-14T19:01:23.456000+00:00", "trace_id": "x", "user": "u", "goal": "g"})
    );
    // Without time, id and payload: the time of recording, the place in the ledger, an empty object.
    let bare = Event::new("level", "s");
    let given = |dialect: &dyn Dialect| value(&given_out(dialect, &bare));
    assert_eq!(given(&Resonance)["ts"], json!(1_771_095_683.457_102));
    assert_eq!(
        given(&Conductor)["id"],
        json!("0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11:7")
    );
    assert_eq!(
        (&given(&Conductor)["payload"], &given(&Broadcast)["data"]),
        (&json!({}), &json!({}))
    );
    assert_eq!(given(&Egos)["id"], json!("7"));
    // A payload that cannot be spread stands under the event's name, or under `payload` where that name is taken.
    for (kind, data, at) in [
        ("tick", "5", "/tick"),
        ("tick", "{}", "/tick"),
        ("tick", r#"{"tick":1}"#, "/tick/tick"),
        ("tick", r#"{"payload":1}"#, "/tick/payload"),
        ("event", "[1]", "/payload/0"),
        ("TaskId", r#"{"ts":1}"#, "/payload/ts"),
    ] {
        let event = Event {
            data: Some(data.into()),
            ..Event::new(kind, "s")
        };
        let text = given_out(&Resonance, &event);
        assert!(value(&text).pointer(at).is_some(), "{text}");
        assert_eq!(read(&Resonance, &text).data.as_deref(), Some(data), "{text}");
    }
}

#[test]
fn what_claims_a_form_and_is_not_of_it_is_given_out_as_from_elsewhere() {
    for rest in [
        r#""ext":{"kymo":7}"#,
        r#""ext":{"kymo":{"payload":"task_id"}},"task":"t","data":1"#,
        r#""ext":{"kymo":{"colour":1}}"#,
        r#""data":[1]"#,
        r#""data":{}"#,
        r#""task":"t","data":{"task_id":"evil"}"#,
        r#""ext":{"x":1},"data":{"x":2}"#,
        r#""ext":{"data":1,"payload":2},"data":3"#,
        r#""enc":{"key":"k"},"data":"c2VjcmV0""#,
    ] {
        for dialect in FORMS {
            let native = format!(
                r#"{{"type":"t","source":"s","dialect":"{}",{rest}}}"#,
                dialect.name()
            );
            let event = read(&Native, &native);
            let given = given_out(dialect, &event);
            let record = value(&given);
            assert!(record.is_object(), "{given}");
            let again = read(dialect, &given);
            assert_eq!(again.kind, event.kind, "{native} gives {given}");
        }
    }
}
