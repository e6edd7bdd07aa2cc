//! Streams, which keep everything until it is stored here.

use super::*;

#[tokio::test]
async fn of_a_stream_nothing_is_lost_and_nothing_stored_twice_while_its_server_is_killed_under_load() {
    let (station, mut broker) = (Station::new(), Broker::start());
    broker.stream("S", "a.*").await;
    let running = run(&station, Some(stream(&broker, "a.*", "S")), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let context = jetstream::new(broker.client().await);
    let publishing = tokio::spawn(async move { publish_surely(&context, "a.b", 0..3_000).await });
    for round in 1..4 {
        stored(&station, "type:a", round * 300).await;
        broker.kill();
        is(&station, Direction::Source, BridgeState::Waiting).await;
        broker.up();
        is(&station, Direction::Source, BridgeState::Connected).await;
    }
    publishing.await.expect("published");
    let mut numbers = stored(&station, "type:a", 3_000).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..3_000).collect::<Vec<_>>());
    running.stop().await;
    // A consumer that is lost gives everything again: it is known.
    let again = NatsSource {
        consumer: Some("another".into()),
        ..stream(&broker, "a.*", "S")
    };
    let running = run(&station, Some(again), None);
    wait_for("the repeats", async || {
        (info(&station, Direction::Source)?.counts.repeats >= 3_000).then_some(())
    })
    .await;
    running.stop().await;
    assert_eq!(station.stored("type:a").await.len(), 3_000);
    assert_eq!(info(&station, Direction::Source).expect("there").counts.events, 0);
}

#[tokio::test]
async fn messages_without_any_id_are_known_by_their_place_in_the_stream() {
    let (station, broker) = (Station::new(), Broker::start());
    broker.stream("S", "a").await;
    let context = jetstream::new(broker.client().await);
    for _ in 0..5 {
        // Equal to the byte, and nonetheless five.
        context
            .publish("a", message(7).into())
            .await
            .expect("sent")
            .await
            .expect("stored");
    }
    let running = run(&station, Some(stream(&broker, "a", "S")), None);
    assert_eq!(stored(&station, "type:a", 5).await, [7; 5]);
    running.stop().await;
    let again = NatsSource {
        consumer: Some("another".into()),
        ..stream(&broker, "a", "S")
    };
    let running = run(&station, Some(again), None);
    wait_for("the repeats", async || {
        (info(&station, Direction::Source)?.counts.repeats == 5).then_some(())
    })
    .await;
    running.stop().await;
    assert_eq!(station.stored("type:a").await.len(), 5);
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_and_followed_again_once_it_answers() {
    let (station, broker) = (Station::new(), Broker::start());
    broker.stream("S", "a").await;
    let running = run(
        &station,
        Some(stream(&broker, "a", "S")),
        Some(sink(&broker, "type:b", "b")),
    );
    is(&station, Direction::Source, BridgeState::Connected).await;
    is(&station, Direction::Sink, BridgeState::Connected).await;
    let context = jetstream::new(broker.client().await);
    publish_surely(&context, "a", 0..100).await;
    stored(&station, "type:a", 100).await;
    let mut heard = broker.client().await.subscribe("b").await.expect("subscribed");
    broker.freeze();
    is(&station, Direction::Source, BridgeState::Waiting).await;
    station.emit("b", 0..100).await;
    is(&station, Direction::Sink, BridgeState::Waiting).await;
    broker.thaw();
    let publishing = tokio::spawn(async move { publish_surely(&context, "a", 100..200).await });
    let mut numbers = stored(&station, "type:a", 200).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    publishing.await.expect("published");
    let mut given = std::collections::BTreeSet::new();
    while given.len() < 100 {
        let message = tokio::time::timeout(crate::rig::DEADLINE, heard.next())
            .await
            .expect("in time")
            .expect("one");
        let line: Value = serde_json::from_slice(&message.payload).expect("JSON");
        given.insert(line["data"].as_u64().expect("a number"));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_missing_stream_is_said_and_followed_once_it_is_made() {
    let (station, broker) = (Station::new(), Broker::start());
    let out = NatsSink {
        stream: Some("T".into()),
        ..sink(&broker, "type:b", "t.{type}")
    };
    let running = run(&station, Some(stream(&broker, "a", "S")), Some(out));
    station.emit("b", 0..10).await;
    let said = fails(&station, Direction::Source, "stream_missing").await;
    assert!(said.contains("has no stream S"), "{said}");
    let said = fails(&station, Direction::Sink, "stream_missing").await;
    assert!(said.contains("make T"), "{said}");
    broker.stream("S", "a").await;
    let mut made = broker.stream("T", "t.>").await;
    is(&station, Direction::Source, BridgeState::Connected).await;
    is(&station, Direction::Sink, BridgeState::Connected).await;
    wait_for("the events in the stream", async || {
        (made.info().await.ok()?.state.messages == 10).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_stream_removed_before_it_was_read_is_said_with_its_times_and_its_number() {
    // Where the stream has more than is asked for, nobody knows how many of these were among them.
    for (subjects, lost) in [("s.a", Some(40)), ("s.*", None)] {
        let (station, broker) = (Station::new(), Broker::start());
        let context = jetstream::new(broker.client().await);
        let config = jetstream::stream::Config {
            name: "S".into(),
            subjects: vec![subjects.into()],
            max_messages: 10,
            ..jetstream::stream::Config::default()
        };
        context.create_stream(config).await.expect("made");
        let source = || Some(stream(&broker, "s.a", "S"));
        let running = run(&station, source(), None);
        publish_surely(&context, "s.a", 0..5).await;
        stored(&station, "type:a", 5).await;
        running.stop().await;
        let before = moment_now();
        publish_surely(&context, "s.a", 5..45).await;
        let between = moment_now();
        publish_surely(&context, "s.a", 45..55).await;
        let after = moment_now();
        let running = run(&station, source(), None);
        stored(&station, "type:a", 15).await;
        let gap = wait_for("the gap", async || {
            station.stored("type:kymo.bridge.gap").await.pop()
        })
        .await;
        let data = &gap["data"];
        assert_eq!(
            (&data["reason"], data["lost"].as_u64()),
            (&"removed_from_stream".into(), lost)
        );
        let moment = |name: &str| data[name].as_str().expect("a time").to_owned();
        assert!(moment("from") <= before, "{gap}");
        assert!(
            between <= moment("to") && moment("to") <= after,
            "{gap} {between} {after}"
        );
        running.stop().await;
    }
}
