//! NATS, both ways, with a real server that is killed, frozen, and turns us away.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, jetstream};
use futures_util::StreamExt;
use kymo_connect::{
    Bridges, BridgesSettings, NatsServer, NatsSink, NatsSource, SinkSettings, SourceSettings, sink::Begin,
};
use kymo_hub::{BridgeInfo, BridgeState, Direction, HubSettings};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    rig::{Station, numbered, wait_for},
};

mod guards;

struct Running {
    end: CancellationToken,
    bridges: Bridges,
}

impl Running {
    async fn stop(self) {
        self.end.cancel();
        self.bridges.finished().await;
    }
}

fn run(station: &Station, source: Option<NatsSource>, sink: Option<NatsSink>) -> Running {
    let settings = BridgesSettings {
        sources: source
            .into_iter()
            .map(|one| ("in".to_owned(), SourceSettings::Nats(one)))
            .collect(),
        sinks: sink
            .into_iter()
            .map(|one| ("out".to_owned(), SinkSettings::Nats(one)))
            .collect::<BTreeMap<_, _>>(),
    };
    assert_eq!(settings.problem(), None);
    let end = CancellationToken::new();
    let bridges = Bridges::start(&settings, &station.hub, station.data.path(), &end);
    Running { end, bridges }
}

fn server(broker: &Broker) -> NatsServer {
    NatsServer {
        url: broker.url(),
        ..NatsServer::default()
    }
}

fn core(broker: &Broker, subject: &str) -> NatsSource {
    NatsSource {
        server: server(broker),
        subjects: vec![subject.into()],
        ..NatsSource::default()
    }
}

fn stream(broker: &Broker, subject: &str, stream: &str) -> NatsSource {
    NatsSource {
        stream: Some(stream.into()),
        ack_wait_s: 1,
        ..core(broker, subject)
    }
}

fn sink(broker: &Broker, filter: &str, subject: &str) -> NatsSink {
    NatsSink {
        server: server(broker),
        filter: filter.into(),
        subject: subject.into(),
        begin: Begin::Start,
        ..NatsSink::default()
    }
}

fn info(station: &Station, direction: Direction) -> Option<BridgeInfo> {
    let infos = station.hub.bridges().infos();
    infos.into_iter().find(|info| info.direction == direction)
}

async fn is(station: &Station, direction: Direction, state: BridgeState) -> BridgeInfo {
    wait_for("the state", async || {
        info(station, direction).filter(|info| info.state == state)
    })
    .await
}

async fn fails(station: &Station, direction: Direction, code: &str) -> String {
    let what = format!("the code {code}");
    wait_for(&what, async || {
        let last = info(station, direction)?.last_error?;
        (last.fault.code == code).then_some(last.fault.message)
    })
    .await
}

/// Waits for so many events, and gives the numbers they carry.
async fn stored(station: &Station, filter: &str, count: usize) -> Vec<u64> {
    wait_for("the events in the ledger", async || {
        let events = station.stored(filter).await;
        (events.len() >= count).then(|| {
            events
                .iter()
                .filter_map(|event| event["data"]["n"].as_u64())
                .collect()
        })
    })
    .await
}

fn message(number: u64) -> String {
    format!(r#"{{"type":"a","source":"test","data":{{"n":{number}}}}}"#)
}

/// Publishes numbered messages into a stream until it has acknowledged each, whatever happens to the server.
async fn publish_surely(context: &jetstream::Context, subject: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("m{number}"));
            let sent = context.publish_with_headers(subject.to_owned(), headers, message(number).into());
            let stored = async { sent.await.ok()?.await.ok() };
            if let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), stored).await {
                break;
            }
        }
    }
}

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

/// This moment as events write it.
fn moment_now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    kymo_event::Micros::from_epoch(since).to_string()
}

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
async fn a_wrong_password_is_said_and_a_right_one_in_the_file_lets_in_without_a_restart() {
    let (station, broker) = (
        Station::new(),
        Broker::with("authorization { user: egor, password: s3cret }"),
    );
    let file = broker.file("password");
    std::fs::write(&file, "wrong\n").expect("written");
    let mut source = core(&broker, "a");
    source.server.user = Some("egor".into());
    source.server.password_file = Some(file.clone());
    let running = run(&station, Some(source), None);
    let said = fails(&station, Direction::Source, "not_allowed").await;
    assert!(said.contains("look at user, password"), "{said}");
    std::fs::write(&file, "s3cret\n").expect("written");
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let shown = serde_json::to_string(&station.hub.bridges().infos()).expect("JSON");
    let told = serde_json::to_string(&station.stored("").await).expect("JSON");
    assert!(!shown.contains("s3cret") && !told.contains("s3cret"));
}

#[tokio::test]
async fn a_token_lets_in_and_no_secret_of_an_address_is_shown() {
    let (station, broker) = (Station::new(), Broker::with("authorization { token: \"t0ken\" }"));
    let file = broker.file("token");
    std::fs::write(&file, "t0ken").expect("written");
    let mut source = core(&broker, "a");
    source.server.token_file = Some(file);
    let running = run(&station, Some(source), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let mut source = core(&broker, "a");
    source.server.url = format!("nats://t0ken@127.0.0.1:{}", broker.port);
    let running = run(&station, Some(source), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    assert_eq!(
        info(&station, Direction::Source).expect("there").target,
        format!("{} a", broker.url())
    );
}

#[tokio::test]
async fn an_nkey_lets_in() {
    let pair = nkeys::KeyPair::new_user();
    let (station, broker) = (
        Station::new(),
        Broker::with(&format!(
            "authorization {{ users: [ {{ nkey: {} }} ] }}",
            pair.public_key()
        )),
    );
    let mut source = core(&broker, "a");
    let running = run(&station, Some(source.clone()), None);
    fails(&station, Direction::Source, "not_allowed").await;
    running.stop().await;
    source.server.nkey_file = Some(broker.file("seed"));
    let running = run(&station, Some(source), None);
    fails(&station, Direction::Source, "secret_unreadable").await;
    std::fs::write(broker.file("seed"), pair.seed().expect("a seed")).expect("written");
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
}

/// A certificate for `name`, signed by an authority of our own.
fn certificates(folder: &std::path::Path, name: &str) {
    let openssl = |args: &[&str]| {
        let status = Command::new("openssl")
            .args(args)
            .current_dir(folder)
            .stderr(std::process::Stdio::null())
            .status()
            .expect("openssl is installed");
        assert!(status.success(), "openssl {args:?}");
    };
    let ec = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let mut authority = vec![
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    authority.extend(ec);
    openssl(&authority);
    let mut request = vec![
        "req",
        "-subj",
        "/CN=server",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ];
    request.extend(ec);
    openssl(&request);
    std::fs::write(
        folder.join("names"),
        format!("subjectAltName={name}\nextendedKeyUsage=serverAuth,clientAuth\n"),
    )
    .expect("written");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-days",
        "2",
        "-out",
        "server.pem",
        "-extfile",
        "names",
    ]);
}

fn with_tls(name: &str) -> Broker {
    let tls = "tls { cert_file: \"FOLDER/server.pem\", key_file: \"FOLDER/server.key\", ca_file: \"FOLDER/ca.pem\", verify: true }";
    Broker::prepared(tls, |folder| certificates(folder, name))
}

fn over_tls(broker: &Broker) -> NatsSource {
    let mut source = core(broker, "a");
    source.server.tls_ca = Some(broker.file("ca.pem"));
    source.server.tls_cert = Some(broker.file("server.pem"));
    source.server.tls_key = Some(broker.file("server.key"));
    source
}

#[tokio::test]
async fn tls_checks_the_name_and_shows_our_certificate() {
    let (station, broker) = (Station::new(), with_tls("IP:127.0.0.1"));
    let running = run(&station, Some(over_tls(&broker)), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let other = with_tls("DNS:other.example");
    let running = run(&station, Some(over_tls(&other)), None);
    let said = fails(&station, Direction::Source, "tls_failed").await;
    assert!(said.contains("tls_ca"), "{said}");
    running.stop().await;
    let mut strange = over_tls(&broker);
    strange.server.tls_ca = None;
    let running = run(&station, Some(strange), None);
    fails(&station, Direction::Source, "tls_failed").await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said() {
    let rights = "authorization { users: [ { user: u, password: p, permissions: { publish: [\"_INBOX.>\"], subscribe: [\"_INBOX.>\"] } } ] }";
    let (station, broker) = (Station::new(), Broker::with(rights));
    let url = format!("nats://u:p@127.0.0.1:{}", broker.port);
    let mut source = core(&broker, "a");
    source.server.url.clone_from(&url);
    let mut out = sink(&broker, "type:b", "b");
    out.server.url = url;
    let running = run(&station, Some(source), Some(out));
    let said = fails(&station, Direction::Source, "not_allowed").await;
    assert!(said.contains("Permissions Violation"), "{said}");
    station.emit("b", 0..10).await;
    fails(&station, Direction::Sink, "not_allowed").await;
    assert_eq!(
        info(&station, Direction::Sink).expect("there").counts.events,
        0,
        "nothing counts as given"
    );
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
