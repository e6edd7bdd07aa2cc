//! Clients that break the rules, ask too much, or say nothing: each ends as it should, and others never notice.
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    sio::{self, Poller, Sio, open_server},
    soon,
};
use futures_util::SinkExt;

#[tokio::test]
async fn a_packet_that_is_none_ends_the_session_and_no_other() {
    let server = open_server().await;
    let (mut bystander, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    let broken = [
        "abc",
        "9",
        "",
        "4",
        "4abc",
        "42{}",
        "42[]",
        "42[{}]",
        "42[\"connect\"]",
        "42abc[\"x\"]",
        "47",
        "40",
        "42/other,[\"x\"]",
        "44{}",
        "45[\"x\"]",
        "4599999-[\"x\"]",
        "42[\"emit\",{\"type\":]",
    ];
    for packet in broken {
        let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
        client.send(packet).await;
        let frame = client
            .closed()
            .await
            .unwrap_or_else(|| panic!("{packet:?}: no close frame"));
        assert_eq!(u16::from(frame.code), 1002, "{packet:?}");
        let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
        poller.packets().await;
        assert_eq!(poller.post(packet).await.json()["code"], 3, "{packet:?}");
        assert_eq!(poller.get().await.json()["code"], 1, "{packet:?}");
    }
    server.emit_many("a", 1).await;
    assert_eq!(bystander.data(1).await, [1]);
    server.end().await;
}

#[tokio::test]
async fn who_speaks_before_it_connects_or_never_connects_is_left() {
    let server = open_server().await;
    let mut hasty = Sio::open(server.addr, "").await;
    hasty.send("42[\"replay\",{\"count\":1}]").await;
    assert!(hasty.closed().await.is_some());
    let mut silent = Sio::open(server.addr, "").await;
    let frame = silent.closed().await.expect("a close frame");
    assert_eq!(u16::from(frame.code), 1008);
    server.end().await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_more_so_of_strangers() {
    let server = sio::server(|door| {
        door.anonymous = kymo_server::Anonymous::ReadAndEmit;
        door.payload_bytes_max = 100_000;
    })
    .await;
    let mut stranger = Sio::open(server.addr, "").await;
    stranger
        .send(&format!("40{}", json!({"x":"x".repeat(20_000)})))
        .await;
    assert_eq!(
        stranger.closed().await.map(|frame| u16::from(frame.code)),
        Some(1009)
    );
    let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    let event = |bytes: usize| json!({"type":"a","data":"x".repeat(bytes)});
    assert_eq!(client.call("emit", &event(99_000)).await["accepted"], 1);
    client
        .send(&format!("421{}", json!(["emit", event(100_000)])))
        .await;
    assert_eq!(
        client.closed().await.map(|frame| u16::from(frame.code)),
        Some(1009)
    );
    let poller = Poller::open(server.addr).await;
    assert_eq!(poller.post("4".repeat(20_000)).await.status, 413);
    poller.post(format!("40{}", json!({"catchup":0}))).await;
    poller.packets().await;
    assert_eq!(poller.post("4".repeat(100_001)).await.status, 413);
    let emit = format!("421{}", json!(["emit", event(99_000)]));
    assert_eq!(
        poller.post(emit).await.text(),
        "ok",
        "a body that is too large costs the session nothing"
    );
    server.end().await;
}

#[tokio::test]
async fn binary_events_are_refused_politely() {
    let server = open_server().await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    client
        .send("452-7[\"emit\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]")
        .await;
    for _ in 0..2 {
        client
            .stream
            .send(Message::binary(vec![1, 2, 3]))
            .await
            .expect("it is sent");
    }
    let answer = client.answer("437").await;
    assert!(
        answer.starts_with("[{\"error\":{\"code\":\"invalid_body\""),
        "{answer}"
    );
    assert_eq!(client.call("emit", &json!({"type":"a"})).await["accepted"], 1);
    client
        .stream
        .send(Message::binary(vec![1]))
        .await
        .expect("it is sent");
    assert_eq!(
        client.closed().await.map(|frame| u16::from(frame.code)),
        Some(1003)
    );
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    assert_eq!(
        poller
            .post("451-[\"x\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID")
            .await
            .text(),
        "ok"
    );
    assert!(poller.packets().await[0].starts_with("42[\"error\",{\"code\":\"invalid_body\""));
    server.end().await;
}

#[tokio::test]
async fn thousands_of_polls_of_unknown_and_known_sessions_are_answered_and_nobody_else_notices() {
    let server = open_server().await;
    let (mut bystander, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    let poller = Poller::connect(server.addr, &json!({"filter":"type:b"})).await;
    poller.packets().await;
    let siege = async {
        for _ in 0..20 {
            let polls = (0..100).map(|n| async move {
                let query = format!("&sid=nobody{n}");
                sio::ask(server.addr, "GET", &query, b"").await.status
            });
            let answers = futures_util::future::join_all(polls).await;
            assert!(answers.iter().all(|status| *status == 400));
        }
        let polls = futures_util::future::join_all((0..50).map(|_| poller.get()));
        let answers = soon(polls).await;
        // One was there first; all others came too many, or too late.
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    };
    let life = async {
        for n in 1..=20 {
            server.emit(format!("{{\"type\":\"a\",\"data\":{n}}}")).await;
            assert_eq!(bystander.data(1).await, [n]);
        }
    };
    tokio::join!(siege, life);
    server.end().await;
}

#[tokio::test]
async fn two_bodies_at_once_end_the_session() {
    use tokio::io::AsyncWriteExt;
    let server = open_server().await;
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", poller.sid);
    let mut slow = tokio::net::TcpStream::connect(server.addr)
        .await
        .expect("the server listens");
    let head = crate::support::http::head(server.addr, "POST", &path, &[], Some(100));
    slow.write_all(head.as_bytes()).await.expect("it is taken");
    slow.write_all(b"42[").await.expect("it is taken");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(poller.post("3").await.json()["code"], 3);
    soon(async { while poller.get().await.status != 400 {} }).await;
    server.end().await;
}

#[tokio::test]
async fn who_asks_and_asks_without_listening_is_not_heard_any_further() {
    let server = open_server().await;
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    let questions = vec!["421[\"nonsense\",{}]"; 1500].join("\x1e");
    let mut busy = 0;
    for _ in 0..10 {
        let answer = poller.post(&questions).await;
        busy += usize::from(answer.status == 429);
        assert!(answer.status == 429 || answer.text() == "ok", "{}", answer.text());
    }
    assert!(busy > 0);
    while !poller.packets().await.is_empty() && poller.post("421[\"nonsense\"]").await.status == 429 {}
    server.end().await;
}
