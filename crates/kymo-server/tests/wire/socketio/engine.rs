//! Engine.IO: handshake, polling, upgrade, heartbeat, and the errors that clients know.
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    http,
    server::Running,
    sio::{self, Poller, Sio, open_server},
};

/// The number of an Engine.IO error.
#[track_caller]
fn code(answer: &http::Answer) -> u64 {
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["code"].as_u64().expect("a number")
}

#[tokio::test]
async fn the_door_is_closed_until_it_is_opened() {
    let server = Running::start().await;
    let answer = sio::ask(server.addr, "GET", "", b"").await;
    assert_eq!((answer.status, answer.code()), (404, "not_found".into()));
    assert!(answer.text().contains("[doors.socketio]"), "{}", answer.text());
    assert!(Sio::dial(server.addr, "").await.is_err());
    server.end().await;
}

#[tokio::test]
async fn a_handshake_says_what_the_settings_say() {
    let server = sio::server(|door| {
        (
            door.ping_interval_ms,
            door.ping_timeout_ms,
            door.payload_bytes_max,
        ) = (300, 200, 5000);
    })
    .await;
    let client = Sio::open(server.addr, "").await;
    let opened = client.opened.clone();
    assert!(opened["sid"].as_str().is_some_and(|sid| sid.len() == 20));
    let expected =
        json!({"sid":opened["sid"],"upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":5000});
    assert_eq!(opened, expected);
    Poller::open(server.addr).await;
    server.end().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told_in_the_protocols_own_numbers() {
    let server = open_server().await;
    let ask = async |method: &str, query: &str| {
        let path = format!("/socket.io/?{query}");
        code(&http::ask(server.addr, method, &path, &[], b"").await)
    };
    assert_eq!(ask("GET", "EIO=4").await, 0);
    assert_eq!(ask("GET", "EIO=4&transport=tin").await, 0);
    assert_eq!(ask("GET", "EIO=4&transport=polling&sid=nobody").await, 1);
    assert_eq!(ask("POST", "EIO=4&transport=polling").await, 2);
    assert_eq!(ask("PUT", "EIO=4&transport=polling").await, 2);
    assert_eq!(ask("GET", "EIO=4&transport=websocket").await, 3);
    assert_eq!(ask("GET", "transport=polling").await, 5);
    assert_eq!(ask("GET", "EIO=3&transport=polling").await, 5);
    let on_socket = Sio::open(server.addr, "").await;
    let sid = on_socket.opened["sid"].as_str().expect("a sid");
    assert_eq!(ask("GET", &format!("EIO=4&transport=polling&sid={sid}")).await, 3);
    server.end().await;
}

#[tokio::test]
async fn a_poll_waits_for_what_comes_and_takes_all_that_is_there() {
    let server = open_server().await;
    server.emit_many("a", 3).await;
    let poller = Poller::connect(server.addr, &json!({})).await;
    let packets = poller.packets().await;
    assert!(packets[0].starts_with("40{\"sid\""), "{packets:?}");
    let events: Vec<_> = packets
        .iter()
        .filter(|packet| packet.starts_with("42[\"event\""))
        .collect();
    assert_eq!(events.len(), 3, "{packets:?}");
    let (next, _) = tokio::join!(poller.packets(), server.emit_many("b", 2));
    assert!(
        next[0].starts_with("42[\"event\",{") && next[0].contains("\"type\":\"b\""),
        "{next:?}"
    );
    server.end().await;
}

#[tokio::test]
async fn two_polls_at_once_end_the_session() {
    let server = open_server().await;
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    let first = poller.get();
    tokio::pin!(first);
    // The first is there when the second comes.
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut first)
            .await
            .is_err()
    );
    assert_eq!(code(&poller.get().await), 3);
    assert_eq!(first.await.text(), "1");
    assert_eq!(code(&poller.get().await), 1);
    server.end().await;
}

#[tokio::test]
async fn a_client_that_closes_gets_its_last_poll_back() {
    let server = open_server().await;
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    let (last, post) = tokio::join!(poller.get(), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        poller.post("1").await
    });
    assert_eq!((last.text().as_str(), post.text().as_str()), ("6", "ok"));
    assert_eq!(code(&poller.get().await), 1);
    server.end().await;
}

#[tokio::test]
async fn an_upgrade_goes_on_where_polling_was() {
    let server = open_server().await;
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    let mut socket = Sio::dial(server.addr, &format!("&sid={}", poller.sid))
        .await
        .expect("an upgrade");
    let (waiting, _) = tokio::join!(poller.packets(), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        socket.send("2probe").await;
        assert_eq!(socket.packet().await, "3probe");
    });
    assert_eq!(
        waiting,
        ["6"],
        "the poll is given back, so that the client can stop"
    );
    server.emit_many("between", 2).await;
    socket.send("5").await;
    server.emit_many("behind", 2).await;
    assert_eq!(socket.data(4).await, [1, 2, 1, 2]);
    assert_eq!(code(&poller.get().await), 3);
    let mut second = Sio::dial(server.addr, &format!("&sid={}", poller.sid))
        .await
        .expect("an upgrade");
    assert!(second.closed().await.is_some());
    server.emit_many("after", 1).await;
    assert_eq!(socket.data(1).await, [1]);
    server.end().await;
}

#[tokio::test]
async fn a_probe_that_fails_costs_the_session_nothing() {
    let server = open_server().await;
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    poller.packets().await;
    for first in ["4nonsense", "5", "2other"] {
        let mut socket = Sio::dial(server.addr, &format!("&sid={}", poller.sid))
            .await
            .expect("an upgrade");
        socket.send(first).await;
        assert!(socket.closed().await.is_some(), "{first}");
    }
    server.emit_many("a", 1).await;
    assert!(poller.packets().await[0].starts_with("42[\"event\""));
    server.end().await;
}

#[tokio::test]
async fn who_does_not_answer_pings_is_gone_on_either_transport() {
    let server = sio::server(|door| {
        door.anonymous = kymo_server::Anonymous::Read;
        (door.ping_interval_ms, door.ping_timeout_ms) = (300, 200);
    })
    .await;
    let mut socket = Sio::open(server.addr, "").await;
    let begun = Instant::now();
    while socket.message().await.is_some() {}
    assert!(
        begun.elapsed() >= Duration::from_millis(340),
        "{:?}",
        begun.elapsed()
    );
    let poller = Poller::open(server.addr).await;
    assert_eq!(poller.packets().await, ["2"]);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(code(&poller.get().await), 1);
    let answering = Poller::connect(server.addr, &json!({})).await;
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        let packets = answering.packets().await;
        if packets.contains(&"2".to_owned()) {
            assert_eq!(answering.post("3").await.status, 200);
        }
    }
    let sessions =
        || async { server.get("/api/v1/status").await.json()["doors"]["socketio"]["sessions"].clone() };
    assert_eq!(sessions().await, 1);
    server.end().await;
}

#[tokio::test]
async fn a_door_on_its_own_port_gives_nothing_but_the_door() {
    let server = sio::server(|door| {
        door.anonymous = kymo_server::Anonymous::Read;
        door.listen = Some("127.0.0.1:0".parse().expect("an address"));
        door.origins = vec!["https://kai.example".into()];
    })
    .await;
    let door = server.socketio_addr.expect("a port of its own");
    let bearer = format!("Bearer {}", server.token);
    for path in ["/", "/api/v1/status", "/api/v1/events"] {
        let answer = http::ask(door, "GET", path, &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let posted = http::ask(door, "POST", "/api/v1/events", &headers, b"{\"type\":\"a\"}").await;
    assert_eq!(posted.status, 404);
    server.emit_many("a", 1).await;
    let (mut client, _) = Sio::connect(door, &json!({})).await;
    assert_eq!(client.data(1).await, [1]);
    let path = "/socket.io/?EIO=4&transport=polling";
    for (origin, status) in [("https://kai.example", 200), ("https://evil.example", 403)] {
        for addr in [door, server.addr] {
            let answer = http::ask(addr, "GET", path, &[("origin", origin)], b"").await;
            assert_eq!(answer.status, status, "{origin}");
            if status == 200 {
                assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            }
        }
    }
    let elsewhere = http::ask(
        server.addr,
        "GET",
        "/healthz",
        &[("origin", "https://kai.example")],
        b"",
    )
    .await;
    assert_eq!(elsewhere.code(), "bad_origin", "named for the door alone");
    let status: Value = server.get("/api/v1/status").await.json();
    assert_eq!(status["doors"]["socketio"]["listen"], door.to_string());
    server.end().await;
}

#[tokio::test]
async fn more_sessions_than_there_may_be_are_told_to_come_later() {
    let server = sio::server(|door| door.sessions_max = 2).await;
    let first = Sio::open(server.addr, "").await;
    let second = Poller::open(server.addr).await;
    let third = sio::ask(server.addr, "GET", "", b"").await;
    assert_eq!((third.status, third.code()), (429, "busy".into()));
    assert_eq!(second.post("1").await.text(), "ok");
    drop(first);
    crate::support::soon(async {
        while sio::ask(server.addr, "GET", "", b"").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    server.end().await;
}

#[tokio::test]
async fn a_server_that_closes_lets_its_clients_come_again() {
    let server = open_server().await;
    let (mut socket, _) = Sio::connect(server.addr, &json!({})).await;
    let poller = Poller::connect(server.addr, &json!({})).await;
    poller.packets().await;
    let waiting = tokio::spawn(async move { poller.packets().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ended = tokio::spawn(server.end());
    // A DISCONNECT (41) would keep them from coming again by themselves.
    loop {
        match socket.message().await {
            Some(tokio_tungstenite::tungstenite::Message::Close(Some(frame))) => {
                assert_eq!(u16::from(frame.code), 1001);
                break;
            }
            Some(message) => assert_ne!(message.to_text().ok(), Some("41")),
            None => panic!("no close frame"),
        }
    }
    assert_eq!(
        waiting.await.expect("a poll").last().map(String::as_str),
        Some("1")
    );
    ended.await.expect("it ends");
}
