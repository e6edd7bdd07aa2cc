//! Time: how long peers are waited for. The clock is the test's own; nothing here waits for the ledger's thread.
use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::support::{http, server::Running, ws::Ws};

/// Opens a WebSocket by hand, as a client that then does nothing by itself.
async fn silent_websocket(server: &Running) -> TcpStream {
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let head = http::head(server.addr, "GET", "/api/v1/ws", &headers, None);
    let head = head.replace("connection: close", "connection: upgrade");
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream
}

async fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    (bytes, started.elapsed())
}

fn about(elapsed: Duration, seconds: u64) -> bool {
    (seconds..seconds + 2).contains(&elapsed.as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_waited_for_thirty_seconds() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost:")
        .await
        .expect("it is taken");
    let (_, elapsed) = read_to_end(&mut stream).await;
    assert!(about(elapsed, 30), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_peer_without_a_sign_of_life_is_left_after_two_minutes_of_pings() {
    let server = Running::start().await;
    let mut stream = silent_websocket(&server).await;
    let (bytes, elapsed) = read_to_end(&mut stream).await;
    // It is looked for at pings, and the first of them comes early.
    assert!((120..=140).contains(&elapsed.as_secs()), "{elapsed:?}");
    let pings = bytes.windows(2).filter(|window| window == b"\x89\x00").count();
    assert!(
        matches!(pings, 5 | 6),
        "one every twenty seconds: {pings} in {:?}",
        String::from_utf8_lossy(&bytes)
    );
}

#[tokio::test(start_paused = true)]
async fn a_websocket_peer_that_answers_pings_is_kept() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let started = Instant::now();
    // The client answers each ping by itself while it reads.
    while started.elapsed() < Duration::from_secs(600) {
        let message = tokio::time::timeout(
            Duration::from_secs(30),
            futures_util::StreamExt::next(&mut client.stream),
        )
        .await;
        assert!(matches!(message, Ok(Some(Ok(message))) if message.is_ping()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_says_nothing_is_told_after_five_seconds() {
    let server = Running::start().await;
    let mut silent = Ws::open(&server, &[]).await.expect("an upgrade");
    let started = Instant::now();
    assert_eq!(silent.json().await["code"], "unauthorized");
    assert!(about(started.elapsed(), 5), "{:?}", started.elapsed());
    assert_eq!(u16::from(silent.closed().await.code), 1008);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_gets_a_comment_every_fifteen_seconds() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    let head = http::head(
        server.addr,
        "GET",
        "/api/v1/stream",
        &[("authorization", &bearer)],
        None,
    );
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    let (mut bytes, mut last) = (Vec::new(), Instant::now());
    for comments in 1..=4 {
        while bytes.windows(2).filter(|window| window == b"\n:").count() < comments {
            assert!(stream.read_buf(&mut bytes).await.expect("the stream goes on") > 0);
        }
        let elapsed = last.elapsed();
        // The first comes early, at another time for each stream.
        let is_in_time = about(elapsed, 15) || comments == 1 && (7..=15).contains(&elapsed.as_secs());
        assert!(is_in_time, "{elapsed:?}");
        last = Instant::now();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_left_after_thirty_seconds() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    let (bytes, elapsed) = read_to_end(&mut stream).await;
    assert!(bytes.is_empty() && about(elapsed, 30), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_waited_for_twenty_seconds() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let headers = [("authorization", bearer.as_str())];
    let head = http::head(server.addr, "POST", "/api/v1/events", &headers, Some(50));
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    stream
        .write_all(format!("{head}{{").as_bytes())
        .await
        .expect("it is taken");
    let (bytes, elapsed) = read_to_end(&mut stream).await;
    assert_eq!(http::parse(&bytes).code(), "request_timeout");
    assert!(about(elapsed, 20), "{elapsed:?}");
}
