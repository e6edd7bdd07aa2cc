//! Subjects: what is published while nobody listens is gone, and that is said.

use super::*;

const EGOS: [(&str, &str); 4] = [
    (
        "egos.sparc.tasks",
        r#"{"id":1,"type":"sparc_analyze","status":"completed","result":"File modified: x.py","timestamp":"2025-06-03T12:00:00.123456+00:00","file_path":"x.py","trace_id":"t1"}"#,
    ),
    (
        "egos.llm.logs",
        r#"{"timestamp":"2025-06-03T12:00:00.123456Z","model":"egos-assistant","prompt":"p","response":"r","trace_id":"t2","file_path":"x"}"#,
    ),
    (
        "egos.propagation.log",
        r#"{"timestamp":"2025-06-03T12:00:00.123456+00:00","subsystem":"KOIOS","pattern":"Conscious Modularity","status":"Adopted","file_path":"x","trace_id":"t3"}"#,
    ),
    (
        "egos.system.heartbeat",
        r#"{"timestamp":"2025-06-03T12:00:00.123456","status":"active","publisher":"egos_activity_publisher","trace_id":"t4"}"#,
    ),
];

#[tokio::test]
async fn what_egos_publishes_is_stored_as_what_it_is_and_what_is_no_event_is_kept() {
    let (station, broker) = (Station::new(), Broker::start());
    let running = run(&station, Some(core(&broker, "egos.>")), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let client = broker.client().await;
    for (subject, text) in EGOS {
        client.publish(subject, text.into()).await.expect("sent");
    }
    let binary: &[u8] = &[0xff, 0, 0x80];
    for odd in [b"hello, no JSON".as_slice(), br#"{"a":1}"#, b"[1,2]", binary, b""] {
        client
            .publish("egos.odd", odd.to_vec().into())
            .await
            .expect("sent");
    }
    client.publish("other", message(1).into()).await.expect("sent");
    let events = wait_for("the events", async || {
        let events = station.stored("-source:kymo").await;
        (events.len() >= 9).then_some(events)
    })
    .await;
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().expect("text"))
        .collect();
    assert_eq!(
        kinds[..4],
        [
            "sparc_analyze",
            "egos.llm.logs",
            "egos.propagation.log",
            "egos.system.heartbeat"
        ]
    );
    assert_eq!(kinds[4..], ["unrecognised"; 5]);
    assert!(events[..4].iter().all(|event| event["dialect"] == "egos"));
    assert_eq!(events[0]["ext"]["kymo"]["subject"], "egos.sparc.tasks");
    assert_eq!(events[4]["data"], "hello, no JSON");
    assert_eq!(events[5]["data"]["a"], 1);
    assert_eq!(events[7]["data"]["base64"], "/wCA");
    running.stop().await;
    let info = info(&station, Direction::Source).expect("there");
    assert_eq!(
        (info.counts.events, info.counts.unrecognised, info.counts.refused),
        (9, 5, 0)
    );
}

#[tokio::test]
async fn a_message_over_the_limit_is_counted_and_said() {
    let mut settings = HubSettings::default();
    settings.limits.event_bytes_max = 1_000;
    let (station, broker) = (Station::with(settings), Broker::start());
    let running = run(&station, Some(core(&broker, "a")), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let client = broker.client().await;
    client.publish("a", "x".repeat(1_001).into()).await.expect("sent");
    client.publish("a", message(1).into()).await.expect("sent");
    assert_eq!(stored(&station, "type:a", 1).await, [1]);
    let told = wait_for("the note", async || {
        station.stored("type:kymo.bridge.refused").await.pop()
    })
    .await;
    assert_eq!(
        (&told["data"]["code"], &told["data"]["refused"]),
        (&"event_too_large".into(), &1.into())
    );
    running.stop().await;
    assert_eq!(
        info(&station, Direction::Source).expect("there").counts.refused,
        1
    );
}

#[tokio::test]
async fn of_subjects_only_what_was_published_during_an_outage_is_lost_and_the_outage_is_recorded() {
    let (station, mut broker) = (Station::new(), Broker::down(""));
    let running = run(&station, Some(core(&broker, "a")), None);
    fails(&station, Direction::Source, "unreachable").await;
    broker.up();
    is(&station, Direction::Source, BridgeState::Connected).await;
    assert_eq!(
        station.stored("type:kymo.bridge.gap").await,
        [] as [Value; 0],
        "it never listened before"
    );
    let client = broker.client().await;
    for number in 0..500 {
        client.publish("a", message(number).into()).await.expect("sent");
    }
    stored(&station, "type:a", 500).await;
    let killed = moment_now();
    broker.kill();
    is(&station, Direction::Source, BridgeState::Waiting).await;
    let down = moment_now();
    broker.up();
    is(&station, Direction::Source, BridgeState::Connected).await;
    let client = broker.client().await;
    for number in 1_000..1_500 {
        client.publish("a", message(number).into()).await.expect("sent");
    }
    let numbers = stored(&station, "type:a", 1_000).await;
    assert_eq!(numbers, (0..500).chain(1_000..1_500).collect::<Vec<_>>());
    let gaps = wait_for("the gap", async || {
        let gaps = station.stored("type:kymo.bridge.gap").await;
        (!gaps.is_empty()).then_some(gaps)
    })
    .await;
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    let moment = |name: &str| gap["data"][name].as_str().expect("a time").to_owned();
    assert!(
        moment("from") <= killed && down <= moment("to"),
        "{gap} {killed} {down}"
    );
    assert_eq!(gap["data"]["reason"], "unreachable");
    // While we do not run nobody listens either.
    running.stop().await;
    let running = run(&station, Some(core(&broker, "a")), None);
    let gap = wait_for("the gap", async || {
        station.stored("type:kymo.bridge.gap").await.into_iter().nth(1)
    })
    .await;
    assert_eq!(gap["data"]["reason"], "not_running");
    running.stop().await;
}

#[tokio::test]
async fn two_stations_on_one_server_give_each_other_everything_once_and_nothing_back() {
    let broker = Broker::start();
    let (one, other) = (Station::new(), Station::new());
    let both = |station: &Station| {
        run(
            station,
            Some(core(&broker, "k.>")),
            Some(sink(&broker, "-type:kymo.*", "k.{type}")),
        )
    };
    let (first, second) = (both(&one), both(&other));
    for station in [&one, &other] {
        is(station, Direction::Source, BridgeState::Connected).await;
        is(station, Direction::Sink, BridgeState::Connected).await;
    }
    one.emit_events((0..100).map(|number| numbered("x", number)))
        .await;
    other
        .emit_events((0..100).map(|number| numbered("y", number)))
        .await;
    let client = broker.client().await;
    client
        .publish("k.z", r#"{"type":"z","source":"s"}"#.into())
        .await
        .expect("sent");
    client.flush().await.expect("sent");
    for station in [&one, &other] {
        wait_for("both", async || {
            (station.stored("-type:kymo.*").await.len() >= 201).then_some(())
        })
        .await;
    }
    // What would come back does so at once.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for station in [&one, &other] {
        assert_eq!(station.stored("-type:kymo.*").await.len(), 201);
        assert!(
            info(station, Direction::Source).expect("there").counts.skipped >= 100,
            "our own come back to us"
        );
    }
    let from_other = other.stored("type:x").await;
    assert_eq!(from_other[0]["hops"], 1);
    assert!(
        from_other[0]["id"]
            .as_str()
            .expect("an id")
            .starts_with(&one.hub.ledger().id().to_string())
    );
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn what_goes_in_circles_stops_and_is_said() {
    let (station, broker) = (Station::new(), Broker::start());
    let running = run(&station, Some(core(&broker, "a")), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let client = broker.client().await;
    for hops in [7, 8] {
        let mut headers = HeaderMap::new();
        headers.insert("Kymo-Ledger", "another");
        headers.insert("Kymo-Hops", hops.to_string());
        client
            .publish_with_headers("a", headers, message(hops).into())
            .await
            .expect("sent");
    }
    fails(&station, Direction::Source, "too_many_hops").await;
    assert_eq!(stored(&station, "type:a", 1).await, [7]);
    running.stop().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_server_that_is_away() {
    let (station, broker) = (Station::new(), Broker::down(""));
    let running = run(&station, Some(core(&broker, "a")), Some(sink(&broker, "", "b")));
    fails(&station, Direction::Source, "unreachable").await;
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_is_said_to_the_number_also_where_the_end_comes_at_once() {
    const ALL: u64 = 3_000;
    let (station, broker) = (Station::new(), Broker::start());
    let cramped = NatsSource {
        waiting_max: 1,
        ..core(&broker, "a")
    };
    let running = run(&station, Some(cramped), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let client = broker.client().await;
    for number in 0..ALL {
        client.publish("a", message(number).into()).await.expect("sent");
    }
    let mut echo = client.subscribe("echo").await.expect("subscribed");
    client.publish("echo", "".into()).await.expect("sent");
    echo.next().await.expect("the server has them all");
    running.stop().await;
    let taken = station.stored("type:a").await.len() as u64;
    let gaps = wait_for("the gap", async || {
        let gaps = station.stored("type:kymo.bridge.gap").await;
        (!gaps.is_empty()).then_some(gaps)
    })
    .await;
    assert!(
        gaps.iter().all(|gap| gap["data"]["reason"] == "slow_consumer"),
        "{gaps:?}"
    );
    let lost: u64 = gaps.iter().filter_map(|gap| gap["data"]["lost"].as_u64()).sum();
    assert!(lost > 0, "there was room for all");
    assert_eq!(taken + lost, ALL, "{gaps:?}");
}
