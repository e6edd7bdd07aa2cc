//! What is taken in, what is refused with which code, and what the receipt says.
mod common;

use std::collections::BTreeMap;

use common::*;
use kymo_event::{Event, Level, Limits, RawJson, RecordFormat, Records};
use kymo_hub::{BoundKey, Duplicate, From, HubSettings, Principal, PublishError, Receipt, Scope};
use kymo_ledger::{Durability, LedgerSettings};

/// Commits a body as a door does.
async fn post(hub: &TempHub, body: &str) -> Receipt {
    let limits = hub.hub.settings().limits.clone();
    let mut intake = hub.hub.intake(Principal::owner(), "test");
    intake.reserve(body.len());
    for record in Records::new(body.as_bytes(), RecordFormat::Json, &limits).expect("records") {
        intake.take(record, None);
    }
    intake.commit().await.expect("the hub takes it")
}

fn codes(receipt: &Receipt) -> Vec<(usize, &'static str)> {
    receipt
        .rejected
        .iter()
        .map(|rejected| (rejected.index, rejected.code))
        .collect()
}

#[tokio::test]
async fn the_receipt_says_what_was_stored_where_and_what_was_not() {
    let hub = TempHub::new();
    hub.fill(4).await;
    let body = "{\"type\":\"a\"}\n{\"type\":\"kymo.mine\"}\n\n{broken\n{\"type\":\"b\"}\n7\n{\"type\":\"c\"}";
    let receipt = post(&hub, body).await;
    assert_eq!((receipt.accepted, receipt.durability), (3, Durability::Fsync));
    let seqs = receipt.first.zip(receipt.last).expect("something was stored");
    assert_eq!(
        (seqs.0.get(), seqs.1.get()),
        (5, 7),
        "what is stored of one batch is contiguous"
    );
    assert_eq!(
        codes(&receipt),
        [(1, "reserved_type"), (2, "invalid_json"), (4, "not_an_event")]
    );
    let bytes: Vec<_> = receipt
        .rejected
        .iter()
        .map(|rejected| rejected.byte.expect("a place"))
        .collect();
    let places: Vec<_> = bytes.iter().map(|byte| &body[*byte..*byte + 1]).collect();
    assert_eq!(places, ["{", "b", "7"], "bytes count from the start of the body");
    let wire = serde_json::to_value(&receipt).expect("JSON");
    assert_eq!(wire["durability"], "fsync");
    assert_eq!(wire["rejected"][2]["index"], 4);
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_stored_has_no_seqs() {
    let hub = TempHub::new();
    let receipt = post(&hub, r#"[{"type":"kymo-x"},{"source":"s"}]"#).await;
    assert_eq!((receipt.accepted, receipt.first, receipt.last), (0, None, None));
    assert_eq!(codes(&receipt), [(0, "reserved_type"), (1, "type_missing")]);
    assert_eq!(hub.head(), 0);
}

/// An event of exactly so many bytes as received.
fn sized(bytes: usize) -> String {
    let empty = r#"{"type":"a","data":""}"#.len();
    format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(bytes - empty))
}

fn nested(depth: usize) -> String {
    // The event's own bracket counts.
    format!(
        r#"{{"type":"a","data":{}{}}}"#,
        "[".repeat(depth - 1),
        "]".repeat(depth - 1)
    )
}

#[tokio::test]
async fn an_event_at_each_limit_is_stored_and_one_over_it_is_refused() {
    let limits = Limits {
        event_bytes_max: 2_000,
        nesting_max: 9,
        ..Limits::default()
    };
    let hub = TempHub::with(HubSettings {
        limits: limits.clone(),
        ..HubSettings::default()
    });
    let type_of = |bytes| format!(r#"{{"type":"{}"}}"#, "t".repeat(bytes));
    let source_of = |bytes| format!(r#"{{"type":"a","source":"{}"}}"#, "s".repeat(bytes));
    let id_of = |bytes| format!(r#"{{"type":"a","id":"{}"}}"#, "i".repeat(bytes));
    let agent_of = |bytes| format!(r#"{{"type":"a","agent":"{}"}}"#, "g".repeat(bytes));
    let cases = [
        (sized(2_000), sized(2_001), "event_too_large"),
        (nested(9), nested(10), "too_deep"),
        (type_of(200), type_of(201), "name_too_long"),
        (source_of(200), source_of(201), "name_too_long"),
        (id_of(256), id_of(257), "id_too_long"),
        (agent_of(256), agent_of(257), "id_too_long"),
    ];
    for (at, over, code) in cases {
        let receipt = post(&hub, &format!("{at}\n{over}\n{at}x")).await;
        assert_eq!(receipt.accepted, 1, "{code}: {:?}", receipt.rejected);
        assert_eq!(codes(&receipt)[0], (1, code));
    }
}

#[tokio::test]
async fn events_made_by_sources_keep_to_the_same_limits() {
    let limits = Limits::default();
    let hub = TempHub::new();
    let with_data = |bytes: usize| {
        let mut event = numbered(0);
        let rest = body(&event).len() - 1;
        event.data = Some(format!("\"{}\"", "x".repeat(bytes - rest - 2)).into());
        event
    };
    let long = |bytes: usize| "n".repeat(bytes);
    let mut user = Event::new("a", "s");
    user.user = Some(long(257).into());
    let receipt = hub
        .publish([
            with_data(limits.event_bytes_max),
            with_data(limits.event_bytes_max + 1),
            Event::new(long(201), "s"),
            Event::new("a", long(201)),
            user,
            Event::new("", "s"),
            Event::new("kymo:own", "s"),
            Event::new("kymograph.fine", "s"),
        ])
        .await;
    assert_eq!(receipt.accepted, 2);
    let expected = [
        "event_too_large",
        "name_too_long",
        "name_too_long",
        "id_too_long",
        "type_missing",
        "reserved_type",
    ];
    assert_eq!(
        codes(&receipt),
        expected
            .into_iter()
            .enumerate()
            .map(|(at, code)| (at + 1, code))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_batch_ends_at_its_limit() {
    let mut settings = HubSettings::default();
    settings.limits.batch_bytes_max = 100;
    let hub = TempHub::with(settings);
    let mut intake = hub.hub.intake(Principal::owner(), "test");
    let record = sized(50);
    for index in 0..3 {
        let record = RawJson::parse(&record, 10).expect("JSON");
        intake.record(index, record, None);
    }
    assert_eq!(intake.len(), 3);
    let receipt = intake.commit().await.expect("the hub takes it");
    assert_eq!(
        (receipt.accepted, codes(&receipt)),
        (2, vec![(2, "batch_too_large")])
    );
}

fn token(scopes: &[Scope], bound: &[(BoundKey, &str)]) -> Principal {
    Principal {
        name: "someone".into(),
        scopes: scopes.to_vec(),
        bound: bound
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}

#[tokio::test]
async fn a_bound_token_writes_and_sees_only_its_own() {
    let hub = TempHub::new();
    hub.fill(3).await;
    let lab = token(
        &[Scope::Emit, Scope::Read],
        &[(BoundKey::Source, "lab"), (BoundKey::Agent, "planner")],
    );
    let mut intake = hub.hub.intake(lab.clone(), "test");
    let records = [
        r#"{"type":"a"}"#,
        r#"{"type":"a","source":"lab","agent":"planner"}"#,
        r#"{"type":"a","source":"elsewhere"}"#,
        r#"{"type":"a","agent":"other"}"#,
    ];
    for (index, record) in records.into_iter().enumerate() {
        intake.record(index, RawJson::parse(record, 10).expect("JSON"), None);
    }
    let receipt = intake.commit().await.expect("it may emit");
    assert_eq!(
        (receipt.accepted, codes(&receipt)),
        (2, vec![(2, "not_allowed"), (3, "not_allowed")])
    );
    let request = kymo_hub::SubscribeRequest {
        filter: kymo_event::Filter::all(),
        channels: vec![],
        from: From::Start,
        encoder: std::sync::Arc::new(Seqs),
    };
    let mut reader = Reader {
        subscriber: hub.hub.subscribe(request, &lab).await.expect("it may read"),
    };
    assert_eq!(reader.up_to(5).await, [4, 5]);
}

#[tokio::test]
async fn without_the_scope_nothing_is_written_or_read() {
    let hub = TempHub::new();
    let mut intake = hub.hub.intake(token(&[Scope::Read], &[]), "test");
    intake.event(0, numbered(1));
    assert_eq!(intake.commit().await, Err(PublishError::NotAllowed));
    let request = kymo_hub::SubscribeRequest {
        filter: kymo_event::Filter::all(),
        channels: vec![],
        from: From::Now,
        encoder: std::sync::Arc::new(Seqs),
    };
    let refused = hub.hub.subscribe(request, &token(&[Scope::Emit], &[])).await;
    assert!(matches!(
        refused.err(),
        Some(kymo_hub::SubscribeError::NotAllowed)
    ));
}

#[tokio::test]
async fn a_source_over_its_rate_is_refused_but_not_its_warnings_nor_others() {
    let hub = TempHub::with(HubSettings {
        rate_per_source: 5,
        ..HubSettings::default()
    });
    let of = |source: &'static str, level| {
        let mut event = Event::new("a", source);
        event.level = level;
        event
    };
    let mut events: Vec<_> = (0..20).map(|_| of("loud", Level::Info)).collect();
    events.push(of("loud", Level::Error));
    events.push(of("quiet", Level::Info));
    let receipt = hub.publish(events).await;
    assert!(
        codes(&receipt)
            .iter()
            .all(|(index, code)| *index < 20 && *code == "rate_limited")
    );
    assert!(
        (7..=9).contains(&receipt.accepted),
        "five, what a slow test refills, and the two that always pass: {}",
        receipt.accepted
    );
}

#[tokio::test]
async fn a_closing_hub_takes_nothing_more() {
    let hub = TempHub::new();
    hub.fill(1).await;
    tokio::join!(hub.hub.close(), hub.hub.close());
    assert_eq!(publish(&hub.hub, [numbered(1)]).await, Err(PublishError::Closing));
    assert_eq!(hub.head(), 1);
}

#[tokio::test]
async fn when_the_writers_queue_is_full_the_hub_says_busy_and_stores_nothing_of_it() {
    let settings = LedgerSettings {
        queue_bytes_max: 1,
        ..LedgerSettings::default()
    };
    let hub = TempHub::with_ledger(HubSettings::default(), settings);
    let batches = (0..200).map(|_| publish(&hub.hub, (0..50).map(numbered)));
    let mut stored = 0;
    let mut busy = 0;
    for result in join_all(batches).await {
        match result {
            Ok(receipt) => stored += receipt.accepted as u64,
            Err(PublishError::Busy { retry_after_s }) => busy += u64::from(retry_after_s > 0),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(busy > 0, "two hundred batches at once do not fit into one byte");
    assert_eq!(hub.head(), stored);
}

async fn join_all<T: Send + 'static>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, result) in &mut pinned {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        match pinned.iter().all(|(_, result)| result.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    pinned.into_iter().filter_map(|(_, result)| result).collect()
}

#[tokio::test]
async fn repeats_are_answered_with_the_seq_of_the_first() {
    let hub = TempHub::new();
    let first = hub.publish([with_id("1", "7"), with_id("2", "8")]).await;
    assert_eq!(first.accepted, 2);
    let again = hub
        .publish([numbered(1), with_id("2", "8"), numbered(2), with_id("1", "7")])
        .await;
    assert_eq!(again.accepted, 2);
    let duplicates: Vec<_> = again
        .duplicates
        .iter()
        .map(|Duplicate { index, seq }| (*index, seq.get()))
        .collect();
    assert_eq!(duplicates, [(1, 2), (3, 1)]);
    assert_eq!(again.first.map(kymo_event::Seq::get), Some(3));
    let only = hub.publish([with_id("1", "7")]).await;
    assert_eq!((only.accepted, only.first, only.duplicates.len()), (0, None, 1));
    assert_eq!(hub.head(), 4);
}

#[tokio::test]
async fn countless_refusals_are_counted_and_cost_the_others_nothing() {
    let hub = TempHub::new();
    let body = format!(
        "{}\n{}{}",
        r#"{"type":"a"}"#,
        "1\n".repeat(5_000),
        r#"{"type":"b"}"#
    );
    let receipt = post(&hub, &body).await;
    assert_eq!(receipt.accepted, 2, "what is good is stored, also behind them");
    assert_eq!((receipt.rejected.len(), receipt.rejected_more), (1_000, 4_000));
    assert!(
        receipt
            .rejected
            .iter()
            .all(|rejected| rejected.code == "not_an_event")
    );
    assert_eq!(hub.hub.counters().rejected.get("not_an_event"), Some(&5_000));
    let wire = serde_json::to_value(&receipt).expect("JSON");
    assert_eq!(wire["rejected_more"], 4_000);
    let none = serde_json::to_value(hub.fill(1).await).expect("JSON");
    assert_eq!(none.get("rejected_more"), None);
}
