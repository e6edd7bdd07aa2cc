//! A source from streams: each entry once, whatever happens to the server, the group, the stream, or to us.

use kymo_connect::{RedisSource, sink::Begin};
use kymo_hub::{BridgeState, Direction};

use super::{add_surely, run, source, v5};
use crate::{
    redis_server::Server,
    rig::{Station, wait_for},
    running::{events, fails, info, is, stored},
};

#[tokio::test]
async fn what_v5_adds_is_stored_as_what_it_is_and_what_is_no_event_is_kept() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(source(&broker, "v5:stream")), None);
    client.add("v5:stream", "*", v5("state.mood", 1)).await;
    let binary: &[u8] = &[0xff, 0, 0x80];
    for odd in [b"hello, no JSON".as_slice(), br#"{"a":1}"#, b"[1,2]", binary, b""] {
        client.add("v5:stream", "*", odd).await;
    }
    let id: String = client.run("XADD v5:stream * type task.started source ci").await;
    let () = client.run("XADD other * event {}").await;
    let kept = events(&station, "-source:kymo", 7).await;
    let kinds: Vec<_> = kept
        .iter()
        .map(|event| event["type"].as_str().expect("text"))
        .collect();
    assert_eq!(kinds[0], "state.mood");
    assert_eq!(kinds[1..6], ["unrecognised"; 5]);
    assert_eq!((kinds[6], &kept[6]["source"]), ("task.started", &"ci".into()));
    assert!(
        kept[6]["id"]
            .as_str()
            .expect("an id")
            .starts_with(&format!("v5:stream:{id}:"))
    );
    assert_eq!(
        (&kept[0]["dialect"], &kept[0]["source"]),
        (&"broadcast".into(), &"redis".into())
    );
    assert_eq!(kept[0]["ext"]["kymo"]["subject"], "v5:stream");
    assert_eq!(kept[0]["ext"]["kymo"]["via"], broker.url());
    assert_eq!(
        (&kept[1]["data"], &kept[2]["data"]["a"]),
        (&"hello, no JSON".into(), &1.into())
    );
    assert_eq!(kept[4]["data"]["base64"], "/wCA");
    running.stop().await;
    let info = info(&station, Direction::Source).expect("there");
    assert_eq!(
        (info.counts.events, info.counts.unrecognised, info.counts.refused),
        (7, 5, 0)
    );
    assert_eq!(station.stored("-source:kymo").await.len(), 7);
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_stored_twice_while_the_server_is_killed_under_load() {
    let Some(mut broker) = Server::start() else { return };
    let station = Station::new();
    let running = run(&station, Some(source(&broker, "s")), None);
    let adding = tokio::spawn(add_surely(broker.url(), "s", 0..3_000));
    for round in 1..4 {
        stored(&station, "type:a", round * 300).await;
        broker.kill();
        is(&station, Direction::Source, BridgeState::Waiting).await;
        assert!(broker.up());
        is(&station, Direction::Source, BridgeState::Connected).await;
    }
    adding.await.expect("added");
    let mut numbers = stored(&station, "type:a", 3_000).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..3_000).collect::<Vec<_>>());
    running.stop().await;
    assert_eq!(station.stored("type:a").await.len(), 3_000);
    assert_eq!(
        station.stored("type:kymo.bridge.gap").await,
        [] as [serde_json::Value; 0]
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_and_followed_again_once_it_answers() {
    let Some(broker) = Server::start() else { return };
    let station = Station::new();
    let running = run(&station, Some(source(&broker, "s")), None);
    add_surely(broker.url(), "s", 0..100).await;
    stored(&station, "type:a", 100).await;
    broker.freeze();
    fails(&station, Direction::Source, "timeout").await;
    broker.thaw();
    add_surely(broker.url(), "s", 100..200).await;
    let numbers = stored(&station, "type:a", 200).await;
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test]
async fn equal_entries_are_as_many_events_and_are_known_when_the_group_is_lost() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    for _ in 0..5 {
        client.add("s", "*", v5("a", 7)).await;
    }
    let grouped = RedisSource {
        group: Some("g".into()),
        ..source(&broker, "s")
    };
    let running = run(&station, Some(grouped), None);
    assert_eq!(stored(&station, "type:a", 5).await, [7; 5]);
    let () = client.run("XGROUP DESTROY s g").await;
    wait_for("the repeats", async || {
        (info(&station, Direction::Source)?.counts.repeats == 5).then_some(())
    })
    .await;
    client.add("s", "*", v5("a", 8)).await;
    stored(&station, "type:a", 6).await;
    running.stop().await;
    assert_eq!(
        station.stored("type:kymo.bridge.gap").await.len(),
        0,
        "nothing was lost"
    );
}

#[tokio::test]
async fn a_stream_made_anew_is_read_from_its_beginning_though_its_ids_went_backwards() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(source(&broker, "s")), None);
    client.add("s", "*", v5("a", 1)).await;
    stored(&station, "type:a", 1).await;
    let () = client.run("FLUSHALL").await;
    client.add("s", "1-1", v5("a", 2)).await;
    client.add("s", "1-2", v5("a", 3)).await;
    assert_eq!(stored(&station, "type:a", 3).await, [1, 2, 3]);
    let () = client.run("FLUSHALL").await;
    // The same place, and something else in it.
    client.add("s", "1-1", v5("a", 4)).await;
    assert_eq!(stored(&station, "type:a", 4).await, [1, 2, 3, 4]);
    let gaps = events(&station, "type:kymo.bridge.gap", 1).await;
    assert_eq!(gaps[0]["data"]["reason"], "stream_gone");
    running.stop().await;
}

#[tokio::test]
async fn what_was_removed_before_it_was_read_is_a_gap_that_says_how_many() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let running = run(&station, Some(source(&broker, "s")), None);
    add_surely(broker.url(), "s", 0..100).await;
    stored(&station, "type:a", 100).await;
    running.stop().await;
    add_surely(broker.url(), "s", 100..300).await;
    let () = client.run("XTRIM s MAXLEN = 50").await;
    let running = run(&station, Some(source(&broker, "s")), None);
    let numbers = stored(&station, "type:a", 150).await;
    assert_eq!(numbers, (0..100).chain(250..300).collect::<Vec<_>>());
    let gaps = events(&station, "type:kymo.bridge.gap", 1).await;
    let data = &gaps[0]["data"];
    assert_eq!(
        (&data["reason"], &data["lost"]),
        (&"removed_from_stream".into(), &150.into())
    );
    assert!(data["from"].as_str() < data["to"].as_str(), "{data}");
    // It is said once.
    running.stop().await;
    let running = run(&station, Some(source(&broker, "s")), None);
    add_surely(broker.url(), "s", 300..301).await;
    stored(&station, "type:a", 151).await;
    running.stop().await;
    assert_eq!(station.stored("type:kymo.bridge.gap").await.len(), 1);
}

#[tokio::test]
async fn entries_given_before_and_not_acknowledged_are_given_again_those_of_dead_consumers_too() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    for number in 0..30 {
        client.add("s", "*", v5("a", number)).await;
    }
    let () = client.run("XGROUP CREATE s g 0").await;
    let _: redis::Value = client.run("XREADGROUP GROUP g us COUNT 10 STREAMS s >").await;
    let _: redis::Value = client.run("XREADGROUP GROUP g dead COUNT 10 STREAMS s >").await;
    let ours = RedisSource {
        group: Some("g".into()),
        consumer: Some("us".into()),
        claim_after_s: 1,
        ..source(&broker, "s")
    };
    let running = run(&station, Some(ours), None);
    let mut numbers = stored(&station, "type:a", 30).await;
    assert_eq!(numbers[..10], (0..10).collect::<Vec<_>>(), "ours come first");
    numbers.sort_unstable();
    assert_eq!(numbers, (0..30).collect::<Vec<_>>());
    wait_for("all of them acknowledged", async || {
        let pending: redis::Value = client.run("XPENDING s g").await;
        let redis::Value::Array(parts) = pending else {
            return None;
        };
        (parts[0] == redis::Value::Int(0)).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_missing_stream_is_said_and_followed_from_its_first_entry_and_holds_up_no_other() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let both = RedisSource {
        streams: Some(vec!["s".into(), "t".into()]),
        begin: Begin::Now,
        ..source(&broker, "s")
    };
    let running = run(&station, Some(both), None);
    let said = fails(&station, Direction::Source, "stream_missing").await;
    assert!(said.contains("has no stream s t"), "{said}");
    is(&station, Direction::Source, BridgeState::Waiting).await;
    client.add("s", "*", v5("a", 1)).await;
    assert_eq!(stored(&station, "type:a", 1).await, [1]);
    is(&station, Direction::Source, BridgeState::Connected).await;
    let said = fails(&station, Direction::Source, "stream_missing").await;
    assert!(said.contains("has no stream t:"), "{said}");
    client.add("t", "*", v5("a", 2)).await;
    assert_eq!(stored(&station, "type:a", 2).await, [1, 2]);
    running.stop().await;
}

#[tokio::test]
async fn a_source_that_shall_begin_now_leaves_out_what_was_there_also_when_its_group_is_lost() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    client.add("s", "*", v5("a", 1)).await;
    let now = RedisSource {
        begin: Begin::Now,
        group: Some("g".into()),
        ..source(&broker, "s")
    };
    let running = run(&station, Some(now.clone()), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    client.add("s", "*", v5("a", 2)).await;
    assert_eq!(stored(&station, "type:a", 1).await, [2]);
    running.stop().await;
    let () = client.run("XGROUP DESTROY s g").await;
    client.add("s", "*", v5("a", 3)).await;
    let running = run(&station, Some(now), None);
    assert_eq!(stored(&station, "type:a", 2).await, [2, 3]);
    running.stop().await;
}

#[tokio::test]
async fn something_else_under_the_name_of_a_stream_is_said() {
    let Some(broker) = Server::start() else { return };
    let (station, client) = (Station::new(), broker.client().await);
    let () = client.run("SET s x").await;
    let running = run(&station, Some(source(&broker, "s")), None);
    let said = fails(&station, Direction::Source, "wrong_type").await;
    assert!(said.contains("something else"), "{said}");
    let () = client.run("DEL s").await;
    client.add("s", "*", v5("a", 1)).await;
    stored(&station, "type:a", 1).await;
    running.stop().await;
}
