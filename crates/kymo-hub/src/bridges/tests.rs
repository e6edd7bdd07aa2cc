//! What is told of a bridge, and what is shown.

use super::*;
use crate::bridges::story::{Change, Story};

fn story(direction: Direction) -> Story {
    let about = BridgeAbout {
        name: "egos".into(),
        kind: "nats",
        direction,
        target: "nats://127.0.0.1:4222".into(),
    };
    Story::new(about, Micros(0))
}

const fn second(number: i64) -> Micros {
    Micros(number * 1_000_000)
}

fn away(next: i64) -> Change {
    Change::Waiting(
        BridgeFault::new("unreachable", "nobody answers"),
        Some(second(next)),
    )
}

fn data(event: &kymo_event::Event<'_>) -> Value {
    serde_json::from_str(event.data.as_deref().expect("data")).expect("JSON")
}

#[test]
fn an_outage_is_told_when_it_begins_and_when_it_ends_however_often_it_was_tried() {
    let mut story = story(Direction::Source);
    let first = story.change(Change::Connected, second(1)).expect("news");
    assert_eq!(first.kind, "kymo.bridge.connected");
    let began = story.change(away(6), second(5)).expect("news");
    assert_eq!(
        data(&began),
        json!({
            "bridge": "egos", "direction": "source", "kind": "nats", "target": "nats://127.0.0.1:4222",
            "was": "connected", "for_s": 4.0, "code": "unreachable", "message": "nobody answers",
            "next_try": "1970-01-01T00:00:06.000000Z",
        })
    );
    for number in 6..60 {
        assert_eq!(story.change(Change::Connecting, second(number)), None);
        assert_eq!(story.change(away(number + 1), second(number)), None);
    }
    assert_eq!(
        story.info(0, second(60)).next_try,
        Some(second(60)),
        "the newest is shown"
    );
    assert_eq!(
        story.info(0, second(60)).since,
        second(5),
        "a try that fails is no new outage"
    );
    let other = Change::Waiting(BridgeFault::new("not_allowed", "wrong password"), None);
    assert!(
        story.change(other, second(60)).is_some(),
        "another reason is news"
    );
    let ended = story.change(Change::Connected, second(61)).expect("news");
    assert_eq!(ended.kind, "kymo.bridge.connected");
    let info = story.info(0, second(62));
    assert_eq!(info.connected_since, Some(second(61)));
    assert_eq!(info.next_try, None);
    let last = info.last_error.expect("it is remembered");
    assert_eq!((last.fault.code, last.time), ("not_allowed", second(60)));
}

#[test]
fn an_end_that_nobody_asked_for_is_an_error() {
    let fault = || Some(BridgeFault::new("unusable", "it cannot be"));
    let ended = story(Direction::Sink).change(Change::Stopped(fault()), second(1));
    assert_eq!(ended.expect("news").level, Level::Error);
    let ended = story(Direction::Sink).change(Change::Stopped(None), second(1));
    assert_eq!(ended.expect("news").level, Level::Info);
}

#[test]
fn lag_is_counted_from_the_head_for_a_sink_and_as_it_was_told_for_a_source() {
    let mut sink = story(Direction::Sink);
    sink.next = Seq::new(8);
    sink.lag = Some(Lag {
        events: None,
        oldest: Some(second(10)),
    });
    let info = sink.info(17, second(12));
    assert_eq!((info.lag_events, info.lag_s), (Some(10), Some(2.0)));
    let info = sink.info(7, second(12));
    assert_eq!(
        (info.lag_events, info.lag_s),
        (Some(0), Some(0.0)),
        "nothing waits"
    );

    let mut source = story(Direction::Source);
    assert_eq!(source.info(17, second(1)).lag_events, None, "nobody knows");
    source.lag = Some(Lag {
        events: Some(3),
        oldest: Some(second(1)),
    });
    let info = source.info(17, second(2));
    assert_eq!((info.lag_events, info.lag_s), (Some(3), Some(1.0)));
}

#[test]
fn what_is_shown_has_its_counts_and_moments_in_words() {
    let mut story = story(Direction::Sink);
    story.counts.refused = 2;
    let shown = serde_json::to_value(story.info(0, second(1))).expect("JSON");
    assert_eq!(shown["state"], "connecting");
    assert_eq!(shown["direction"], "sink");
    assert_eq!(shown["since"], "1970-01-01T00:00:00.000000Z");
    assert_eq!(shown["refused"], 2);
    assert_eq!(shown["connected_since"], Value::Null);
}
