//! Broadcast, conductor and EGOS: what their records become, and which ids identify.
use kymo_event::{
    Event, IdKey, Level,
    dialects::{Broadcast, Conductor, Dialect, Egos, egos::subject_of},
};

use crate::{round_trip, support::given_out, time_of, value};

#[test]
fn broadcast_keeps_cycle_and_day_and_its_time_exactly() {
    let event = round_trip(&Broadcast, Broadcast.samples()[0]);
    assert_eq!(time_of(&event).as_deref(), Some("2026-02-14T19:01:23.456000Z"));
    assert_eq!(
        event.ext,
        [("cycle".into(), "42".into()), ("day".into(), "1551".into())]
    );
    assert_eq!(
        (&*event.source, event.dialect.as_deref()),
        ("unknown", Some("broadcast"))
    );
    // A source that was told later is not the record's.
    let told = Event {
        source: "v5".into(),
        backfill: true,
        id: Some("import-1".into()),
        ..event
    };
    assert_eq!(
        value(&given_out(&Broadcast, &told)),
        value(Broadcast.samples()[0])
    );
}

#[test]
fn both_contracts_of_the_conductor_are_understood() {
    let first = round_trip(&Conductor, Conductor.samples()[0]);
    assert_eq!(
        (
            first.id.as_deref(),
            &*first.source,
            first.tier.as_deref(),
            first.user.as_deref(),
            first.session.as_deref()
        ),
        (
            Some("memory-1-1771095683456-k3j9x2m1a"),
            "memory",
            Some("gold"),
            Some("egor"),
            Some("s1")
        )
    );
    assert_eq!(
        (time_of(&first).as_deref(), first.ext.len()),
        (Some("2026-02-14T19:01:23.456000Z"), 0)
    );
    let later = round_trip(&Conductor, Conductor.samples()[2]);
    assert_eq!(
        (later.agent.as_deref(), later.level, later.tier.as_deref()),
        (Some("weaver"), Level::Warn, Some("silver"))
    );
    assert_eq!(later.ext("capsuleId"), Some("\"cap-7\""));
    // A key that holds what it cannot say stays beside the one that does.
    let odd = round_trip(
        &Conductor,
        r#"{"type":"t","tier":"gold","provenanceTier":{"a":1}}"#,
    );
    assert_eq!((odd.tier.as_deref(), odd.ext.len()), (Some("gold"), 3));
    // What a client sends may lack anything; what others give it then is not the record's.
    let sent = r#"{"type":"note","payload":{"a":1}}"#;
    let partial = round_trip(&Conductor, sent);
    assert_eq!(
        (&partial.id, partial.time, &*partial.source),
        (&None, None, "unknown")
    );
    let placed = Event {
        id: Some("import-1".into()),
        source: "file".into(),
        ..partial
    };
    assert_eq!(value(&given_out(&Conductor, &placed)), value(sent));
}

#[test]
fn ids_that_identify_nothing_are_no_ids() {
    let state = round_trip(&Conductor, Conductor.samples()[1]);
    assert_eq!((&state.id, state.agent.as_deref()), (&None, Some("memory-1")));
    assert_eq!(state.ext("id"), Some("\"agent-state-1771095683456\""));
    let task = round_trip(&Egos, Egos.samples()[0]);
    assert_eq!(
        (&task.id, task.ext("id"), task.trace.as_deref()),
        (&None, Some("1"), Some("0c6f"))
    );
    // An id that a source gives such a record is one, and is not given out as the record's.
    for (dialect, event) in [(&Conductor as &dyn Dialect, state), (&Egos, task)] {
        let placed = Event {
            id: Some("stream-7".into()),
            ..event
        };
        let mut batch = kymo_event::Batch::default();
        batch.push(&placed);
        assert_eq!(batch.id_key(0), Some(IdKey::of(&placed.source, "stream-7")));
        assert!(!given_out(dialect, &placed).contains("stream-7"));
    }
}

#[test]
fn activities_of_egos_are_told_by_their_type_or_their_shape() {
    let of = |number: usize| round_trip(&Egos, Egos.samples()[number]);
    let told = |event: &Event<'_>| (event.kind.to_string(), event.source.to_string());
    let pair = |kind: &str, source: &str| (kind.to_owned(), source.to_owned());
    assert_eq!(told(&of(0)), pair("sparc_analyze", "unknown"));
    assert_eq!(told(&of(1)), pair("sparc_test", "KOIOS"));
    assert_eq!(told(&of(2)), pair("egos.llm.logs", "unknown"));
    assert_eq!(told(&of(3)), pair("egos.propagation.log", "KOIOS"));
    assert_eq!(
        told(&of(4)),
        pair("egos.system.heartbeat", "egos_activity_publisher")
    );
    assert_eq!(of(2).user.as_deref(), Some("cascade"));
    assert_eq!(of(4).ext("kymo"), Some(r#"{"type":null,"zone":"inferred"}"#));
    for (kind, subject) in [
        ("sparc_refactor", Some("egos.sparc.tasks")),
        ("egos.llm.logs", Some("egos.llm.logs")),
        ("egos_system_heartbeat", Some("egos.system.heartbeat")),
        ("sparcle", None),
        ("task.started", None),
    ] {
        assert_eq!(subject_of(kind), subject, "{kind}");
    }
}
