//! The conductor's door: history, live events, metrics, what clients send, and what they may not.
use std::{net::SocketAddr, time::Duration};

use kymo_event::Event;
use kymo_ledger::LedgerSettings;
use kymo_server::{Anonymous, ConductorSettings};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::support::{
    http,
    server::{Choices, Running},
    soon,
    ws::Ws,
};

fn choices(change: impl FnOnce(&mut ConductorSettings)) -> Choices {
    let mut choices = Choices::default();
    choices.server.doors.conductor = ConductorSettings {
        enabled: true,
        anonymous: Anonymous::ReadAndEmit,
        metrics_ms: 60_000,
        ..ConductorSettings::default()
    };
    change(&mut choices.server.doors.conductor);
    choices
}

async fn open_server() -> Running {
    Running::with(choices(|_| {})).await
}

async fn connect(server: &Running, query: &str) -> Ws {
    dial(server.addr, &format!("/conductor?{query}"), &[])
        .await
        .expect("it is let in")
}

async fn dial(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Ws, Box<Error>> {
    Ws::at(addr, path, headers).await
}

/// Status and code of the refusal.
async fn refused(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    match dial(addr, path, headers).await.map(drop).map_err(|error| *error) {
        Err(Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let code = body["error"]["code"].as_str().unwrap_or_default().to_owned();
            (answer.status().as_u16(), code)
        }
        other => panic!("{path} was not refused: {other:?}"),
    }
}

/// The next message of this type, passing over metrics and words on who is slow.
async fn next(client: &mut Ws, kind: &str) -> Value {
    loop {
        let message = client.json().await;
        if message["type"] == kind {
            return message;
        }
        let aside = ["metrics", "fell_behind"].map(Value::from);
        assert!(aside.contains(&message["type"]), "waiting for {kind}: {message}");
    }
}

/// What the events carry.
fn payloads(events: &Value) -> Vec<u64> {
    let events = events.as_array().expect("events").iter();
    events
        .map(|event| event["payload"].as_u64().expect("a number"))
        .collect()
}

async fn history(client: &mut Ws) -> Vec<u64> {
    payloads(&next(client, "history").await["events"])
}

async fn live(client: &mut Ws, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(
            next(client, "event").await["event"]["payload"]
                .as_u64()
                .expect("a number"),
        );
    }
    seen
}

async fn code(client: &mut Ws) -> String {
    let error = next(client, "error").await;
    error["error"]["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn the_history_comes_first_and_then_each_event_once() {
    let server = open_server().await;
    server.emit_many("a", 30).await;
    let mut client = connect(&server, "channel=global&userId=u").await;
    assert_eq!(history(&mut client).await, (1..=30).collect::<Vec<_>>());
    server.emit_many("b", 500).await;
    assert_eq!(live(&mut client, 500).await, (1..=500).collect::<Vec<_>>());
    server.end().await;
}

#[tokio::test]
async fn the_history_is_the_newest_of_a_while_and_in_order() {
    let server = Running::with(choices(|door| door.history_max = 20)).await;
    server.emit_many("a", 100).await;
    let mut client = connect(&server, "").await;
    assert_eq!(history(&mut client).await, (81..=100).collect::<Vec<_>>());
    server.end().await;
    let server = Running::with(choices(|door| door.history_s = 0)).await;
    server.emit_many("a", 3).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let mut client = connect(&server, "").await;
    assert_eq!(history(&mut client).await, [0; 0]);
    server.emit_many("b", 2).await;
    assert_eq!(live(&mut client, 2).await, [1, 2]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_history_and_live_nothing_is_missing_and_nothing_comes_twice() {
    let server = open_server().await;
    let emitting = async {
        for n in 0..200_u64 {
            let events: Vec<_> = (0..5)
                .map(|k| json!({ "type": "a", "source": "s", "data": n * 5 + k }))
                .collect();
            server.emit(json!(events).to_string()).await;
        }
    };
    let reading = async {
        for _ in 0..20 {
            let mut client = connect(&server, "channel=s").await;
            let mut seen = history(&mut client).await;
            let from = seen.first().copied();
            let more = live(&mut client, 20).await;
            seen.extend(&more);
            let from = from.unwrap_or(more[0]);
            assert_eq!(seen, (from..from + seen.len() as u64).collect::<Vec<_>>());
            if more[19] >= 900 {
                return;
            }
        }
    };
    tokio::join!(emitting, reading);
    server.end().await;
}

#[tokio::test]
async fn channels_are_a_union_and_kymos_own_events_are_left_out() {
    let server = open_server().await;
    let event =
        |n: u64, source: &str, tier: &str| json!({ "type": "a", "source": source, "tier": tier, "data": n });
    let all = json!([
        event(1, "memory", "gold"),
        event(2, "deploy", "silver"),
        event(3, "deploy", "gold"),
        event(4, "pathways", "bronze")
    ]);
    server.emit(all.to_string()).await;
    server.hub.note(Event::new("kymo.client.connected", "kymo"));
    let own = async { while server.lines("type:kymo.*").await.is_empty() {} };
    soon(own).await;
    for (query, expected) in [
        ("channel=memory,tier:silver", vec![1, 2]),
        ("channel=global,memory", vec![1, 2, 3, 4]),
        ("channel=deploy&channel=pathways", vec![2, 3, 4]),
        ("channel=nobody", vec![]),
        ("channel=deploy&filter=tier:gold", vec![3]),
        ("", vec![1, 2, 3, 4]),
    ] {
        let mut client = connect(&server, query).await;
        assert_eq!(history(&mut client).await, expected, "{query}");
    }
    server.end().await;
}

#[tokio::test]
async fn metrics_have_the_seeds_names_and_say_how_it_is() {
    let server = Running::with(choices(|door| door.metrics_ms = 100)).await;
    let mut client = connect(&server, "channel=a,b").await;
    let mut other = connect(&server, "channel=b").await;
    let told = json!({ "type": "agent-state", "agentId": "memory-1", "state": { "status": "processing" } });
    other.send(&told).await;
    let expected = json!({
        "totalEvents": 1, "activeConnections": 2, "channelsActive": 2, "agentStates": 1, "historySize": 1,
    });
    loop {
        let message = client.json().await;
        if message["metrics"] == expected {
            break;
        }
    }
    drop(other);
    loop {
        let message = client.json().await;
        if message["metrics"]["activeConnections"] == 1 && message["metrics"]["channelsActive"] == 2 {
            break;
        }
    }
    let status = server.get("/api/v1/status").await.json();
    assert_eq!(status["doors"]["conductor"]["clients"], 1);
    server.end().await;
}

#[tokio::test]
async fn what_a_client_sends_is_an_event_of_the_ledger_in_either_contract() {
    let server = open_server().await;
    let mut client = connect(&server, "userId=egor").await;
    next(&mut client, "history").await;
    let first = json!({ "type": "client-event", "event": { "type": "node-created", "source": "memory", "payload": { "seq": 9, "type": "evil" } } });
    let later = json!({ "type": "client-event", "ref": "r1", "event": {
        "id": "c-1", "type": "provenance", "agent": "weaver", "capsuleId": "cap-7", "payload": [1, 2],
        "timestamp": 1_771_095_683_456_u64, "severity": "warning", "provenanceTier": "silver",
    } });
    client.send(&first).await;
    client.send(&later).await;
    let event = next(&mut client, "event").await["event"].take();
    assert_eq!(
        (&event["type"], &event["source"]),
        (&json!("node-created"), &json!("memory"))
    );
    assert_eq!(
        (&event["userId"], &event["payload"]["seq"]),
        (&json!("egor"), &json!(9))
    );
    let (id, time) = (&event["id"], &event["timestamp"]);
    assert!(
        id.as_str().is_some_and(|id| id.ends_with(":1")) && time.is_number(),
        "it is completed: {event}"
    );
    assert!(!server.lines("type:node-created").await[0].contains("\"ext\""));
    let (mut acked, mut given) = (None, None);
    while acked.is_none() || given.is_none() {
        let message = client.json().await;
        match message["type"].as_str() {
            Some("ack") => acked = Some(message),
            Some("event") => given = Some(message["event"].clone()),
            _ => {}
        }
    }
    let acked = acked.expect("told above");
    assert_eq!(
        (&acked["ref"], &acked["receipt"]["durability"]),
        (&json!("r1"), &json!("fsync"))
    );
    let mut expected = later["event"].clone();
    expected["userId"] = json!("egor");
    let mut given = given.expect("told above");
    given.as_object_mut().expect("an event").remove("source");
    given.as_object_mut().expect("an event").remove("tier");
    assert_eq!(given, expected);
    // Sent again under its id it is stored once.
    client.send(&later).await;
    assert_eq!(
        next(&mut client, "ack").await["receipt"]["duplicates"][0]["seq"],
        2
    );
    let lines = server.lines("type:provenance").await;
    assert!(
        lines[0].contains("\"level\":\"warn\"") && lines[0].contains("\"agent\":\"weaver\""),
        "{}",
        lines[0]
    );
    server.end().await;
}

#[tokio::test]
async fn two_states_within_a_millisecond_are_two_events_and_the_last_one_counts() {
    let server = open_server().await;
    let mut client = connect(&server, "channel=agent:memory-1").await;
    next(&mut client, "history").await;
    for status in ["processing", "idle"] {
        let event = json!({ "id": "agent-state-1771095683456", "timestamp": 1_771_095_683_456_u64, "source": "conductor",
            "type": "agent-state-changed", "payload": { "agentId": "memory-1", "state": { "status": status } } });
        client
            .send(&json!({ "type": "client-event", "event": event }))
            .await;
        let given = next(&mut client, "event").await;
        assert_eq!(given["event"]["payload"]["state"]["status"], status);
    }
    let agents = server.get("/api/v1/agents").await.json();
    assert_eq!(
        (&agents["agents"][0]["state"], &agents["agents"][0]["events"]),
        (&json!("idle"), &json!(2))
    );
    server.end().await;
}

#[tokio::test]
async fn a_message_that_means_nothing_is_answered_with_a_code_and_the_talk_goes_on() {
    let server = open_server().await;
    let mut bystander = connect(&server, "").await;
    next(&mut bystander, "history").await;
    let mut client = connect(&server, "").await;
    next(&mut client, "history").await;
    let deep = format!(
        "{{\"type\":\"client-event\",\"event\":{{\"type\":\"a\",\"payload\":{}{}}}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let long =
        json!({ "type": "client-event", "event": { "type": "t".repeat(300), "payload": 1 } }).to_string();
    for (text, expected) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("hello", "invalid_json"),
        ("7", "unknown_op"),
        ("[]", "unknown_op"),
        ("{}", "unknown_op"),
        (r#"{"type":"client-evnt","event":{}}"#, "unknown_op"),
        (r#"{"type":"client-event"}"#, "invalid_body"),
        (r#"{"type":"client-event","event":[]}"#, "invalid_body"),
        (r#"{"type":"client-event","event":{}}"#, "type_missing"),
        (
            r#"{"type":"client-event","event":{"type":"kymo.started"}}"#,
            "reserved_type",
        ),
        (r#"{"type":"client-event","event":{"type":7}}"#, "invalid_field"),
        (r#"{"type":"agent-state"}"#, "invalid_body"),
        (r#"{"type":"agent-state","agentId":"","state":1}"#, "invalid_body"),
        (&deep, "too_deep"),
        (&long, "name_too_long"),
    ] {
        client.send_text(text).await;
        assert_eq!(code(&mut client).await, expected, "{text:.80}");
    }
    client.send(&json!({ "type": "nothing", "ref": 5 })).await;
    assert_eq!(next(&mut client, "error").await["ref"], 5);
    client
        .send(&json!({ "type": "client-event", "event": { "type": "a", "payload": 1 } }))
        .await;
    assert_eq!(live(&mut client, 1).await, [1]);
    assert_eq!(live(&mut bystander, 1).await, [1], "others never notice");
    server.end().await;
}

#[tokio::test]
async fn frames_that_break_the_rules_end_their_own_conversation_alone() {
    let server = Running::with(choices(|door| door.payload_bytes_max = 10_000)).await;
    let mut bystander = connect(&server, "").await;
    next(&mut bystander, "history").await;
    for (frame, expected) in [
        (
            Frame::message("x".repeat(20_000), OpCode::Data(Data::Text), true),
            1009,
        ),
        (
            Frame::message(&b"\x00\x01"[..], OpCode::Data(Data::Binary), true),
            1003,
        ),
        (
            Frame::message(&b"\xff\xfe"[..], OpCode::Data(Data::Text), true),
            1007,
        ),
        (Frame::message("x", OpCode::Data(Data::Continue), true), 1002),
    ] {
        let mut client = connect(&server, "").await;
        next(&mut client, "history").await;
        client.send_frame(frame).await;
        assert_eq!(u16::from(client.closed().await.code), expected);
    }
    server.emit_many("a", 1).await;
    assert_eq!(live(&mut bystander, 1).await, [1]);
    server.end().await;
}

#[tokio::test]
async fn who_cannot_be_let_in_is_told_why() {
    let server = Running::with(choices(|door| {
        door.anonymous = Anonymous::Read;
        door.clients_max = 2;
    }))
    .await;
    let many = format!("/conductor?channel={}", vec!["c"; 5_000].join(","));
    for (path, headers, expected) in [
        ("/conductor?channel=agnet:x", &[][..], (400, "invalid_filter")),
        ("/conductor?filter=(", &[], (400, "invalid_filter")),
        (&many, &[], (400, "invalid_parameter")),
        (
            "/conductor",
            &[("authorization", "Bearer kymo_wrong")],
            (401, "unauthorized"),
        ),
        (
            "/conductor",
            &[("origin", "https://evil.example")],
            (403, "bad_origin"),
        ),
        ("/conductor/", &[], (404, "not_found")),
    ] {
        assert_eq!(
            refused(server.addr, path, headers).await,
            (expected.0, expected.1.to_owned()),
            "{path:.60}"
        );
    }
    let plain = http::ask(server.addr, "GET", "/conductor", &[], b"").await;
    assert_eq!(
        (plain.status, &plain.json()["error"]["code"]),
        (426, &json!("upgrade_required"))
    );
    let mut reader = connect(&server, "").await;
    next(&mut reader, "history").await;
    reader
        .send(&json!({ "type": "client-event", "event": { "type": "a", "payload": 1 } }))
        .await;
    assert_eq!(code(&mut reader).await, "forbidden", "strangers may only look");
    let _second = connect(&server, "").await;
    assert_eq!(
        refused(server.addr, "/conductor", &[]).await,
        (429, "busy".to_owned())
    );
    drop(reader);
    let let_in = async {
        while dial(server.addr, "/conductor", &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(let_in).await;
    server.end().await;
    let closed = Running::start().await;
    assert_eq!(
        refused(closed.addr, "/conductor", &[]).await,
        (404, "not_found".to_owned())
    );
    closed.end().await;
    let off = Running::with(choices(|door| door.anonymous = Anonymous::Off)).await;
    assert_eq!(
        refused(off.addr, "/conductor", &[]).await,
        (401, "unauthorized".to_owned())
    );
    off.end().await;
}

#[tokio::test]
async fn a_token_decides_what_may_be_seen_and_sent() {
    let server = Running::with(choices(|door| {
        door.anonymous = Anonymous::Off;
        door.metrics_ms = 100;
    }))
    .await;
    let mine = json!({ "type": "a", "source": "s", "user": "ann", "agent": "x", "data": 1 });
    let other = json!({ "type": "a", "source": "s", "user": "bob", "agent": "y", "data": 2 });
    server.emit(json!([mine, other]).to_string()).await;
    let token = server
        .make_token("ann", &["read", "emit"], &[("user", "ann")])
        .await;
    let bearer = format!("Bearer {token}");
    let mut client = dial(
        server.addr,
        "/conductor?userId=bob",
        &[("authorization", &bearer)],
    )
    .await
    .expect("it is let in");
    assert_eq!(payloads(&next(&mut client, "history").await["events"]), [1]);
    let expected = json!({
        "totalEvents": 1, "activeConnections": 1, "channelsActive": 1, "agentStates": 1, "historySize": 1,
    });
    let asked = async { server.get("/api/v1/agents?min=2").await };
    asked.await;
    loop {
        if client.json().await["metrics"] == expected {
            break;
        }
    }
    client
        .send(&json!({ "type": "client-event", "event": { "type": "b", "payload": 3 } }))
        .await;
    assert_eq!(
        next(&mut client, "event").await["event"]["userId"],
        "ann",
        "whatever the address says"
    );
    client
        .send(&json!({ "type": "client-event", "event": { "type": "b", "userId": "bob", "payload": 3 } }))
        .await;
    assert_eq!(code(&mut client).await, "not_allowed");
    let emitter = server.make_token("e", &["emit"], &[]).await;
    let bearer = format!("Bearer {emitter}");
    let mut emitter = dial(server.addr, "/conductor", &[("authorization", &bearer)])
        .await
        .expect("it is let in");
    emitter
        .send(&json!({ "type": "client-event", "ref": 1, "event": { "type": "c", "payload": 4 } }))
        .await;
    assert_eq!(emitter.json().await["type"], "ack", "it is given no history");
    assert_eq!(
        server.ask("DELETE", "/api/v1/tokens/e", &[], b"").await.status,
        200
    );
    assert_eq!(code(&mut emitter).await, "unauthorized");
    assert_eq!(u16::from(emitter.closed().await.code), 1008);
    server.end().await;
}

#[tokio::test]
async fn on_a_port_of_its_own_there_is_the_door_and_nothing_else() {
    let server = Running::with(choices(|door| {
        door.listen = Some(([127, 0, 0, 1], 0).into());
        door.origins = vec!["https://eco.example".into()];
    }))
    .await;
    let addr = server.conductor_addr.expect("a port of its own");
    server.emit_many("a", 2).await;
    for path in [
        "/?channel=global",
        "/conductor?channel=global",
        "/whatever?channel=test",
    ] {
        let mut client = dial(addr, path, &[("origin", "https://eco.example")])
            .await
            .expect(path);
        assert_eq!(history(&mut client).await, [1, 2], "{path}");
    }
    assert_eq!(
        refused(addr, "/", &[("origin", "https://evil.example")]).await,
        (403, "bad_origin".to_owned())
    );
    let answer = http::ask(addr, "GET", "/api/v1/events", &[], b"").await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (426, &json!("upgrade_required"))
    );
    server.end().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_holds_nobody_up_and_misses_nothing() {
    let mut choices = choices(|_| {});
    choices.hub.ring_bytes_max = 64 << 10;
    let server = Running::with(choices).await;
    let mut slow = connect(&server, "channel=unknown").await;
    assert_eq!(history(&mut slow).await, [0; 0]);
    let mut quick = connect(&server, "channel=quick").await;
    next(&mut quick, "history").await;
    let last = server.emit_a_long_past().await;
    server
        .emit(json!({ "type": "q", "source": "quick", "data": 1 }).to_string())
        .await;
    assert_eq!(live(&mut quick, 1).await, [1]);
    let mut seen = 0;
    while seen < last {
        let message = slow.json().await;
        match message["type"].as_str() {
            Some("event") => {
                let n = message["event"]["payload"][0].as_u64().expect("a number");
                assert_eq!(n, seen % 1_000, "in order, none missing");
                seen += 1;
            }
            Some("fell_behind" | "metrics") => {}
            _ => panic!("{message}"),
        }
    }
    server.end().await;
}

#[tokio::test]
async fn at_the_end_of_the_server_clients_are_told() {
    let server = open_server().await;
    let mut client = connect(&server, "").await;
    next(&mut client, "history").await;
    server.emit_many("a", 3).await;
    server.ask_to_end();
    let mut seen = 0;
    let frame = loop {
        match client.message().await {
            Some(Message::Text(text)) => seen += usize::from(text.contains("\"type\":\"event\"")),
            Some(Message::Close(frame)) => break frame.expect("a reason"),
            Some(_) => {}
            None => panic!("no goodbye"),
        }
    };
    assert_eq!((u16::from(frame.code), seen), (1001, 3));
    server.end().await;
}

#[tokio::test]
async fn what_is_gone_is_named() {
    let mut choices = choices(|_| {});
    choices.hub.ring_bytes_max = 64 << 10;
    choices.ledger = LedgerSettings {
        segment_bytes_max: 256 << 10,
        retain_bytes: Some(1 << 20),
        ..LedgerSettings::default()
    };
    let server = Running::with(choices).await;
    let mut slow = connect(&server, "channel=unknown").await;
    next(&mut slow, "history").await;
    server.emit_a_long_past().await;
    let first = server.tidy_up().await;
    let gap = loop {
        let message = slow.json().await;
        if message["type"] == "gap" {
            break message;
        }
    };
    assert_eq!(gap["reason"], "retention");
    assert!(gap["first"].as_u64().expect("a seq") >= first);
    server.end().await;
}
