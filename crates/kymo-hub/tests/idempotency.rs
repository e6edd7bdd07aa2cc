//! The same event twice is stored once: at once, later, after a restart, and however many come between.
mod common;

use common::{rounds::duplicates, *};
use kymo_event::{Event, Seq};
use kymo_hub::{HubSettings, Principal};

#[tokio::test]
async fn twice_within_one_batch_is_stored_once() {
    let hub = TempHub::new();
    let receipt = hub
        .publish([
            with_id("a", "1"),
            with_id("b", "2"),
            with_id("a", "1"),
            numbered(0),
            with_id("b", "2"),
            with_id("a", "1"),
        ])
        .await;
    assert_eq!(receipt.accepted, 3);
    assert_eq!(duplicates(&receipt), [(2, 1), (4, 2), (5, 1)]);
    assert_eq!(hub.head(), 3);
}

#[tokio::test]
async fn the_same_id_with_other_content_is_stored_and_both_are_known_from_then_on() {
    let hub = TempHub::new();
    let receipt = hub
        .publish([with_id("a", "1"), with_id("a", "2"), with_id("a", "2")])
        .await;
    assert_eq!((receipt.accepted, duplicates(&receipt)), (2, vec![(2, 2)]));
    let again = hub
        .publish([with_id("a", "2"), with_id("a", "1"), with_id("a", "3")])
        .await;
    assert_eq!((again.accepted, duplicates(&again)), (1, vec![(0, 2), (1, 1)]));
    assert_eq!(hub.head(), 3);
}

#[tokio::test]
async fn what_was_live_and_is_the_past_by_now_is_the_same_event() {
    let past = |data: &str| Event {
        backfill: true,
        ..with_id("a", data)
    };
    let hub = TempHub::new();
    assert_eq!(hub.publish([with_id("a", "1"), past("2")]).await.accepted, 2);
    let again = [past("1"), with_id("a", "2"), past("3"), with_id("a", "3")];
    let receipt = hub.publish(again).await;
    assert_eq!(
        (receipt.accepted, duplicates(&receipt)),
        (1, vec![(0, 1), (1, 2), (3, 3)])
    );
    // Then only the ledger knows.
    let hub = hub.restarted().await;
    let receipt = hub
        .publish([past("1"), with_id("a", "2"), with_id("a", "3")])
        .await;
    assert_eq!(duplicates(&receipt), [(0, 1), (1, 2), (2, 3)]);
}

#[tokio::test]
async fn equal_ids_of_different_sources_are_different_events() {
    let hub = TempHub::new();
    let mut other = with_id("a", "1");
    other.source = "elsewhere".into();
    assert_eq!(hub.publish([with_id("a", "1"), other]).await.accepted, 2);
}

#[tokio::test]
async fn equal_content_without_an_id_is_stored_each_time() {
    let hub = TempHub::new();
    let receipt = hub.publish([numbered(1), numbered(1), numbered(1)]).await;
    assert_eq!((receipt.accepted, receipt.duplicates.len()), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_events_in_flight_many_times_at_once_are_stored_once() {
    let hub = TempHub::new();
    let batch = |turn: usize| {
        // Every sender has the same events, in another order.
        let mut events: Vec<_> = (0..50)
            .map(|number| with_id(&format!("id{number}"), &number.to_string()))
            .collect();
        events.rotate_left(turn * 7 % 50);
        events
    };
    let sends: Vec<_> = (0..32)
        .map(|turn| {
            let hub = hub.hub.clone();
            tokio::spawn(async move { (turn, publish(&hub, batch(turn)).await.expect("the hub takes it")) })
        })
        .collect();
    let mut accepted = 0;
    let mut seq_of = std::collections::HashMap::new();
    let mut receipts = vec![];
    for send in sends {
        receipts.push(send.await.expect("no panic"));
    }
    for (turn, receipt) in &receipts {
        accepted += receipt.accepted;
        assert_eq!(receipt.accepted + receipt.duplicates.len(), 50);
        for (index, seq) in duplicates(receipt) {
            let id = batch(*turn)[index].id.clone().expect("it has one");
            assert_eq!(
                *seq_of.entry(id).or_insert(seq),
                seq,
                "everyone is told the same seq"
            );
        }
    }
    assert_eq!((accepted, hub.head()), (50, 50));
}

#[tokio::test]
async fn a_claim_is_settled_though_nobody_waits_for_the_answer() {
    let hub = TempHub::new();
    let mut handed_over = 0;
    for number in 0..50 {
        let mut intake = hub.hub.intake(Principal::owner(), "test");
        intake.event(0, with_id(&number.to_string(), "1"));
        let commit = intake.commit();
        // The client goes away: the future is polled once and dropped.
        tokio::select! {
            biased;
            _ = commit => {}
            () = std::future::ready(()) => {}
        }
        let again = hub.publish([with_id(&number.to_string(), "1")]).await;
        let stored_before = usize::from(again.accepted == 0);
        assert_eq!(duplicates(&again).len(), stored_before);
        handed_over += stored_before;
        assert_eq!(hub.head(), number + 1, "stored once, whoever brought it");
    }
    assert!(
        handed_over > 0,
        "some were with the ledger when their sender went away"
    );
}

#[tokio::test]
async fn a_refused_batch_leaves_no_claim_behind() {
    let hub = TempHub::with_ledger(
        HubSettings::default(),
        kymo_ledger::LedgerSettings {
            queue_bytes_max: 1,
            ..kymo_ledger::LedgerSettings::default()
        },
    );
    let mut stored = 0;
    for number in 0..300 {
        let (one, other) = tokio::join!(
            publish(&hub.hub, [numbered(number)]),
            publish(&hub.hub, [with_id(&number.to_string(), "1")])
        );
        stored +=
            one.map_or(0, |receipt| receipt.accepted) + other.as_ref().map_or(0, |receipt| receipt.accepted);
        if other.is_err() {
            stored += hub.publish([with_id(&number.to_string(), "1")]).await.accepted;
        }
        assert_eq!(hub.head(), stored as u64);
    }
}

#[tokio::test]
async fn after_a_restart_repeats_are_still_known() {
    let hub = TempHub::new();
    hub.publish([with_id("a", "1"), numbered(0), with_id("b", "2")])
        .await;
    let hub = hub.restarted().await;
    let receipt = hub
        .publish([with_id("b", "2"), with_id("a", "1"), with_id("a", "9")])
        .await;
    assert_eq!(
        (receipt.accepted, duplicates(&receipt)),
        (1, vec![(0, 3), (1, 1)])
    );
}

#[tokio::test]
async fn ids_beyond_memory_are_found_in_the_ledger() {
    let hub = TempHub::with(HubSettings {
        ids_max: 64,
        ring_bytes_max: 1 << 12,
        ..HubSettings::default()
    });
    let events =
        |from: u64| (from..from + 300).map(|number| with_id(&format!("id{number}"), &number.to_string()));
    for from in (0..1_500).step_by(300) {
        assert_eq!(hub.publish(events(from)).await.accepted, 300);
    }
    let again = hub.publish(events(100)).await;
    assert_eq!(again.accepted, 0);
    assert_eq!(duplicates(&again)[..2], [(0, 101), (1, 102)]);
    let hub = hub.restarted().await;
    let again = hub.publish(events(1_200)).await;
    assert_eq!(again.accepted, 0, "also after a restart");
    let changed: Vec<Event<'_>> = vec![with_id("id7", "\"other\"")];
    assert_eq!(hub.publish(changed).await.first.map(Seq::get), Some(1_501));
}

#[tokio::test]
async fn one_id_for_thousands_of_events_is_stored_and_told_apart_quickly() {
    let hub = TempHub::with(HubSettings {
        ring_bytes_max: 1 << 16,
        ..HubSettings::default()
    });
    let events = || (0..20_000).map(|number| with_id("task-1", &number.to_string()));
    let first = hub.publish(events()).await;
    assert_eq!((first.accepted, first.duplicates.len()), (20_000, 0));
    let again = hub.publish(events()).await;
    assert_eq!((again.accepted, again.duplicates.len()), (0, 20_000));
    assert!(
        duplicates(&again)
            .iter()
            .all(|(index, seq)| *index as u64 + 1 == *seq)
    );
    assert_eq!(hub.hub.counters().id_reused, 19_999);
    let hub = hub.restarted().await;
    let newest = hub
        .publish([with_id("task-1", "19999"), with_id("task-1", "\"new\"")])
        .await;
    assert_eq!((newest.accepted, duplicates(&newest)), (1, vec![(0, 20_000)]));
}

#[tokio::test]
async fn an_original_that_retention_removed_is_stored_again_and_known_from_then_on() {
    let settings = kymo_ledger::LedgerSettings {
        segment_bytes_max: 100_000,
        retain_bytes: Some(1),
        ..kymo_ledger::LedgerSettings::default()
    };
    let rings = HubSettings {
        ring_bytes_max: 0,
        ..HubSettings::default()
    };
    let hub = TempHub::with_ledger(rings, settings);
    hub.publish([with_id("a", "1")]).await;
    for _ in 0..4 {
        hub.fill(2_048).await;
    }
    hub.forget_the_oldest().await;
    let again = hub.publish([with_id("a", "1")]).await;
    assert_eq!((again.accepted, again.duplicates.len()), (1, 0));
    let repeat = hub.publish([with_id("a", "1")]).await;
    assert_eq!(duplicates(&repeat), [(0, again.first.map_or(0, Seq::get))]);
}
