//! What clients are given: the newest, then what happens, in order, without gap or repeat; and what they asked for again.
use serde_json::{Value, json};

use crate::support::{
    sio::{self, Poller, Sio, open_server},
    soon,
};

fn range(from: usize, to: usize) -> Vec<Value> {
    (from..=to).map(|n| json!(n)).collect()
}

#[tokio::test]
async fn the_newest_come_first_in_order_and_then_what_happens() {
    let server = open_server().await;
    server.emit_many("a", 120).await;
    let (mut client, _) = Sio::connect(server.addr, &json!({})).await;
    assert_eq!(client.data(50).await, range(71, 120));
    assert_eq!(client.named("caught_up").await, [json!({"cursor":120})]);
    server.emit_many("b", 3).await;
    assert_eq!(client.data(3).await, range(1, 3));
    server.end().await;
}

#[tokio::test]
async fn no_event_is_lost_or_repeated_between_the_newest_and_the_live_ones() {
    let server = open_server().await;
    server.emit_many("a", 10).await;
    let emits = async {
        for _ in 0..40 {
            server.emit_many("b", 5).await;
        }
    };
    let reads = async {
        let mut clients = Vec::new();
        for _ in 0..12 {
            clients.push(
                Sio::connect(server.addr, &json!({"dialect":"kymo","catchup":7}))
                    .await
                    .0,
            );
        }
        for client in &mut clients {
            let mut next = None;
            while next != Some(211) {
                let seq = client.named("event").await[0]["seq"].as_u64().expect("a seq");
                assert!(
                    next.is_none_or(|next| next == seq),
                    "{next:?} was due, {seq} came"
                );
                next = Some(seq + 1);
            }
        }
    };
    tokio::join!(emits, reads);
    server.end().await;
}

#[tokio::test]
async fn catching_up_is_as_long_as_the_settings_or_the_client_want() {
    let server = sio::server(|door| {
        door.anonymous = kymo_server::Anonymous::Read;
        door.catchup = 3;
    })
    .await;
    server.emit_many("a", 10).await;
    for (auth, first) in [
        (json!({}), 8),
        (json!({"catchup":1}), 10),
        (json!({"catchup":1000000}), 1),
    ] {
        let (mut client, _) = Sio::connect(server.addr, &auth).await;
        assert_eq!(client.data(1).await, [first], "{auth}");
    }
    let mut client = Sio::open(server.addr, "&catchup=2").await;
    client.join(&json!({})).await;
    assert_eq!(client.data(2).await, range(9, 10));
    let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    server.emit_many("b", 1).await;
    assert_eq!(client.data(1).await, [1]);
    server.end().await;
}

#[tokio::test]
async fn the_newest_of_a_filter_are_found_however_far_back_they_are() {
    let server = open_server().await;
    server.emit_many("rare", 4).await;
    server.emit_many("load", 5000).await;
    let auth = json!({"filter":"type:rare","catchup":3});
    let (mut client, _) = Sio::connect(server.addr, &auth).await;
    assert_eq!(client.data(3).await, range(2, 4));
    server.end().await;
}

#[tokio::test]
async fn the_newest_are_replayed_in_order_before_the_live_ones_go_on() {
    let server = open_server().await;
    server.emit_many("a", 300).await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    // As the seed's page does it: no answer is asked for.
    client.send("42[\"replay\",{\"count\":100}]").await;
    assert_eq!(client.data(100).await, range(201, 300));
    let answer = client.call("replay", &json!({"count":5})).await;
    assert_eq!(answer, json!({"count":5,"first":296,"last":300}));
    client.send("42[\"replay\"]").await;
    client.send("42[\"replay\",{\"count\":2}]").await;
    let expected = [range(201, 300), range(299, 300)].concat();
    assert_eq!(client.data(102).await, expected);
    server.emit_many("live", 1).await;
    assert_eq!(client.data(1).await, [1]);
    assert_eq!(client.call("replay", &json!({"count":5000})).await["count"], 301);
    assert_eq!(
        client.call("replay", &json!({"count":0})).await,
        json!({"count":0})
    );
    for wrong in [json!({"count":-1}), json!({"count":"x"}), json!({"count":1.5})] {
        let refused = client.call("replay", &wrong).await;
        assert_eq!(refused["error"]["code"], "invalid_parameter", "{wrong}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_replay_ends_where_it_was_asked_for_though_events_come_meanwhile() {
    let server = open_server().await;
    server.emit_many("a", 50).await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    for round in 0..20 {
        client.send("42[\"replay\",{\"count\":10}]").await;
        server.emit_many("live", 3).await;
        let data = client.data(13).await;
        // The live ones may have been stored before the replay was heard: then they are among its newest as well.
        let live = &data[10..];
        assert_eq!(live, range(1, 3), "round {round}: {data:?}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_subscription_changes_without_gap_or_repeat() {
    let server = open_server().await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"filter":"type:a","dialect":"kymo"})).await;
    server
        .emit(r#"[{"type":"a","data":1},{"type":"b","data":2}]"#)
        .await;
    assert_eq!(client.data(1).await, [1]);
    let now = client.call("subscribe", &json!({"filter":"type:b"})).await;
    assert_eq!(
        (&now["filter"], &now["channels"]),
        (&json!("type:b"), &Value::Null)
    );
    server
        .emit(r#"[{"type":"a","data":3},{"type":"b","data":4}]"#)
        .await;
    assert_eq!(client.data(1).await, [4]);
    let past = client
        .call("subscribe", &json!({"channels":["type:a"],"from":"start"}))
        .await;
    assert_eq!(
        (&past["channels"], &past["from"]),
        (&json!(["type:a"]), &json!(1))
    );
    assert_eq!(client.data(2).await, [1, 3]);
    client.call("unsubscribe", &Value::Null).await;
    server.emit(r#"{"type":"a","data":5}"#).await;
    client.call("join", &json!("type:c,agent:x")).await;
    server
        .emit(r#"[{"type":"a","data":6},{"type":"c","data":7},{"type":"d","agent":"x","data":8}]"#)
        .await;
    assert_eq!(client.data(2).await, [7, 8]);
    let left = client.call("leave", &json!(["type:c"])).await;
    assert_eq!(left["channels"], json!(["agent:x"]));
    server
        .emit(r#"[{"type":"c","data":9},{"type":"d","agent":"x","data":10}]"#)
        .await;
    assert_eq!(client.data(1).await, [10]);
    for (name, wish, code) in [
        ("subscribe", json!({"filter":"level:>=loud"}), "invalid_filter"),
        ("subscribe", json!({"fliter":"type:a"}), "invalid_parameter"),
        ("subscribe", json!({"dialect":"klingon"}), "invalid_parameter"),
        ("join", json!("agent:"), "invalid_filter"),
        ("join", json!([]), "invalid_parameter"),
    ] {
        assert_eq!(
            client.call(name, &wish).await["error"]["code"],
            code,
            "{name} {wish}"
        );
    }
    server.emit(r#"{"type":"d","agent":"x","data":11}"#).await;
    assert_eq!(client.data(1).await, [11], "a refusal changes nothing");
    server.end().await;
}

#[tokio::test]
async fn dialects_are_what_is_asked_for() {
    let server = open_server().await;
    server
        .emit(
            r#"{"type":"cycle.start","source":"daemon","time":"2026-02-14T19:01:23.456Z","data":{"day":1}}"#,
        )
        .await;
    let mut client = Sio::open(server.addr, "&dialect=kymo").await;
    client.join(&json!({})).await;
    let event = client.named("event").await;
    assert_eq!(
        (&event[0]["seq"], event.len()),
        (&json!(1), 1),
        "and no offset, unless it is asked for"
    );
    let (mut client, _) = Sio::connect(server.addr, &json!({"dialect":"cloudevents"})).await;
    assert_eq!(client.named("event").await[0]["specversion"], "1.0");
    server.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_no_memory_is_kept_and_misses_nothing() {
    let server = open_server().await;
    let (mut deaf, _) = Sio::connect(server.addr, &json!({"dialect":"kymo","catchup":0})).await;
    let (mut brisk, _) = Sio::connect(server.addr, &json!({"dialect":"kymo","catchup":0})).await;
    let poller = Poller::connect(server.addr, &json!({"dialect":"kymo","catchup":0})).await;
    poller.packets().await;
    let last = soon(server.emit_a_long_past()).await;
    brisk.call("replay", &json!({"count":1})).await;
    let mut seq = 0;
    while seq < last {
        let (name, arguments) = deaf.event().await;
        if name == "event" {
            assert_eq!(arguments[0]["seq"], seq + 1);
            seq += 1;
        }
    }
    let mut polled = 0;
    while polled < last {
        for packet in poller.packets().await {
            if let Some(list) = packet.strip_prefix("42[\"event\",") {
                let event: Value = serde_json::from_str(&list[..list.len() - 1]).expect("JSON");
                assert_eq!(event["seq"], polled + 1);
                polled += 1;
            }
        }
    }
    server.end().await;
}
