//! Readers that subscribe and never read: they cost bounded memory, hurt nobody, and miss nothing once they read.
//!
//! That one who takes no byte for two minutes is cut is shown where the clock is the test's own (`socket`, `liveness`
//! and `patience` of kymo-server).

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{MIB, Scene};
use crate::support::raw::{Raw, text};

/// Of each transport.
const READERS: usize = 40;
/// What the system takes for each of them, about.
const NARROW: usize = 4 << 10;

#[test]
fn readers_that_never_read_cost_bounded_memory_and_miss_nothing_once_they_read() {
    let scene = Scene::with(&["hub.ring_bytes_max=4000000", "hub.catchup_bytes_max=4000000"]);
    let (address, token) = (scene.server.address(), &scene.server.token);
    let open = || Raw::open(&address, Some(NARROW)).expect("the server listens");
    let websockets: Vec<Raw> = (0..READERS)
        .map(|reader| {
            let mut raw = open();
            raw.upgrade(token).expect("an upgrade");
            // Different filters, so that nothing is shared between them.
            let filter = format!("type:loud -agent:{reader}");
            let message = json!({"op": "subscribe", "sub": "a", "filter": filter, "from": "now"}).to_string();
            raw.send(text(message)).expect("it is taken");
            raw.op("subscribed").expect("subscribed");
            raw
        })
        .collect();
    let streams: Vec<Raw> = (0..READERS)
        .map(|reader| {
            let raw = open();
            let path = match reader % 2 {
                0 => format!("/api/v1/stream?filter=type:loud%20-agent:{reader}&from=1"),
                _ => "/api/v1/events?from=1".into(),
            };
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            raw.send(head).expect("it is taken");
            raw
        })
        .collect();
    let before = scene.server.memory();
    let filler = "x".repeat(1000);
    let mut n = 0_u64;
    scene.bystander.is_served_beside("readers that never read", || {
        let body: String = (n..n + 200)
            .map(|n| format!("{{\"type\":\"loud\",\"data\":{{\"n\":{n},\"filler\":\"{filler}\"}}}}\n"))
            .collect();
        assert_eq!(scene.server.post(body).0, 200);
        n += 200;
        thread::sleep(Duration::from_millis(40));
    });
    if let (Some(before), Some(after)) = (before, scene.server.memory()) {
        let each = after.now.saturating_sub(before.now) / (2 * READERS as u64);
        println!("{n} events; {each} bytes for each reader that does not read");
        assert!(after.now < before.now + 80 * MIB, "{before:?} → {after:?}");
    }
    drop(streams);
    for mut raw in websockets.into_iter().take(3) {
        read_all(&mut raw, n);
    }
    scene.end(250 * MIB);
}

/// Reads on: everything comes, in order, once, and in between it is told that it fell behind and caught up.
fn read_all(raw: &mut Raw, count: u64) {
    let (mut next, mut fell_behind, mut caught_up) = (0, false, false);
    while next < count || !(fell_behind && caught_up) {
        let (_, payload) = raw.frame().expect("it was not cut off, and is told all");
        let message: Value = serde_json::from_slice(&payload).unwrap_or_default();
        fell_behind |= message["op"] == "fell_behind";
        caught_up |= fell_behind && message["op"] == "caught_up";
        for event in message["events"].as_array().into_iter().flatten() {
            assert_eq!(event["data"]["n"], next, "in order, once");
            next += 1;
        }
    }
}
