//! A sink: what v5's own readers expect, each event once in the stream, and nothing back to where it came from.

use kymo_connect::RedisSink;
use kymo_hub::{BridgeState, Direction};
use redis::cmd;
use serde_json::Value;

use super::{run, sink, source, v5};
use crate::{
    redis_server::{Client, Server},
    rig::{Station, numbered, wait_for},
    running::{fails, info, is, stored},
};

/// The texts in a stream.
async fn texts(client: &Client, stream: &str) -> Vec<Value> {
    let entries: Vec<(String, Vec<(String, String)>)> =
        client.ask(cmd("XRANGE").arg(stream).arg("-").arg("+")).await;
    entries
        .iter()
        .map(|(_, fields)| {
            let [(name, text)] = &fields[..] else {
                panic!("one field: {fields:?}");
            };
            assert_eq!(name, "event");
            serde_json::from_str(text).expect("JSON")
        })
        .collect()
}

/// Waits for so many entries; gives the numbers they carry.
async fn entries(client: &Client, stream: &str, count: usize) -> Vec<u64> {
    wait_for("the entries", async || {
        let length: usize = client.ask(cmd("XLEN").arg(stream)).await;
        (length >= count).then_some(())
    })
    .await;
    let texts = texts(client, stream).await;
    texts
        .iter()
        .map(|text| text["data"].as_u64().expect("a number"))
        .collect()
}

#[tokio::test]
async fn readers_of_v5_are_given_what_they_know_on_the_channel_and_in_the_stream() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let address = redis::Client::open(broker.url()).expect("an address");
    let mut heard = address.get_async_pubsub().await.expect("connected");
    heard.subscribe("v5:events").await.expect("subscribed");
    let running = run(&station, None, Some(sink(&broker, "-type:kymo.*")));
    is(&station, Direction::Sink, BridgeState::Connected).await;
    station.emit("state.mood", 0..3).await;
    assert_eq!(entries(&client, "v5:stream", 3).await, [0, 1, 2]);
    let text = &texts(&client, "v5:stream").await[0];
    assert_eq!(
        (&text["type"], &text["cycle"], &text["day"]),
        (&"state.mood".into(), &0.into(), &0.into())
    );
    assert!(text["ts"].as_str().expect("a time").ends_with("+00:00"), "{text}");
    let mut messages = heard.on_message();
    for stored in texts(&client, "v5:stream").await {
        let message = futures_util::StreamExt::next(&mut messages).await.expect("one");
        let published: Value = serde_json::from_slice(message.get_payload_bytes()).expect("JSON");
        assert_eq!(published, stored, "the very same text");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_stream_is_given_everything_once_in_order_while_its_server_is_killed_under_load() {
    let Some(mut broker) = Server::start() else { return };
    let station = Station::new();
    let out = RedisSink {
        maxlen: 0,
        ..sink(&broker, "type:b")
    };
    let running = run(&station, None, Some(out.clone()));
    for round in 0..4 {
        is(&station, Direction::Sink, BridgeState::Connected).await;
        for part in 0..10 {
            let from = round * 5_000 + part * 500;
            station.emit("b", from..from + 500).await;
        }
        if round < 3 {
            broker.kill();
            is(&station, Direction::Sink, BridgeState::Waiting).await;
            assert!(broker.up());
        }
    }
    let client = broker.client().await;
    assert_eq!(
        entries(&client, "v5:stream", 20_000).await,
        (0..20_000).collect::<Vec<_>>()
    );
    running.stop().await;
    // A place that is lost begins anew, and finds in the stream what was given.
    std::fs::remove_file(station.data.path().join("cursors/sink-out.json")).expect("removed");
    let running = run(&station, None, Some(out));
    station.emit("b", 20_000..20_001).await;
    assert_eq!(entries(&client, "v5:stream", 20_001).await.len(), 20_001);
    running.stop().await;
}

#[tokio::test]
async fn what_a_server_that_hung_does_later_is_not_given_twice() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, None, Some(sink(&broker, "type:b")));
    is(&station, Direction::Sink, BridgeState::Connected).await;
    station.emit("b", 0..100).await;
    entries(&client, "v5:stream", 100).await;
    broker.freeze();
    station.emit("b", 100..2_000).await;
    fails(&station, Direction::Sink, "timeout").await;
    broker.thaw();
    let client = broker.client().await;
    assert_eq!(
        entries(&client, "v5:stream", 2_000).await,
        (0..2_000).collect::<Vec<_>>()
    );
    wait_for("no lag", async || {
        (info(&station, Direction::Sink)?.lag_events? == 0).then_some(())
    })
    .await;
    running.stop().await;
    assert_eq!(entries(&client, "v5:stream", 2_000).await.len(), 2_000);
}

#[tokio::test]
async fn a_server_without_room_is_left_alone_and_given_everything_once_it_has_some() {
    let Some(broker) = Server::with("maxmemory-policy noeviction") else {
        return;
    };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, None, Some(sink(&broker, "type:b")));
    is(&station, Direction::Sink, BridgeState::Connected).await;
    let () = client.run("CONFIG SET maxmemory 1").await;
    station.emit("b", 0..1_000).await;
    let said = fails(&station, Direction::Sink, "no_room").await;
    assert!(said.contains("maxmemory"), "{said}");
    is(&station, Direction::Sink, BridgeState::Paused).await;
    assert_eq!(info(&station, Direction::Sink).expect("there").counts.events, 0);
    let () = client.run("CONFIG SET maxmemory 0").await;
    assert_eq!(
        entries(&client, "v5:stream", 1_000).await,
        (0..1_000).collect::<Vec<_>>()
    );
    running.stop().await;
}

#[tokio::test]
async fn something_else_under_the_name_of_the_stream_is_said_and_nothing_published() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let () = client.run("SET v5:stream x").await;
    let running = run(&station, None, Some(sink(&broker, "type:b")));
    station.emit("b", 0..10).await;
    fails(&station, Direction::Sink, "wrong_type").await;
    assert_eq!(info(&station, Direction::Sink).expect("there").counts.events, 0);
    let () = client.run("DEL v5:stream").await;
    assert_eq!(
        entries(&client, "v5:stream", 10).await,
        (0..10).collect::<Vec<_>>()
    );
    running.stop().await;
}

#[tokio::test]
async fn the_stream_keeps_about_as_many_as_it_shall() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let out = RedisSink {
        maxlen: 1_000,
        channel: String::new(),
        ..sink(&broker, "type:b")
    };
    let running = run(&station, None, Some(out));
    for part in 0..10 {
        station.emit("b", part * 500..(part + 1) * 500).await;
    }
    wait_for("the newest", async || {
        let texts = texts(&client, "v5:stream").await;
        (texts.last()?["data"] == 4_999).then_some(())
    })
    .await;
    let length: usize = client.run("XLEN v5:stream").await;
    assert!((1_000..1_500).contains(&length), "{length}");
    running.stop().await;
}

#[tokio::test]
async fn two_stations_on_one_stream_give_each_other_everything_once_and_nothing_back() {
    let Some(broker) = Server::start() else { return };
    let (one, other) = (Station::new(), Station::new());
    let both = |station: &Station| {
        let out = RedisSink {
            dialect: "kymo".into(),
            ..sink(&broker, "-type:kymo.*")
        };
        run(station, Some(source(&broker, "v5:stream")), Some(out))
    };
    let (first, second) = (both(&one), both(&other));
    one.emit_events((0..100).map(|number| numbered("x", number)))
        .await;
    other
        .emit_events((0..100).map(|number| numbered("y", number)))
        .await;
    broker.client().await.add("v5:stream", "*", v5("z", 1)).await;
    for station in [&one, &other] {
        wait_for("both", async || {
            (station.stored("-type:kymo.*").await.len() >= 201).then_some(())
        })
        .await;
    }
    // What would come back does so at once.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    for station in [&one, &other] {
        assert_eq!(station.stored("-type:kymo.*").await.len(), 201);
        let counts = info(station, Direction::Source).expect("there").counts;
        assert_eq!(
            (counts.skipped, counts.repeats),
            (100, 0),
            "our own come back to us"
        );
    }
    let from_other = other.stored("type:x").await;
    assert_eq!(from_other[0]["hops"], 1);
    let id = from_other[0]["id"].as_str().expect("an id");
    assert!(id.starts_with(&one.hub.ledger().id().to_string()), "{id}");
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn what_goes_in_circles_stops_and_is_said() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(source(&broker, "s")), None);
    for hops in [7, 8] {
        let mark = format!(r#","kymo.bridge":{{"ledger":"l","sink":"s","seq":{hops},"hops":{hops}}}}}"#);
        let text = v5("a", hops);
        client
            .add(
                "s",
                "*",
                text.strip_suffix('}').expect("an object").to_owned() + &mark,
            )
            .await;
    }
    fails(&station, Direction::Source, "too_many_hops").await;
    assert_eq!(stored(&station, "type:a", 1).await, [7]);
    running.stop().await;
}

#[tokio::test]
async fn another_broker_is_given_what_came_from_the_first() {
    let (Some(first), Some(second)) = (Server::start(), Server::start()) else {
        return;
    };
    let station = Station::new();
    let running = run(
        &station,
        Some(source(&first, "s")),
        Some(sink(&second, "-type:kymo.*")),
    );
    first.client().await.add("s", "*", v5("a", 7)).await;
    let client = second.client().await;
    let given = wait_for("the entry", async || texts(&client, "v5:stream").await.pop()).await;
    assert_eq!((&given["cycle"], &given["data"]["n"]), (&42.into(), &7.into()));
    running.stop().await;
}
