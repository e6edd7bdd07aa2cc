//! The end: what was acknowledged is stored, readers are told, and all resumes where it was.
use serde_json::json;

use crate::support::{http, server::Running, sse::Sse, ws::Ws};

#[tokio::test]
async fn readers_get_what_is_durable_are_told_and_resume_behind_their_cursor() {
    let server = Running::start().await;
    let mut stream = Sse::open(&server, "", &[]).await;
    stream.named("subscribed").await;
    let mut client = Ws::connect(&server).await;
    client.subscribe("s", "", json!("now")).await;
    client.op("caught_up").await;
    let seq = server.emit_many("last", 3).await;
    server.ask_to_end();
    for n in 0..3 {
        assert_eq!(stream.event().await["seq"], seq + n);
    }
    stream.named("closing").await;
    assert_eq!(stream.next().await, None);
    assert_eq!(client.events(3).await.len(), 3);
    assert_eq!(client.json().await["code"], "closing");
    assert_eq!(u16::from(client.closed().await.code), 1001);
    let server = server.restart().await;
    let next = server.emit_many("first", 1).await;
    let mut stream = Sse::open(&server, "", &[("last-event-id", &stream.last_id)]).await;
    assert_eq!(stream.event().await["seq"], next);
    server.end().await;
}

#[tokio::test]
async fn every_acknowledged_event_is_there_after_a_shutdown_under_load() {
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (addr, bearer) = (server.addr, format!("Bearer {}", server.token));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    let Ok(stream) = tokio::net::TcpStream::connect(addr).await else {
                        break;
                    };
                    let body = format!("{{\"type\":\"load\",\"source\":\"w{writer}\",\"data\":{n}}}");
                    let Some(seq) = try_emit(stream, addr, &bearer, &body).await else {
                        break;
                    };
                    acknowledged.push(seq);
                }
                acknowledged
            })
        })
        .collect();
    // Over WebSocket as well, without waiting for the acks.
    for n in 0..500 {
        client
            .send(&json!({"op":"emit","ref":n,"events":[{"type":"load","source":"ws","data":n}]}))
            .await;
    }
    let mut acknowledged = vec![client.op("ack").await["first"].as_u64().expect("a seq")];
    server.ask_to_end();
    loop {
        let message = client.json().await;
        match message["op"].as_str() {
            Some("ack") => acknowledged.push(message["first"].as_u64().expect("a seq")),
            Some("error") if message["code"] == "closing" => break,
            _ => panic!("{message}"),
        }
    }
    assert_eq!(u16::from(client.closed().await.code), 1001);
    for writer in writers {
        acknowledged.extend(writer.await.expect("a writer ends"));
    }
    let server = server.restart().await;
    let stored: std::collections::BTreeSet<u64> =
        crate::support::server::parsed(&server.lines("type:load").await)
            .iter()
            .map(|line| line["seq"].as_u64().expect("a seq"))
            .collect();
    let lost: Vec<_> = acknowledged.iter().filter(|seq| !stored.contains(seq)).collect();
    assert!(lost.is_empty(), "{lost:?} of {} are lost", acknowledged.len());
    server.end().await;
}

/// The seq of an acknowledged event; `None` once the server does not answer any more.
async fn try_emit(
    mut stream: tokio::net::TcpStream,
    addr: std::net::SocketAddr,
    bearer: &str,
    body: &str,
) -> Option<u64> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let head = http::head(
        addr,
        "POST",
        "/api/v1/events",
        &[("authorization", bearer)],
        Some(body.len()),
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok()?;
    if bytes.is_empty() {
        return None;
    }
    let answer = http::parse(&bytes);
    if answer.status != 200 {
        return None;
    }
    answer.json()["first"].as_u64()
}

#[tokio::test]
async fn who_is_in_the_middle_of_a_long_past_is_told_and_resumes_there() {
    let server = Running::start().await;
    let last = server.emit_a_long_past().await;
    let mut stream = Sse::open(&server, "from=start", &[]).await;
    let mut client = Ws::connect(&server).await;
    client.subscribe("all", "", json!("start")).await;
    stream.event().await;
    client.events(1).await;
    server.ask_to_end();
    let read_client = async {
        let mut cursor = 0;
        loop {
            let message = client.json().await;
            match message["op"].as_str() {
                Some("events") => cursor = message["cursor"].as_u64().expect("a cursor"),
                Some("error") => break (message["code"].clone(), cursor),
                _ => {}
            }
        }
    };
    let (_, (code, cursor)) = futures_util::join!(stream.named("closing"), read_client);
    assert_eq!(code, "closing");
    assert!(cursor < last);
    let seen: u64 = stream.last_id.parse().expect("a seq");
    assert!(seen < last, "all of it was sent");
    let server = server.restart().await;
    let mut stream = Sse::open(&server, "", &[("last-event-id", &stream.last_id)]).await;
    assert_eq!(stream.event().await["seq"], seen + 1);
    server.end().await;
}

#[tokio::test]
async fn a_shutdown_with_idle_connections_is_quick() {
    let server = Running::start().await;
    let idle = tokio::net::TcpStream::connect(server.addr)
        .await
        .expect("the server listens");
    let client = Ws::connect(&server).await;
    let started = std::time::Instant::now();
    // The client reads nothing: it is told, and not waited for long.
    server.end().await;
    assert!(
        started.elapsed() < std::time::Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    drop((idle, client));
}
