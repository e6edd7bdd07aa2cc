//! What is given to subjects and streams.

use kymo_event::Event;

use super::*;

#[tokio::test]
async fn a_stream_is_given_everything_once_while_its_server_is_killed_under_load() {
    let (station, mut broker) = (Station::new(), Broker::start());
    let mut made = broker.stream("T", "t.>").await;
    let out = NatsSink {
        stream: Some("T".into()),
        ..sink(&broker, "type:b", "t.{source}.{type}")
    };
    let running = run(&station, None, Some(out));
    for round in 0..4 {
        is(&station, Direction::Sink, BridgeState::Connected).await;
        for part in 0..10 {
            let from = round * 5_000 + part * 500;
            station.emit("b", from..from + 500).await;
        }
        if round < 3 {
            broker.kill();
            is(&station, Direction::Sink, BridgeState::Waiting).await;
            broker.up();
        }
    }
    wait_for("all of them", async || {
        (info(&station, Direction::Sink)?.lag_events? == 0).then_some(())
    })
    .await;
    running.stop().await;
    let state = made.info().await.expect("the stream").state.clone();
    assert_eq!(state.messages, 20_000, "each once");
    let first = made.get_raw_message(1).await.expect("the first");
    assert_eq!(first.subject.as_str(), "t.test.b");
    let ledger = station.hub.ledger().id().to_string();
    assert_eq!(
        first.headers.get("Kymo-Ledger").map(|value| value.as_str()),
        Some(&*ledger)
    );
    let id = first.headers.get("Nats-Msg-Id").expect("an id").as_str();
    assert!(id.starts_with(&format!("{ledger}:")), "{id}");
}

/// Everything that is given to these subjects, by somebody who listens from now on.
async fn listening(broker: &Broker, subject: &'static str) -> async_nats::Subscriber {
    let client = broker.client().await;
    let heard = client.subscribe(subject).await.expect("subscribed");
    client.flush().await.expect("sent");
    heard
}

/// The next so many: what their types and data are.
async fn heard(listener: &mut async_nats::Subscriber, count: usize) -> Vec<(String, u64)> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let message = tokio::time::timeout(crate::rig::DEADLINE, listener.next());
        let message = message.await.expect("in time").expect("one");
        let line: Value = serde_json::from_slice(&message.payload).expect("JSON");
        let kind = line["type"].as_str().expect("text").to_owned();
        heard.push((kind, line["data"].as_u64().expect("a number")));
    }
    heard
}

const MAY_NOT_X: &str = "authorization { users: [ { user: u, password: p, permissions: { publish: { deny: [\"k.x\"] } } }, \
    { user: v, password: v } ], default_permissions: {} }, no_auth_user: v";

fn as_who_may_not(broker: &Broker, subject: &str, stream: Option<&str>) -> NatsSink {
    let mut out = sink(broker, "type:x OR type:y", subject);
    out.server.url = format!("nats://u:p@127.0.0.1:{}", broker.port);
    out.stream = stream.map(ToOwned::to_owned);
    out
}

/// Mixed, so that both are in one batch.
async fn emit_mixed(station: &Station, each: usize) {
    let events = (0..each).flat_map(|n| [numbered("x", n), numbered("y", n)]);
    station.emit_events(events).await;
}

async fn counts(station: &Station, events: u64, refused: u64) -> BridgeInfo {
    wait_for("the counts", async || {
        let info = info(station, Direction::Sink)?;
        ((info.counts.events, info.counts.refused) == (events, refused)).then_some(info)
    })
    .await
}

#[tokio::test]
async fn of_what_may_not_be_published_only_that_is_refused_and_the_rest_is_given_once() {
    let (station, broker) = (Station::new(), Broker::with(MAY_NOT_X));
    let mut listener = listening(&broker, "k.>").await;
    emit_mixed(&station, 20).await;
    let running = run(&station, None, Some(as_who_may_not(&broker, "k.{type}", None)));
    let given = heard(&mut listener, 20).await;
    assert_eq!(given, (0..20).map(|n| ("y".to_owned(), n)).collect::<Vec<_>>());
    let info = counts(&station, 20, 20).await;
    let error = info.last_error.expect("said").fault;
    assert_eq!(error.code, "not_allowed");
    assert!(error.message.contains("\"k.x\""), "{}", error.message);
    station.emit("y", 20..21).await;
    assert_eq!(
        heard(&mut listener, 1).await,
        [("y".to_owned(), 20)],
        "nothing came twice"
    );
    running.stop().await;
}

#[tokio::test]
async fn more_denials_than_are_heard_of_are_nonetheless_all_refused() {
    let (station, broker) = (Station::new(), Broker::with(&MAY_NOT_X.replace("k.x", "k.x.>")));
    // Of each the server complains by another subject.
    let with_agent = |kind, number: usize| Event {
        agent: Some(number.to_string().into()),
        ..numbered(kind, number)
    };
    let events = (0..1_500).flat_map(|n| [with_agent("x", n), with_agent("y", n)]);
    station.emit_events(events).await;
    let out = as_who_may_not(&broker, "k.{type}.{agent}", None);
    let running = run(&station, None, Some(out));
    counts(&station, 1_500, 1_500).await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_stream_took_of_a_batch_is_not_given_to_it_again_while_another_is_not_taken() {
    let (station, broker) = (Station::new(), Broker::with(MAY_NOT_X));
    // It forgets at once what it was given.
    let context = jetstream::new(broker.client().await);
    let config = |subjects: &[&str]| jetstream::stream::Config {
        name: "K".into(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        duplicate_window: Duration::from_millis(100),
        max_message_size: 2_000,
        ..jetstream::stream::Config::default()
    };
    let mut made = context
        .create_stream(config(&["k.y", "k.x"]))
        .await
        .expect("made");
    // Nobody takes the subject of one, another one is too large, and the third is denied.
    let mut large = numbered("y", 9);
    large.data = Some(format!("\"{}\"", "x".repeat(3_000)).into());
    let events = vec![
        numbered("y", 0),
        numbered("x", 1),
        numbered("z", 2),
        large,
        numbered("y", 3),
    ];
    station.emit_events(events.into_iter()).await;
    let mut out = as_who_may_not(&broker, "k.{type}", Some("K"));
    out.filter = "type:x OR type:y OR type:z".into();
    let running = run(&station, None, Some(out));
    fails(&station, Direction::Sink, "stream_missing").await;
    // Longer than it remembers, and for more than one try.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(made.info().await.expect("asked").state.messages, 2);
    assert_eq!(
        info(&station, Direction::Sink).expect("there").counts.events,
        0,
        "not settled"
    );
    context
        .update_stream(config(&["k.y", "k.x", "k.z"]))
        .await
        .expect("changed");
    counts(&station, 3, 2).await;
    assert_eq!(made.info().await.expect("asked").state.messages, 3, "each once");
    running.stop().await;
}
