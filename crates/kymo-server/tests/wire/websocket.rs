//! WebSocket: framing against a foreign client, and every op.
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::support::{each, http, server::Running, soon, ws::Ws};

fn seqs(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event["seq"].as_u64().expect("a seq"))
        .collect()
}

#[tokio::test]
async fn hello_names_the_protocol_the_ledger_and_the_head() {
    let server = Running::start().await;
    server.emit_many("a", 3).await;
    let bearer = format!("Bearer {}", server.token);
    let mut client = Ws::open(&server, &[("authorization", &bearer)])
        .await
        .expect("an upgrade");
    let hello = client.json().await;
    let status = server.get("/api/v1/status").await.json();
    assert_eq!(
        (&hello["op"], &hello["protocol"], &hello["head"]),
        (&json!("hello"), &json!(1), &json!(3))
    );
    assert_eq!(
        (&hello["ledger"], &hello["version"]),
        (&status["ledger"], &status["version"])
    );
    server.end().await;
}

#[tokio::test]
async fn a_subscriber_gets_the_past_then_the_present_and_is_told_when() {
    let server = Running::start().await;
    server.emit_many("a", 1000).await;
    let mut client = Ws::connect(&server).await;
    let subscribed = client.subscribe("s", "", json!({"seq":11})).await;
    assert_eq!(
        (&subscribed["sub"], &subscribed["from"], &subscribed["head"]),
        (&json!("s"), &json!(11), &json!(1000))
    );
    let feed = subscribed["feed"].clone();
    let past = client.events(990).await;
    assert_eq!(seqs(&past), (11..=1000).collect::<Vec<_>>());
    let caught_up = client.op("caught_up").await;
    assert_eq!((&caught_up["feed"], &caught_up["cursor"]), (&feed, &json!(1000)));
    server.emit_many("b", 2).await;
    let frame = client.op("events").await;
    assert_eq!((&frame["feed"], &frame["cursor"]), (&feed, &json!(1002)));
    assert_eq!(each(&frame["events"], "seq"), [json!(1001), json!(1002)]);
    server.end().await;
}

#[tokio::test]
async fn every_place_to_begin_is_understood() {
    let server = Running::start().await;
    server.emit_many("a", 5).await;
    let mut client = Ws::connect(&server).await;
    let places = [
        (json!("now"), 6),
        (json!("start"), 1),
        (json!({"seq":4}), 4),
        (json!({"ago":"1h"}), 1),
        (json!({"time":"2001-01-01T00:00:00Z"}), 1),
        (json!({"time":"2999-01-01T00:00:00Z"}), 6),
    ];
    for (index, (place, from)) in places.into_iter().enumerate() {
        // Different filters, or they would be one feed.
        let subscribed = client
            .subscribe(&format!("s{index}"), &format!("type:a{index}"), place.clone())
            .await;
        assert_eq!(subscribed["from"], from, "{place}");
    }
    server.end().await;
}

#[tokio::test]
async fn many_subscriptions_share_a_socket_and_the_same_twice_is_refused() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let a = client.subscribe("a", "type:a", json!("now")).await["feed"].clone();
    let b = client.subscribe("b", "type:b", json!("now")).await["feed"].clone();
    assert_ne!(a, b);
    client
        .send(&json!({"op":"subscribe","sub":"c","filter":" type:a ","from":"start"}))
        .await;
    let refused = client.refusal().await;
    assert_eq!(
        (&refused["op"], &refused["sub"], &refused["code"]),
        (&json!("error"), &json!("c"), &json!("already_subscribed"))
    );
    client
        .send(&json!({"op":"subscribe","sub":"a","filter":"type:z"}))
        .await;
    assert_eq!(client.refusal().await["code"], "already_subscribed");
    server.emit(r#"[{"type":"a"},{"type":"b"},{"type":"c"}]"#).await;
    let mut got = Vec::new();
    while got.len() < 2 {
        let message = client.json().await;
        if message["op"] == "events" {
            got.extend(
                each(&message["events"], "type")
                    .into_iter()
                    .map(|kind| (message["feed"].clone(), kind)),
            );
        }
    }
    got.sort_by_key(|(_, kind)| kind.to_string());
    assert_eq!(got, [(a, json!("a")), (b, json!("b"))]);
    client.send(&json!({"op":"unsubscribe","sub":"a"})).await;
    assert_eq!(client.op("unsubscribed").await["sub"], "a");
    client.send(&json!({"op":"unsubscribe","sub":"a"})).await;
    assert_eq!(client.refusal().await["code"], "not_found");
    client.subscribe("a", "type:a", json!({"seq":1})).await;
    assert_eq!(client.events(1).await[0]["type"], "a");
    server.end().await;
}

#[tokio::test]
async fn a_gap_is_told_in_band() {
    let server = Running::start().await;
    server.emit_many("a", 3).await;
    let mut client = Ws::connect(&server).await;
    client.subscribe("ahead", "", json!({"seq":50})).await;
    let gap = client.op("gap").await;
    assert_eq!(
        (&gap["asked"], &gap["reason"]),
        (&json!(50), &json!("ahead_of_ledger"))
    );
    client
        .subscribe("other", "type:a", json!({"seq":2,"ledger":"another"}))
        .await;
    let gap = client.op("gap").await;
    assert_eq!(
        (&gap["asked"], &gap["reason"]),
        (&json!(2), &json!("other_ledger"))
    );
    server.end().await;
}

#[tokio::test]
async fn emits_are_acknowledged_with_their_ref_and_the_answer_of_post() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    client
        .send(&json!({"op":"emit","ref":"r1","events":[{"type":"a"},{"type":""},{"type":"b"}]}))
        .await;
    let ack = client.op("ack").await;
    assert_eq!(
        (&ack["ref"], &ack["accepted"], &ack["first"], &ack["last"]),
        (&json!("r1"), &json!(2), &json!(1), &json!(2))
    );
    assert_eq!(
        (&ack["durability"], &ack["duplicates"]),
        (&json!("fsync"), &json!([]))
    );
    assert_eq!(
        (&ack["rejected"][0]["index"], &ack["rejected"][0]["code"]),
        (&json!(1), &json!("type_missing"))
    );
    client
        .send(&json!({"op":"emit","ref":7,"events":{"type":"alone"}}))
        .await;
    assert_eq!(client.op("ack").await["ref"], 7);
    client.send(&json!({"op":"emit","events":[{"type":"c"}]})).await;
    assert_eq!(client.op("ack").await.get("ref"), None);
    server.end().await;
}

#[tokio::test]
async fn emits_of_a_socket_do_not_wait_for_each_other_and_keep_their_order() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    for n in 1..=1000 {
        client
            .send(&json!({"op":"emit","ref":n,"events":[{"type":"a","data":n}]}))
            .await;
    }
    let mut seqs = vec![0; 1000];
    for _ in 0..1000 {
        let ack = client.op("ack").await;
        let index = usize::try_from(ack["ref"].as_u64().expect("a ref")).expect("small") - 1;
        seqs[index] = ack["first"].as_u64().expect("a seq");
    }
    assert_eq!(seqs, (1..=1000).collect::<Vec<_>>());
    server.end().await;
}

#[tokio::test]
async fn what_was_sent_before_a_close_is_stored_and_acknowledged() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    for n in 0..50 {
        client
            .send(&json!({"op":"emit","ref":n,"events":[{"type":"a","data":n}]}))
            .await;
    }
    soon(client.stream.close(None)).await.expect("it is sent");
    let mut acknowledged = 0;
    while let Some(message) = client.message().await {
        acknowledged += usize::from(message.to_text().is_ok_and(|text| text.contains("\"ack\"")));
    }
    assert_eq!(acknowledged, 50);
    // A peer that goes without a word is no other case.
    let mut gone = Ws::connect(&server).await;
    gone.send(&json!({"op":"emit","events":[{"type":"a","data":"last"}]}))
        .await;
    drop(gone);
    while server.lines("type:a").await.len() < 51 {
        tokio::task::yield_now().await;
    }
    server.end().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_the_talk_goes_on() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let refusals = [
        (r#"{"op":"emit","ref":"r","events":[nul]}"#, "invalid_json", "ref"),
        (r#"{"op":"shout","ref":"r"}"#, "unknown_op", "ref"),
        (
            r#"{"op":"subscribe","sub":"s","filter":"level:>=loud"}"#,
            "invalid_filter",
            "sub",
        ),
        (
            r#"{"op":"subscribe","sub":"s","form":"now"}"#,
            "invalid_parameter",
            "sub",
        ),
        (
            r#"{"op":"subscribe","sub":"s","dialect":"klingon"}"#,
            "invalid_parameter",
            "sub",
        ),
        (
            r#"{"op":"subscribe","sub":"s","channels":[" :"]}"#,
            "invalid_filter",
            "sub",
        ),
        (r#"{"op":"emit","ref":"r"}"#, "invalid_parameter", "ref"),
    ];
    for (text, code, about) in refusals {
        client.send_text(text).await;
        let error = client.json().await;
        assert_eq!(
            (&error["op"], &error["code"]),
            (&json!("error"), &json!(code)),
            "{text}"
        );
        assert!(error[about].is_string(), "{text}: {error}");
    }
    client
        .send_text(r#"{"op":"subscribe","sub":"s","filter":"type:a level:>=loud"}"#)
        .await;
    assert!(client.json().await["detail"]["at"].is_u64());
    client.send(&json!({"op":"ping","ref":"p"})).await;
    assert_eq!(client.json().await, json!({"op":"pong","ref":"p"}));
    server.end().await;
}

#[tokio::test]
async fn a_token_may_come_as_the_first_message() {
    let server = Running::start().await;
    let mut client = Ws::open(&server, &[]).await.expect("an upgrade without a token");
    client.send(&json!({"op":"auth","token":server.token})).await;
    assert_eq!(client.json().await["op"], "hello");
    assert_eq!(client.emit(&json!([{"type":"a"}])).await["accepted"], 1);

    let mut wrong = Ws::open(&server, &[]).await.expect("an upgrade");
    wrong.send(&json!({"op":"auth","token":"guess"})).await;
    assert_eq!(wrong.json().await["code"], "unauthorized");
    assert_eq!(u16::from(wrong.closed().await.code), 1008);

    let mut hasty = Ws::open(&server, &[]).await.expect("an upgrade");
    hasty.send(&json!({"op":"subscribe","sub":"a"})).await;
    assert_eq!(hasty.json().await["code"], "unauthorized");
    assert_eq!(u16::from(hasty.closed().await.code), 1008);
    server.end().await;
}

#[tokio::test]
async fn strangers_cannot_send_large_messages() {
    let server = Running::start().await;
    let mut client = Ws::open(&server, &[]).await.expect("an upgrade");
    client.send_text(&" ".repeat(5000)).await;
    assert_eq!(u16::from(client.closed().await.code), 1009);
    server.end().await;
}

#[tokio::test]
async fn fragments_and_pings_between_them_are_put_in_order() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let text = r#"{"op":"emit","ref":"é","events":[{"type":"a"}]}"#.as_bytes();
    let parts: Vec<&[u8]> = text.chunks(7).collect();
    for (index, part) in parts.iter().enumerate() {
        let data = if index == 0 { Data::Text } else { Data::Continue };
        client
            .send_frame(Frame::message(
                Bytes::copy_from_slice(part),
                OpCode::Data(data),
                index + 1 == parts.len(),
            ))
            .await;
        client
            .send_frame(Frame::ping(Bytes::copy_from_slice(&[
                u8::try_from(index).expect("small")
            ])))
            .await;
    }
    let mut pongs = Vec::new();
    loop {
        match client.message().await.expect("a message") {
            Message::Pong(payload) => pongs.extend(payload),
            Message::Text(text) => {
                let ack: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!((&ack["op"], &ack["ref"]), (&json!("ack"), &json!("é")));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        pongs,
        (0..u8::try_from(parts.len()).expect("few")).collect::<Vec<_>>()[..pongs.len()]
    );
    server.end().await;
}

#[tokio::test]
async fn the_closing_handshake_echoes_the_code() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let frame = CloseFrame {
        code: CloseCode::Library(4001),
        reason: "done".into(),
    };
    soon(client.stream.close(Some(frame))).await.expect("it is sent");
    assert_eq!(u16::from(client.closed().await.code), 4001);
    assert!(client.message().await.is_none());
    server.end().await;
}

#[tokio::test]
async fn those_who_break_the_rules_are_told_by_a_close_code() {
    let server = Running::start().await;
    let text =
        |bytes: &'static [u8]| Frame::message(Bytes::from_static(bytes), OpCode::Data(Data::Text), true);
    let binary = Frame::message(Bytes::from_static(b"x"), OpCode::Data(Data::Binary), true);
    let lost = Frame::message(Bytes::from_static(b"x"), OpCode::Data(Data::Continue), true);
    for (frame, code) in [(text(b"{\"op\":\"\xff\"}"), 1007), (binary, 1003), (lost, 1002)] {
        let mut client = Ws::connect(&server).await;
        client.send_frame(frame).await;
        assert_eq!(u16::from(client.closed().await.code), code);
    }
    server.end().await;
}

#[tokio::test]
async fn a_frame_without_mask_is_refused() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let head =
        http::head(server.addr, "GET", "/api/v1/ws", &headers, None).replace("connection: close\r\n", "");
    let mut stream = tokio::net::TcpStream::connect(server.addr)
        .await
        .expect("the server listens");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream.write_all(b"\x81\x02{}").await.expect("it is taken");
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes))
        .await
        .expect("an answer and an end");
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.starts_with("HTTP/1.1 101 ") && text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{text}"
    );
    assert!(
        bytes
            .windows(4)
            .any(|window| window[0] == 0x88 && window[2..] == 1002_u16.to_be_bytes()),
        "{text}"
    );
    server.end().await;
}

#[tokio::test]
async fn what_is_no_upgrade_is_told_what_is_spoken_here() {
    let server = Running::start().await;
    let answer = server.get("/api/v1/ws").await;
    assert_eq!((answer.status, answer.code()), (426, "upgrade_required".into()));
    server.end().await;
}

#[tokio::test]
async fn a_slow_reader_is_kept_and_misses_nothing() {
    let server = Running::start().await;
    let mut slow = Ws::connect(&server).await;
    slow.subscribe("all", "", json!("now")).await;
    // Far more than sockets and memory of the hub hold, while the reader takes nothing.
    let data = "x".repeat(900);
    let mut expected = 0;
    for _ in 0..60 {
        let lines: String = (0..1000)
            .map(|n| format!("{{\"type\":\"load\",\"data\":[{n},\"{data}\"]}}\n"))
            .collect();
        let answer = server.emit_lines(lines).await;
        expected = answer.json()["last"].as_u64().expect("a seq");
    }
    let (mut next, mut fell_behind) = (1, false);
    while next <= expected {
        let message = slow.json().await;
        match message["op"].as_str() {
            Some("events") => {
                for seq in each(&message["events"], "seq") {
                    assert_eq!(seq, next);
                    next += 1;
                }
            }
            Some("fell_behind") => fell_behind = true,
            _ => {}
        }
    }
    assert!(fell_behind, "60 MB do not fit into the ring");
    slow.op("caught_up").await;
    server.end().await;
}
