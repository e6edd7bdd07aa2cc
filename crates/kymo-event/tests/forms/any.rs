//! Any record of any form, and any payload.
use kymo_event::Event;
use proptest::prelude::*;
use serde_json::Value;

use crate::{FORMS, read, round_trip, support::given_out};

/// The keys that each form knows, few enough that several of a kind meet.
const KEYS: [&[&str]; 4] = [
    &[
        "event",
        "event_type",
        "EventType",
        "type",
        "tags",
        "ts",
        "timestamp",
        "Timestamp",
        "task_id",
        "taskId",
        "persona",
        "persona_id",
        "source",
        "level",
        "severity",
        "user",
        "user_id",
        "tier",
        "kymo",
        "payload",
        "eval",
        "x",
    ],
    &["type", "ts", "cycle", "day", "data", "kymo", "a\"b", ""],
    &[
        "id",
        "timestamp",
        "source",
        "type",
        "payload",
        "tier",
        "provenanceTier",
        "userId",
        "sessionId",
        "agent",
        "severity",
        "capsuleId",
        "kymo",
    ],
    &[
        "id",
        "type",
        "event_type",
        "timestamp",
        "trace_id",
        "user",
        "source_subsystem",
        "subsystem",
        "publisher",
        "status",
        "model",
        "prompt",
        "response",
        "pattern",
        "kymo",
    ],
];

fn any_key() -> impl Strategy<Value = String> {
    prop::sample::select(&KEYS[..]).prop_flat_map(key_of)
}

fn key_of(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(keys).prop_map(str::to_owned),
        1 => "[a-z\"\\\\é]{0,3}",
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(
        &[
            "eval",
            "x",
            "",
            "agent-state-changed",
            "agent-state-17",
            "sparc_test",
            "payload",
            "event",
            "warn",
            "info",
            "WARNING",
            "2026-02-14T19:01:23.456000+00:00",
            "2026-02-14T19:01:23+00:00",
            "2026-02-14T19:01:23",
            "2026-02-14 19:01:23,5",
            "1970-01-01T00:00:00Z",
            "a\"\n�",
        ][..],
    );
    let leaf = prop_oneof![
        4 => text.prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => prop::sample::select(&[0_i64, 1, 1_771_095_683, 1_771_095_683_456, -5][..]).prop_map(Value::from),
        1 => (1.7e9..1.8e9).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(any_key(), inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_record_comes_back_from_any_form(
        members in prop::sample::select(&KEYS[..])
            .prop_flat_map(|keys| prop::collection::btree_map(key_of(keys), any_value(), 0..12))
            .prop_map(|members| members.into_iter().collect::<Vec<_>>())
            .prop_shuffle(),
        space in prop::sample::select(&["", " ", "\n  "][..]),
    ) {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("{space}{}:{space}{value}", Value::from(name.as_str())))
            .collect();
        let text = format!("{{{}}}", members.join(&format!("{space},")));
        for dialect in FORMS {
            let event = round_trip(dialect, &text);
            prop_assert!(event.time.is_none_or(|time| time.0 > 31_536_000_000_000), "{}", text);
        }
    }

    #[test]
    fn any_payload_of_any_event_comes_back_from_any_form(kind in any_key(), data in any_value()) {
        prop_assume!(!kind.is_empty());
        let data = data.to_string();
        let event = Event { data: Some(data.as_str().into()), task: Some("t".into()), ..Event::new(kind, "s") };
        for dialect in FORMS {
            let given = given_out(dialect, &event);
            let again = read(dialect, &given);
            prop_assert_eq!((&again.kind, &again.data), (&event.kind, &event.data), "{}", given);
        }
    }
}
