//! Clients that take their time: a byte now and then, or nothing at all after a good beginning.
//!
//! When they are given up is shown where the clock is the test's own (`body` and `patience` of kymo-server).

use std::time::Duration;

use super::{MIB, Scene};
use crate::support::raw::{Raw, frame, post, upgrade};

#[test]
fn clients_that_send_a_byte_now_and_then_hurt_nobody_and_are_served_in_the_end() {
    let scene = Scene::new();
    let token = &scene.server.token;
    let ping = [upgrade(token).as_bytes(), &frame(0x81, b"{\"op\":\"ping\"}")].concat();
    let event = post(token, "", b"{\"type\":\"slow\"}");
    // All but the last bytes at once, so that these clients end within the test; the others never do.
    let ends: Vec<(Raw, &[u8])> = (0..200)
        .map(|client| {
            let all = if client % 2 == 0 { &ping } else { &event };
            let raw = Raw::to(&scene.server);
            let (start, end) = all.split_at(all.len() - 20);
            raw.send(start).expect("it is taken");
            (raw, end)
        })
        .collect();
    let never: Vec<Raw> = (0..200)
        .map(|client| {
            let raw = Raw::to(&scene.server);
            // Somewhere within head, body, or handshake.
            let all = if client % 2 == 0 {
                upgrade(token).into_bytes()
            } else {
                event.clone()
            };
            let part = &all[..1 + client % (all.len() - 1)];
            raw.send(part).expect("it is taken");
            raw
        })
        .collect();
    let mut sent = 0;
    scene.bystander.is_unhurt_by("a byte now and then", || {
        for (raw, end) in &ends {
            if let Some(byte) = end.get(sent..=sent) {
                raw.send(byte).expect("it is taken");
            }
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
    });
    for (client, (mut raw, end)) in ends.into_iter().enumerate() {
        raw.send(&end[sent.min(end.len())..]).expect("it is taken");
        if client % 2 == 1 {
            assert_eq!(raw.answer().expect("an answer").status, 200);
        } else {
            raw.answer().expect("an upgrade");
            raw.op("pong").expect("a pong");
        }
    }
    assert_eq!(scene.server.events("type:slow").len(), 100);
    drop(never);
    scene.end(150 * MIB);
}
