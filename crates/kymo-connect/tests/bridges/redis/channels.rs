//! Channels: what is heard is stored, what is in a stream too is stored once, and what could not be heard is said.

use kymo_connect::RedisSource;
use kymo_hub::{BridgeState, Direction, HubSettings};
use redis::cmd;

use super::{run, server, source, v5};
use crate::{
    redis_server::{Client, Server},
    rig::{Station, moment_now, wait_for},
    running::{events, fails, info, is, stored},
};

fn channels(broker: &Server, channels: &[&str], patterns: &[&str]) -> RedisSource {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    RedisSource {
        server: server(broker),
        channels: owned(channels),
        patterns: owned(patterns),
        ..RedisSource::default()
    }
}

fn both(broker: &Server) -> RedisSource {
    RedisSource {
        channels: vec!["v5:events".into()],
        ..source(broker, "v5:stream")
    }
}

/// As v5's broadcaster does.
async fn broadcast(client: &Client, text: &str) {
    client.publish("v5:events", text).await;
    client.add("v5:stream", "*", text).await;
}

#[tokio::test]
async fn what_is_published_on_channels_and_patterns_is_stored_once_whatever_it_is() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(channels(&broker, &["a"], &["a*", "*b"])), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    for (channel, number) in [("a", 1), ("ab", 2), ("b", 3), ("c", 4)] {
        client.publish(channel, &v5("a", number)).await;
    }
    let () = client.ask(cmd("PUBLISH").arg("a").arg(&[0xff_u8, 0][..])).await;
    client.publish("a", "hello, no JSON").await;
    let kept = events(&station, "-source:kymo", 5).await;
    assert_eq!(stored(&station, "type:a", 3).await, [1, 2, 3]);
    assert_eq!(kept[1]["ext"]["kymo"]["subject"], "ab");
    assert_eq!(
        (&kept[3]["type"], &kept[3]["data"]["base64"]),
        (&"unrecognised".into(), &"/wA=".into())
    );
    running.stop().await;
    assert_eq!(station.stored("-source:kymo").await.len(), 5);
}

#[tokio::test]
async fn what_comes_both_ways_is_stored_once_and_equal_events_are_as_many_as_there_were() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(both(&broker)), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    for number in 0..200 {
        broadcast(&client, &v5("a", number)).await;
    }
    for _ in 0..5 {
        broadcast(&client, &v5("same", 7)).await;
    }
    // The other way round, and by one way alone.
    client.add("v5:stream", "*", v5("turned", 1)).await;
    client.publish("v5:events", &v5("turned", 1)).await;
    client.publish("v5:events", &v5("alone", 1)).await;
    client.add("v5:stream", "*", v5("added", 1)).await;
    assert_eq!(
        stored(&station, "type:a", 200).await,
        (0..200).collect::<Vec<_>>()
    );
    assert_eq!(stored(&station, "type:alone", 1).await, [1]);
    running.stop().await;
    for (kind, count) in [("a", 200), ("same", 5), ("turned", 1), ("alone", 1), ("added", 1)] {
        assert_eq!(
            station.stored(&format!("type:{kind}")).await.len(),
            count,
            "{kind}"
        );
    }
    let counts = info(&station, Direction::Source).expect("there").counts;
    assert_eq!((counts.events, counts.skipped, counts.repeats), (208, 206, 0));
}

#[tokio::test]
async fn a_shutdown_stores_what_was_heard_and_leaves_what_is_in_the_stream_to_it() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(both(&broker)), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    broadcast(&client, &v5("a", 1)).await;
    client.publish("v5:events", &v5("a", 2)).await;
    // It is heard, and held.
    client.run::<String>("PING").await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    running.stop().await;
    let mut numbers = stored(&station, "type:a", 2).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    let running = run(&station, Some(both(&broker)), None);
    broadcast(&client, &v5("a", 3)).await;
    stored(&station, "type:a", 3).await;
    running.stop().await;
    assert_eq!(station.stored("type:a").await.len(), 3);
}

#[tokio::test]
async fn only_what_was_published_during_an_outage_is_lost_and_the_outage_is_recorded() {
    let Some(mut broker) = Server::start() else { return };
    let station = Station::new();
    let running = run(&station, Some(channels(&broker, &["c"], &[])), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    assert_eq!(
        station.stored("type:kymo.bridge.gap").await.len(),
        0,
        "it never listened before"
    );
    let client = broker.client().await;
    for number in 0..500 {
        client.publish("c", &v5("a", number)).await;
    }
    stored(&station, "type:a", 500).await;
    let killed = moment_now();
    broker.kill();
    is(&station, Direction::Source, BridgeState::Waiting).await;
    let down = moment_now();
    assert!(broker.up());
    is(&station, Direction::Source, BridgeState::Connected).await;
    let client = broker.client().await;
    for number in 1_000..1_500 {
        client.publish("c", &v5("a", number)).await;
    }
    let numbers = stored(&station, "type:a", 1_000).await;
    assert_eq!(numbers, (0..500).chain(1_000..1_500).collect::<Vec<_>>());
    let gaps = events(&station, "type:kymo.bridge.gap", 1).await;
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    let moment = |name: &str| gap["data"][name].as_str().expect("a time").to_owned();
    assert!(
        moment("from") <= killed && down <= moment("to"),
        "{gap} {killed} {down}"
    );
    assert_eq!(gap["data"]["reason"], "unreachable");
    // While we do not run nobody listens either.
    running.stop().await;
    let running = run(&station, Some(channels(&broker, &["c"], &[])), None);
    let gaps = events(&station, "type:kymo.bridge.gap", 2).await;
    assert_eq!(gaps[1]["data"]["reason"], "not_running");
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_a_gap_with_its_times() {
    let Some(broker) = Server::start() else { return };
    let station = Station::new();
    let running = run(&station, Some(channels(&broker, &["c"], &[])), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let frozen = moment_now();
    broker.freeze();
    fails(&station, Direction::Source, "timeout").await;
    let noticed = moment_now();
    broker.thaw();
    let gaps = events(&station, "type:kymo.bridge.gap", 1).await;
    let data = &gaps[0]["data"];
    assert_eq!(data["reason"], "timeout");
    assert!(
        data["from"].as_str() <= Some(&frozen) && Some(&*noticed) <= data["to"].as_str(),
        "{data}"
    );
    broker.client().await.publish("c", &v5("a", 1)).await;
    stored(&station, "type:a", 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_counted_and_said() {
    let mut settings = HubSettings::default();
    settings.limits.event_bytes_max = 1_000;
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::with(settings), broker.client().await);
    let running = run(&station, Some(channels(&broker, &["c"], &[])), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    client.publish("c", &"x".repeat(1_001)).await;
    client.publish("c", &v5("a", 1)).await;
    stored(&station, "type:a", 1).await;
    let told = events(&station, "type:kymo.bridge.refused", 1).await;
    assert_eq!(told[0]["data"]["code"], "event_too_large");
    running.stop().await;
}

#[tokio::test]
async fn what_finds_no_room_in_memory_is_a_gap_that_says_how_many() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let narrow = RedisSource {
        waiting_max: 10,
        ..channels(&broker, &["c"], &[])
    };
    let running = run(&station, Some(narrow), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let mut burst = redis::pipe();
    for number in 0..5_000 {
        burst.cmd("PUBLISH").arg("c").arg(v5("a", number)).ignore();
    }
    let () = burst.query_async(&mut client.0.clone()).await.expect("published");
    let lost = wait_for("the gap", async || {
        let gaps = station.stored("type:kymo.bridge.gap").await;
        let lost: u64 = gaps.iter().filter_map(|gap| gap["data"]["lost"].as_u64()).sum();
        let kept = station.stored("type:a").await.len() as u64;
        (lost + kept == 5_000).then_some(lost)
    })
    .await;
    assert!(lost > 0);
    running.stop().await;
}
