//! Those who only emit are served by an event loop of their own: nobody notices but by the clock.
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    PATIENCE,
    http::{self, Answer},
    server::{Running, data_of},
    soon,
    ws::Ws,
};

/// How often a server asks whether a silent client is there.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How many connections are in the lane.
async fn seated(server: &Running) -> u64 {
    let metrics = server.get("/metrics").await.text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("kymo_open{kind=\"lane\"} "));
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
    for number in 1..=200 {
        let events = match number % 10 {
            0 => json!([{"type":"a.b","data":number,"id":format!("i{number}")}]),
            5 => json!([{"type":"a.b","data":number},{"data":"no type"}]),
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
    assert_eq!(refused, 20);
    assert_eq!(seated(&server).await, 1, "what is seldom apart stays");
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

/// Sends emits in one go, and waits for all their answers: less long than until the next ping, which would wake a socket
/// that fell asleep beside what it was sent.
async fn all_at_once(client: &mut Ws, emits: impl Iterator<Item = (usize, Value)>) {
    let mut sent = 0;
    for (reference, events) in emits {
        let message = json!({"op":"emit","ref":reference,"events":events}).to_string();
        client.stream.feed(message.into()).await.expect("it is taken");
        sent += 1;
    }
    client.stream.flush().await.expect("it is sent");
    let answers = async {
        for _ in 0..sent {
            assert_eq!(client.op("ack").await["accepted"], 1);
        }
    };
    let in_time = tokio::time::timeout(PING_EVERY / 2, answers).await;
    in_time.expect("a socket sleeps beside what it was sent");
}

#[tokio::test]
async fn what_comes_at_once_is_answered_to_its_end() {
    let server = Running::start().await;
    for _ in 0..4 {
        let mut client = Ws::connect(&server).await;
        emit_and_wait(&mut client, 0).await;
        all_at_once(
            &mut client,
            (1..=600).map(|number| (number, json!([{"type":"a"}]))),
        )
        .await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_large_message_behind_a_small_one_is_answered_too() {
    let server = Running::start().await;
    for size in [20_000, 70_000, 150_000, 400_000] {
        let mut client = Ws::connect(&server).await;
        emit_and_wait(&mut client, 0).await;
        let large = json!([{"type":"a.b","ext":{"note":"x".repeat(size)}}]);
        let emits = [
            (1, json!([{"type":"a.b"}])),
            (2, large),
            (3, json!([{"type":"a.b"}])),
        ];
        all_at_once(&mut client, emits.into_iter()).await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_refused_subscription_does_not_silence_what_follows() {
    let server = Running::start().await;
    let emitter = server.make_token("lone", &["emit"], &[]).await;
    let mut client = Ws::connect_as(&server, &emitter).await;
    emit_and_wait(&mut client, 0).await;
    until_seated(&server, 1).await;
    emit(&mut client, 1, json!([{"type":"a.b","data":1}])).await;
    client.send(&json!({"op":"subscribe","sub":"s"})).await;
    emit(&mut client, 2, json!([{"type":"a.b","data":2}])).await;
    assert_eq!(client.op("ack").await["ref"], 1);
    assert_eq!(client.refusal().await["code"], "forbidden");
    assert_eq!(client.op("ack").await["ref"], 2);
    server.end().await;
}

/// An event with an id.
fn named(number: usize) -> Value {
    json!({"type":"a.b","data":number,"id":format!("i{number}")})
}

#[tokio::test]
async fn who_always_sends_ids_stays_in_the_lane_and_repeats_are_known_there() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let mut poster = Poster::connect(&server).await;
    for number in 0..30 {
        emit(&mut client, number, json!([named(number)])).await;
        assert_eq!(client.op("ack").await["first"], number * 2 + 1);
        let posted = poster.post(&named(number + 30).to_string()).await.json();
        assert_eq!(posted["first"], number * 2 + 2);
    }
    until_seated(&server, 2).await;
    for number in 0..30 {
        let known = poster.post(&named(number).to_string()).await;
        let expected = json!([{"index":0,"seq":number * 2 + 1}]);
        assert_eq!((known.status, &known.json()["duplicates"]), (200, &expected));
        let with_new = json!([named(number + 60), named(number + 30)]);
        emit(&mut client, number, with_new).await;
        let ack = client.op("ack").await;
        let expected = json!([{"index":1,"seq":number * 2 + 2}]);
        assert_eq!(
            (&ack["accepted"], &ack["duplicates"]),
            (&json!(1), &expected),
            "{ack}"
        );
    }
    assert_eq!(seated(&server).await, 2);
    assert_eq!(data(&server).await.len(), 90);
    server.end().await;
}

/// Emits events with these ids one by one: the seq that each was told.
async fn told_by_socket(mut client: Ws, ids: impl Iterator<Item = usize>) -> Vec<(usize, u64)> {
    let mut told = Vec::new();
    for id in ids {
        emit(&mut client, id, json!([named(id)])).await;
        told.push((id, seq_told(&client.op("ack").await)));
    }
    told
}

fn seq_told(receipt: &Value) -> u64 {
    let seq = match receipt["accepted"].as_u64() {
        Some(1) => &receipt["first"],
        _ => &receipt["duplicates"][0]["seq"],
    };
    seq.as_u64().unwrap_or_else(|| panic!("no seq: {receipt}"))
}

#[tokio::test]
async fn the_same_events_from_many_at_once_in_the_lane_and_beside_it_are_stored_once() {
    const IDS: usize = 60;
    let server = Running::start().await;
    // Every emitter has the same events, and begins elsewhere.
    let ids = |emitter: usize| (0..IDS).map(move |number| (number + emitter * 7) % IDS);
    let sockets = (0..12).map(|emitter| {
        let server = &server;
        async move {
            let mut client = Ws::connect(server).await;
            if emitter % 3 == 0 {
                // A reader is not served in the lane.
                client
                    .send(&json!({"op":"subscribe","sub":"s","filter":"type:nothing"}))
                    .await;
                client.op("subscribed").await;
            }
            told_by_socket(client, ids(emitter)).await
        }
    });
    let posters = (0..6).map(|emitter| {
        let server = &server;
        async move {
            let (mut poster, mut told) = (Poster::connect(server).await, Vec::new());
            for id in ids(emitter) {
                let answer = poster.post(&named(id).to_string()).await;
                told.push((id, seq_told(&answer.json())));
            }
            told
        }
    });
    let (by_socket, by_post) = tokio::join!(
        futures_util::future::join_all(sockets),
        futures_util::future::join_all(posters)
    );
    let stored = data(&server).await;
    assert_eq!(stored.len(), IDS);
    for (id, seq) in [by_socket, by_post].concat().concat() {
        let at = usize::try_from(seq).expect("small") - 1;
        assert_eq!(stored[at], id.to_string(), "at {seq}");
    }
    server.end().await;
}

/// A connection that posts and is kept.
struct Poster {
    stream: TcpStream,
    token: String,
    addr: std::net::SocketAddr,
    // What came and is no whole answer yet.
    come: Vec<u8>,
}

impl Poster {
    async fn connect(server: &Running) -> Self {
        Self {
            stream: TcpStream::connect(server.addr).await.expect("the server listens"),
            token: server.token.clone(),
            addr: server.addr,
            come: Vec::new(),
        }
    }

    /// The next answer, which says how long it is.
    async fn answer(&mut self) -> Answer {
        loop {
            let head = self.come.windows(4).position(|four| four == b"\r\n\r\n");
            let length = head.map(|head| {
                let answer = http::parse(&self.come[..head + 4]);
                let length = answer.header("content-length").expect("it says how long it is");
                head + 4 + length.parse::<usize>().expect("a number")
            });
            if let Some(length) = length.filter(|length| *length <= self.come.len()) {
                let rest = self.come.split_off(length);
                return http::parse(&std::mem::replace(&mut self.come, rest));
            }
            let read = soon(self.stream.read_buf(&mut self.come)).await;
            assert!(read.expect("it is read") > 0, "the connection ended");
        }
    }

    fn request(&self, first: &str, body: &str) -> Vec<u8> {
        let (addr, token, length) = (self.addr, &self.token, body.len());
        format!("{first} HTTP/1.1\r\nhost: {addr}\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}").into()
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it is sent");
    }

    async fn post(&mut self, body: &str) -> Answer {
        let request = self.request("POST /api/v1/events", body);
        self.send(&request).await;
        self.answer().await
    }
}

fn event(number: usize) -> String {
    format!(r#"{{"type":"a.b","data":{number}}}"#)
}

#[tokio::test]
async fn who_posts_one_event_after_the_other_is_seated_and_each_post_is_answered() {
    let server = Running::start().await;
    let mut client = Poster::connect(&server).await;
    for number in 1..=20 {
        let answer = client.post(&event(number)).await;
        let receipt = answer.json();
        assert_eq!(answer.status, 200, "{receipt}");
        assert_eq!(
            (&receipt["accepted"], &receipt["first"]),
            (&json!(1), &json!(number))
        );
    }
    until_seated(&server, 1).await;
    drop(client);
    until_seated(&server, 0).await;
    server.end().await;
}

#[tokio::test]
async fn whatever_a_poster_sends_next_is_answered_on_the_same_connection() {
    let server = Running::start().await;
    let mut client = Poster::connect(&server).await;
    for number in 1..=2 {
        assert_eq!(client.post(&event(number)).await.status, 200);
    }
    until_seated(&server, 1).await;
    // Repeats are known in the lane, and what is refused is left to others there.
    let with_id = r#"{"type":"a.b","id":"1","data":3}"#;
    assert_eq!(client.post(with_id).await.json()["accepted"], 1);
    assert_eq!(
        client.post(with_id).await.json()["duplicates"],
        json!([{"index":0,"seq":3}])
    );
    assert_eq!(client.post("{}").await.rejected(), ["type_missing"]);
    assert_eq!(client.post("{").await.rejected(), ["invalid_json"]);
    // Two at once.
    let two = [4, 5].map(|number| client.request("POST /api/v1/events", &event(number)));
    client.send(&two.concat()).await;
    for _ in 0..2 {
        assert_eq!(client.answer().await.json()["accepted"], 1);
    }
    assert_eq!(seated(&server).await, 1);
    // A large body, in two pieces, and then something that is no emit at all.
    let large = format!(
        r#"{{"type":"a.b","data":6,"ext":{{"note":"{}"}}}}"#,
        "x".repeat(200_000)
    );
    let request = client.request("POST /api/v1/events", &large);
    let (begin, rest) = request.split_at(100_000);
    client.send(begin).await;
    until_seated(&server, 0).await;
    client.send(rest).await;
    assert_eq!(client.answer().await.json()["accepted"], 1);
    assert_eq!(client.post(&event(7)).await.json()["accepted"], 1);
    let status = client.request("GET /api/v1/status", "");
    client.send(&status).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(
        seated(&server).await,
        0,
        "it sent much, and stays with the others"
    );
    let expected: Vec<_> = (1..=7).map(|number| number.to_string()).collect();
    assert_eq!(data(&server).await, expected);
    server.end().await;
}

#[tokio::test]
async fn who_posts_nothing_for_a_while_makes_room_and_may_come_again() {
    let server = Running::start().await;
    let mut client = Poster::connect(&server).await;
    for round in 1..=2 {
        assert_eq!(client.post(&event(round)).await.json()["first"], json!(round));
        until_seated(&server, 1).await;
        until_seated(&server, 0).await;
    }
    assert_eq!(client.post(&event(3)).await.json()["first"], 3);
    server.end().await;
}

#[tokio::test]
async fn a_poster_in_the_lane_may_ask_for_something_else_at_once() {
    let server = Running::start().await;
    let mut client = Poster::connect(&server).await;
    assert_eq!(client.post(&event(1)).await.status, 200);
    until_seated(&server, 1).await;
    let both = [
        client.request("POST /api/v1/events", &event(2)),
        client.request("GET /api/v1/status", ""),
    ];
    client.send(&both.concat()).await;
    assert_eq!(client.answer().await.json()["first"], 2);
    let status = client.answer().await;
    assert_eq!((status.status, status.json()["head"].as_u64()), (200, Some(2)));
    until_seated(&server, 0).await;
    server.end().await;
}

#[tokio::test]
async fn a_token_that_is_revoked_is_refused_in_the_lane_as_well() {
    let server = Running::start().await;
    let mut client = Poster::connect(&server).await;
    client.token = server.make_token("lone", &["emit"], &[]).await;
    assert_eq!(client.post(&event(1)).await.status, 200);
    until_seated(&server, 1).await;
    let revoked = server.ask("DELETE", "/api/v1/tokens/lone", &[], b"").await;
    assert!(revoked.status < 300, "{}", revoked.text());
    let refused = client.post(&event(2)).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "unauthorized"));
    server.end().await;
}
