//! What the hub says of itself, and the numbers it gives.
mod common;

use common::*;
use kymo_event::{Event, Filter, Level};
use kymo_hub::{From, HistoryRequest, Principal};
use kymo_ledger::LedgerSettings;

/// All events that match, once there are `count` of them.
async fn stored(hub: &TempHub, filter: &str, count: usize) -> Vec<serde_json::Value> {
    let mut reader = hub.read(filter, From::Start);
    let mut seen = 0;
    while seen < count {
        if let kymo_hub::Delivery::Frame { events, .. } = reader.next().await {
            seen += events;
        }
    }
    let request = HistoryRequest {
        filter: Filter::parse(filter).expect("a filter"),
        channels: vec![],
        from: None,
        to: None,
        limit: 1_000,
        bytes_max: 1 << 20,
        newest_first: false,
    };
    let page = hub
        .hub
        .history(request, &Principal::owner())
        .await
        .expect("a page");
    page.lines
        .iter()
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn a_note_becomes_an_event_of_our_own() {
    let hub = TempHub::new();
    let mut note = Event::new("client.connected", "somebody");
    note.level = Level::Warn;
    note.data = Some(r#"{"door":"ws"}"#.into());
    hub.hub.note(note);
    let events = stored(&hub, "type:kymo.*", 1).await;
    assert_eq!(events[0]["type"], "kymo.client.connected");
    assert_eq!(
        (&events[0]["source"], &events[0]["level"]),
        (&"kymo".into(), &"warn".into())
    );
    assert_eq!(events[0]["data"]["door"], "ws");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_notes_is_a_few_events_that_say_how_many() {
    let hub = TempHub::new();
    for number in 0..300 {
        let mut note = Event::new("kymo.client.connected", "kymo");
        note.data = Some(number.to_string().into());
        hub.hub.note(note);
    }
    hub.hub.close().await;
    let hub = hub.restarted().await;
    let events = stored(&hub, "type:kymo.client.*", 21).await;
    assert_eq!(events.len(), 21);
    assert_eq!(events[20]["data"]["aggregated"], 280);
    assert_eq!(events[20]["data"]["last"], 299);
}

#[tokio::test]
async fn what_the_ledger_notices_is_recorded() {
    let ledger = LedgerSettings {
        segment_bytes_max: 200_000,
        ..LedgerSettings::default()
    };
    let hub = TempHub::made(Made {
        ledger,
        notices: true,
        ..Made::default()
    });
    hub.fill(3_000).await;
    let events = stored(&hub, "type:kymo.segment.sealed", 1).await;
    assert_eq!(events[0]["data"]["first"], 1);
    assert!(events[0]["data"]["bytes"].as_u64() > Some(200_000));
}

#[tokio::test]
async fn the_numbers_say_what_came_in_what_did_not_and_who_reads() {
    let hub = TempHub::new();
    let mut reader = hub.read("type:even", From::Now);
    reader.caught_up().await;
    let mut grave = Event::new("odd", "elsewhere");
    grave.level = Level::Critical;
    hub.publish([
        numbered(2),
        with_id("a", "1"),
        with_id("a", "1"),
        with_id("a", "2"),
        grave,
        Event::new("", "s"),
    ])
    .await;
    let counters = hub.hub.counters();
    assert_eq!((counters.head, counters.first, counters.events), (4, 1, 4));
    assert_eq!((counters.duplicates, counters.id_reused), (1, 1));
    assert_eq!(counters.rejected.get("type_missing"), Some(&1));
    let named = |list: &[(String, u64)], name: &str| {
        list.iter()
            .find(|(known, _)| known == name)
            .map(|(_, count)| *count)
    };
    assert_eq!(named(&counters.by_type, "a.b"), Some(2));
    assert_eq!(named(&counters.by_source, "test"), Some(3));
    assert_eq!(named(&counters.by_level, "critical"), Some(1));
    let pulse: u32 = counters.pulse.iter().flat_map(|(_, levels)| levels).sum();
    assert_eq!(pulse, 4);
    assert!(counters.ring_bytes > 0 && counters.ledger_bytes > 0);
    let info = &counters.readers[0];
    assert_eq!(
        (info.filter.as_str(), info.state, info.lag_events),
        ("type:even", "live", 4)
    );
    reader.up_to(1).await;
    assert!(reader.subscriber.try_next().is_none());
    assert_eq!(
        hub.hub.counters().readers[0].lag_events,
        0,
        "what does not match is passed, too"
    );
    drop(reader);
    assert!(hub.hub.counters().readers.is_empty());
}
