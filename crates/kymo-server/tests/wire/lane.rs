//! Those who only emit are served by an event loop of their own: nobody notices but by the clock.
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    server::{Running, data_of},
    ws::Ws,
};

/// How many WebSockets are in the lane.
async fn seated(server: &Running) -> u64 {
    let metrics = server.get("/metrics").await.text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("kymo_open{kind=\"websocket_lane\"} "));
    line.expect("the lane is counted").parse().expect("a number")
}

/// Waits until so many are.
async fn until_seated(server: &Running, count: u64) {
    let all = async {
        while seated(server).await != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    in_time.unwrap_or_else(|_| panic!("{count} are never in the lane"));
}

async fn emit(client: &mut Ws, reference: usize, events: Value) {
    client
        .send(&json!({"op":"emit","ref":reference,"events":events}))
        .await;
}

async fn emit_and_wait(client: &mut Ws, number: usize) -> Value {
    emit(client, number, json!([{"type":"a.b","data":number}])).await;
    let ack = client.op("ack").await;
    assert_eq!(ack["ref"], json!(number), "{ack}");
    ack
}

async fn data(server: &Running) -> Vec<String> {
    server
        .lines("type:a.*")
        .await
        .iter()
        .map(|line| data_of(line))
        .collect()
}

#[tokio::test]
async fn who_only_emits_is_seated_and_each_emit_is_answered() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    for number in 1..=20 {
        let ack = emit_and_wait(&mut client, number).await;
        assert_eq!(
            (&ack["accepted"], &ack["first"], &ack["last"]),
            (&json!(1), &json!(number), &json!(number))
        );
        assert_eq!(
            (&ack["durability"], &ack["rejected"]),
            (&json!("fsync"), &json!([]))
        );
    }
    until_seated(&server, 1).await;
    drop(client);
    until_seated(&server, 0).await;
    server.end().await;
}

#[tokio::test]
async fn what_one_client_sends_without_waiting_is_stored_in_its_order_whatever_it_is() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    emit_and_wait(&mut client, 0).await;
    until_seated(&server, 1).await;
    let large = "x".repeat(20_000);
    for number in 1..=200 {
        let events = match number % 5 {
            0 => json!([{"type":"a.b","data":number,"id":format!("i{number}")}]),
            1 => json!([{"type":"a.b","data":number,"ext":{"note":large}}]),
            2 => json!([{"type":"a.b","data":number},{"data":"no type"}]),
            _ => json!([{"type":"a.b","data":number}]),
        };
        emit(&mut client, number, events).await;
    }
    let mut refused = 0;
    for _ in 1..=200 {
        let ack = client.op("ack").await;
        assert_eq!(ack["accepted"], 1, "{ack}");
        refused += ack["rejected"].as_array().expect("a list").len();
    }
    assert_eq!(refused, 40);
    let expected: Vec<_> = (0..=200).map(|number| number.to_string()).collect();
    assert_eq!(data(&server).await, expected);
    server.end().await;
}

#[tokio::test]
async fn who_begins_to_read_leaves_the_lane_and_misses_nothing() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    for number in 1..=5 {
        emit_and_wait(&mut client, number).await;
    }
    until_seated(&server, 1).await;
    // All at once: what is joined already is answered where it is, and what follows is heard elsewhere.
    emit(&mut client, 6, json!([{"type":"a.b","data":6}])).await;
    client
        .send(&json!({"op":"subscribe","sub":"s","from":"start","filter":"type:a.*"}))
        .await;
    emit(&mut client, 7, json!([{"type":"a.b","data":7}])).await;
    client.send(&json!({"op":"ping","ref":"p"})).await;
    let (mut seen, mut acks) = (Vec::new(), 0);
    while seen.len() < 7 || acks < 2 {
        let message = client.json().await;
        assert_ne!(message["op"], "error", "{message}");
        acks += usize::from(message["op"] == "ack");
        let events = message["events"].as_array().into_iter().flatten();
        seen.extend(events.map(|event| event["data"].clone()));
    }
    assert_eq!(seen, (1..=7).map(|number| json!(number)).collect::<Vec<_>>());
    until_seated(&server, 0).await;
    emit(&mut client, 8, json!([{"type":"a.b","data":8}])).await;
    client.op("ack").await;
    assert_eq!(seated(&server).await, 0, "a reader stays with the others");
    server.end().await;
}

#[tokio::test]
async fn a_large_message_ends_the_stay_in_the_lane() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    emit_and_wait(&mut client, 1).await;
    until_seated(&server, 1).await;
    let large = "x".repeat(300_000);
    emit(
        &mut client,
        2,
        json!([{"type":"a.b","data":2,"ext":{"note":large}}]),
    )
    .await;
    assert_eq!(client.op("ack").await["accepted"], 1);
    until_seated(&server, 0).await;
    emit_and_wait(&mut client, 3).await;
    assert_eq!(data(&server).await, ["1", "2", "3"]);
    server.end().await;
}

#[tokio::test]
async fn more_than_there_are_seats_are_served_all_the_same() {
    let server = Running::start().await;
    let clients = (0..300).map(|client| {
        let server = &server;
        async move {
            let mut socket = Ws::connect(server).await;
            let mut seqs = Vec::new();
            for number in 0..5 {
                let ack = emit_and_wait(&mut socket, client * 5 + number).await;
                seqs.push(ack["first"].as_u64().expect("a seq"));
            }
            assert!(seqs.is_sorted(), "{seqs:?}");
            (socket, seqs)
        }
    });
    let (sockets, seqs): (Vec<_>, Vec<_>) = futures_util::future::join_all(clients).await.into_iter().unzip();
    assert!(seated(&server).await > 0);
    let mut seqs = seqs.concat();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=1500).collect::<Vec<_>>());
    drop(sockets);
    server.end().await;
}

#[tokio::test]
async fn a_server_that_ends_answers_what_was_joined() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    emit_and_wait(&mut client, 0).await;
    until_seated(&server, 1).await;
    for number in 1..=50 {
        emit(&mut client, number, json!([{"type":"a.b","data":number}])).await;
    }
    assert_eq!(client.op("ack").await["ref"], json!(1));
    server.ask_to_end();
    let mut acked = 1;
    while let Some(message) = client.message().await {
        let text = message.to_text().unwrap_or_default();
        acked += usize::from(text.starts_with(r#"{"op":"ack""#));
    }
    let server = server.restart().await;
    let stored = data(&server).await;
    assert!(
        stored.len() > acked,
        "{acked} were acknowledged, {} are there",
        stored.len()
    );
    let expected: Vec<_> = (0..stored.len()).map(|number| number.to_string()).collect();
    assert_eq!(stored, expected);
    server.end().await;
}
