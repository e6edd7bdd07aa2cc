//! More connections than the system lets the server hold.

use std::net::TcpStream;

use serde_json::json;

use super::{MIB, Scene};
use crate::support::{
    raw::{Raw, text},
    wait_for,
};

/// What the server is allowed; it keeps 256 of them for its files.
const DESCRIPTORS: usize = 400;
/// More than it can take.
const CONNECTIONS: usize = 300;
const EVENTS: usize = 3_000;

#[test]
fn connections_beyond_what_the_system_allows_are_told_busy_and_the_ledger_goes_on_opening_files() {
    // A segment for every few dozen events, so that files are opened all the time.
    let scene = Scene::with_descriptors(DESCRIPTORS, &["ledger.segment_bytes_max=65536"]);
    let mut websocket = Raw::to(&scene.server);
    websocket.upgrade(&scene.server.token).expect("an upgrade");
    let mut held: Vec<TcpStream> = Vec::new();
    scene
        .bystander
        .is_unhurt_during("more connections than there may be", || {
            held.clear();
            wait_for("room after the last round", || {
                asks(&scene).is_some_and(|status| status == 200).then_some(())
            });
            let open = || TcpStream::connect(scene.server.address()).expect("the system accepts");
            held.extend((0..CONNECTIONS).map(|_| open()));
            let mut told = Raw::to(&scene.server);
            let answer = told.answer().expect("who is not taken is told");
            assert_eq!((answer.status, answer.code()), (429, "busy".into()));
            assert!(
                answer.head.to_lowercase().contains("retry-after: 1"),
                "{}",
                answer.head
            );
            assert_eq!(told.rest(), b"", "and the connection ends");

            // Who was there before emits and reads on, from files that must be opened for it.
            let events: Vec<_> = (0..EVENTS / 10)
                .map(|n| json!({"type": "kept", "data": {"n": n, "filler": "x".repeat(500)}}))
                .collect();
            for _ in 0..10 {
                websocket
                    .send(text(json!({"op": "emit", "events": events}).to_string()))
                    .expect("it is taken");
                assert_eq!(websocket.op("ack").expect("an answer")["accepted"], events.len());
            }
            let past = json!({"op": "subscribe", "sub": "past", "filter": "type:kept", "from": "start"});
            websocket.send(text(past.to_string())).expect("it is taken");
            let mut seen = 0;
            while seen < EVENTS {
                seen += websocket.op("events").expect("the past")["events"]
                    .as_array()
                    .map_or(0, Vec::len);
            }
            websocket
                .send(text(r#"{"op":"unsubscribe","sub":"past"}"#))
                .expect("it is taken");
            websocket.op("unsubscribed").expect("an answer");
        });
    drop(held);
    wait_for("room", || {
        asks(&scene).is_some_and(|status| status == 200).then_some(())
    });
    scene.end(150 * MIB);
}

fn asks(scene: &Scene) -> Option<u16> {
    let mut raw = Raw::to(&scene.server);
    let _ = raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    raw.answer().map(|answer| answer.status)
}
