//! Lone events of many clients: stored as one batch, each answered for itself.
mod common;

use std::{
    collections::BTreeMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Poll, Waker},
};

use common::{rounds::*, *};
use kymo_hub::{Combiner, From, HubSettings, Principal, PublishError, Scope};
use kymo_ledger::{Durability, LedgerSettings};

#[tokio::test]
async fn each_client_is_told_the_seqs_of_its_own_events() {
    let hub = TempHub::new();
    hub.fill(4).await;
    let combiner = Combiner::new(&hub.hub);
    let one = take(&combiner, r#"{"type":"a.b"}"#).expect("plain");
    let two = take(&combiner, r#"[{"type":"a.c"},{"type":"a.d","source":"s"}]"#).expect("plain");
    let three = take(&combiner, r#"{"type":"a.e"}"#).expect("plain");
    assert!(!one.is_settled());
    let receipt = settled(&combiner, &three).await.expect("stored");
    assert_eq!(span(&receipt), (1, Some(8), Some(8)));
    let receipts = [one, two].map(|ticket| span(&ticket.receipt().expect("settled too").expect("stored")));
    assert_eq!(receipts, [(1, Some(5), Some(5)), (2, Some(6), Some(7))]);
    let mut reader = hub.read("type:a.*", From::Start);
    assert_eq!(reader.up_to(8).await, [5, 6, 7, 8]);
    let counted = hub.hub.counters();
    assert_eq!((counted.head, counted.events), (8, 8));
    assert!(
        counted.by_type.contains(&("a.d".to_owned(), 1)),
        "{:?}",
        counted.by_type
    );
}

#[tokio::test]
async fn a_full_round_makes_room_for_the_next() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let body = format!(r#"{{"type":"a.b","data":"{}"}}"#, "x".repeat(8_000));
    let tickets: Vec<_> = (0..300).map(|_| take(&combiner, &body).expect("plain")).collect();
    settled(&combiner, &tickets[299]).await.expect("stored");
    let firsts = tickets.iter().map(|ticket| {
        let receipt = ticket.receipt().expect("settled too").expect("stored");
        receipt.first.map(|seq| seq.get())
    });
    assert_eq!(
        firsts.collect::<Vec<_>>(),
        (1..=300).map(Some).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_is_not_plain_is_left_to_others_and_leaves_nothing_behind() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let nobody = Arc::new(Principal {
        name: "reader".into(),
        scopes: vec![Scope::Read],
        bound: BTreeMap::new(),
    });
    let first = take(&combiner, r#"{"type":"a.first"}"#).expect("plain");
    assert!(
        take(&combiner, r#"[{"type":"a.b"},{"type":""}]"#).is_none(),
        "one is refused"
    );
    assert!(
        take(&combiner, r#"[{"type":"a.b"},{"type":"kymo.x"}]"#).is_none(),
        "one is ours"
    );
    assert!(take(&combiner, "[]").is_none(), "there is nothing");
    assert!(
        take_as(&combiner, &nobody, r#"{"type":"a.b"}"#).is_none(),
        "it may not emit"
    );
    let last = take(&combiner, r#"{"type":"a.last"}"#).expect("plain");
    settled(&combiner, &last).await.expect("stored");
    assert_eq!(
        span(&first.receipt().expect("settled").expect("stored")),
        (1, Some(1), Some(1))
    );
    let mut reader = hub.read("", From::Start);
    assert_eq!(reader.up_to(2).await, [1, 2]);
    assert_eq!(hub.hub.counters().events, 2);
    assert!(hub.hub.counters().rejected.is_empty(), "who refuses counts");
}

#[tokio::test]
async fn a_rate_limit_is_kept_by_those_who_can_say_so() {
    let hub = TempHub::with(HubSettings {
        rate_per_source: 1,
        ..HubSettings::default()
    });
    assert!(take(&Combiner::new(&hub.hub), r#"{"type":"a.b"}"#).is_none());
}

#[tokio::test]
async fn bound_keys_are_filled_in_for_each_client_of_a_round() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let bound = |agent: &str| {
        Arc::new(Principal {
            bound: BTreeMap::from([(kymo_hub::BoundKey::Agent, agent.to_owned())]),
            ..Principal::owner()
        })
    };
    let tickets = ["x", "y", "x"].map(|agent| take_as(&combiner, &bound(agent), r#"{"type":"a.b"}"#));
    assert!(take_as(&combiner, &bound("x"), r#"{"type":"a.b","agent":"y"}"#).is_none());
    let [_, _, Some(last)] = &tickets else {
        panic!("plain")
    };
    settled(&combiner, last).await.expect("stored");
    let mut reader = hub.read("agent:x", From::Start);
    assert_eq!(reader.up_to(3).await, [1, 3]);
}

#[tokio::test]
async fn what_the_disk_refuses_is_refused_to_all_of_the_round() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    hub.faults.full.store(true, SeqCst);
    let tickets = [0, 1].map(|_| take(&combiner, r#"{"type":"a.b"}"#).expect("plain"));
    for ticket in &tickets {
        assert_eq!(settled(&combiner, ticket).await, Err(PublishError::DiskFull));
    }
    hub.faults.full.store(false, SeqCst);
    let again = take(&combiner, r#"{"type":"a.b"}"#).expect("plain");
    assert_eq!(
        span(&settled(&combiner, &again).await.expect("stored")),
        (1, Some(1), Some(1))
    );
}

#[tokio::test]
async fn what_is_flushed_comes_before_what_is_published_after() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let joined = take(&combiner, r#"{"type":"a.b"}"#).expect("plain");
    combiner.flush();
    let receipt = hub.publish([numbered(1)]).await;
    assert_eq!(span(&receipt), (1, Some(2), Some(2)));
    assert_eq!(
        span(&settled(&combiner, &joined).await.expect("stored")),
        (1, Some(1), Some(1))
    );
}

#[tokio::test]
async fn a_combiner_that_stops_hands_over_what_it_has() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let ticket = poll_fn(|cx| {
        let body = records(r#"{"type":"a.b"}"#);
        Poll::Ready(combiner.take(&Arc::new(Principal::owner()), body, None, cx.waker()))
    });
    let ticket = ticket.await.expect("plain");
    drop(Box::pin(combiner.run()));
    assert!(
        !ticket.is_settled(),
        "a run that never began has nothing to finish"
    );
    let mut run = Box::pin(combiner.run());
    poll_fn(|cx| {
        let _ = run.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
    drop(run);
    let told = tokio::time::timeout(PATIENCE, ticket.settled()).await;
    let receipt = told.expect("who waits is told, though no run is there to do it");
    assert_eq!(span(&receipt.expect("stored")), (1, Some(1), Some(1)));
}

#[tokio::test]
async fn a_panic_while_a_request_is_joined_costs_that_request_alone() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let before = take(&combiner, r#"{"type":"a.before"}"#).expect("plain");
    let breaks = || {
        let broken = std::iter::once_with(|| panic!("in the middle of a request"));
        let records = records(r#"[{"type":"a.lost"},{"type":"a.lost"}]"#).chain(broken);
        combiner.take(&Arc::new(Principal::owner()), records, None, Waker::noop())
    };
    assert!(catch_unwind(AssertUnwindSafe(breaks)).is_err());
    let after = take(&combiner, r#"{"type":"a.after"}"#).expect("plain");
    let receipt = settled(&combiner, &after).await.expect("stored");
    assert_eq!(span(&receipt), (1, Some(2), Some(2)));
    assert!(before.is_settled());
    let names: Vec<_> = hub
        .hub
        .counters()
        .by_type
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(!names.contains(&"a.lost".to_owned()), "{names:?}");
}

#[tokio::test]
async fn names_in_refused_requests_leave_room_for_those_of_the_round() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    take(&combiner, r#"{"type":"a.b"}"#).expect("plain");
    for number in 0..1_100 {
        let refused = format!(r#"[{{"type":"n{number}"}},{{"type":""}}]"#);
        assert!(take(&combiner, &refused).is_none());
    }
    let last = take(&combiner, r#"{"type":"a.last"}"#).expect("plain");
    settled(&combiner, &last).await.expect("stored");
    let counted = hub.hub.counters().by_type;
    assert!(counted.contains(&("a.last".to_owned(), 1)), "{counted:?}");
}

#[tokio::test]
async fn a_closing_hub_says_so_to_all_of_the_round() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let ticket = take(&combiner, r#"{"type":"a.b"}"#).expect("plain");
    hub.hub.close().await;
    assert_eq!(settled(&combiner, &ticket).await, Err(PublishError::Closing));
}

#[tokio::test]
async fn with_relaxed_durability_the_ledgers_own_thread_syncs() {
    let ledger = LedgerSettings {
        durability: Durability::Relaxed,
        ..LedgerSettings::default()
    };
    let hub = TempHub::with_ledger(HubSettings::default(), ledger);
    let combiner = Combiner::new(&hub.hub);
    let ticket = take(&combiner, r#"{"type":"a.b"}"#).expect("plain");
    let receipt = settled(&combiner, &ticket).await.expect("stored");
    assert_eq!(receipt.durability, Durability::Relaxed);
}
