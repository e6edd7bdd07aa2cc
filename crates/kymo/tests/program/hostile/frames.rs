//! WebSocket frames that break the rules, flood, or never end.

use serde_json::json;

use super::{MIB, Scene};
use crate::support::raw::{Raw, frame, text};

fn websocket(scene: &Scene) -> Raw {
    let mut raw = Raw::to(&scene.server);
    raw.upgrade(&scene.server.token).expect("an upgrade");
    raw.op("hello").expect("hello");
    raw
}

fn broken() -> Vec<(&'static str, Vec<u8>, u16)> {
    let mut unmasked = frame(0x81, b"{}");
    unmasked[1] &= 0x7f;
    vec![
        ("no mask", unmasked, 1002),
        ("an unknown opcode", frame(0x83, b""), 1002),
        ("an unknown control opcode", frame(0x8b, b""), 1002),
        (
            "a compressed frame that nobody agreed on",
            frame(0xc1, b"{}"),
            1002,
        ),
        ("all reserved bits", frame(0xf1, b"{}"), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a large ping", frame(0x89, &[b'p'; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        (
            "a message inside another one",
            [frame(0x01, b"{"), text("{}")].concat(),
            1002,
        ),
        ("a binary message", frame(0x82, b"x"), 1003),
        ("text that is no UTF-8", frame(0x81, b"\xff\xfe"), 1007),
        ("a close without reason", frame(0x88, b"\x03"), 1002),
        ("a close with a code of nobody", frame(0x88, &[0, 1]), 1002),
        (
            "sixteen exabytes",
            vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            1002,
        ),
        (
            "a terabyte",
            vec![0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            1009,
        ),
    ]
}

#[test]
fn broken_frames_end_the_socket_with_a_code_that_says_why_and_hurt_nobody() {
    let scene = Scene::new();
    scene.bystander.is_unhurt_by("broken frames", || {
        for (name, bytes, code) in broken() {
            let mut raw = websocket(&scene);
            raw.send(&bytes).expect("it is taken");
            assert_eq!(raw.close_code(), Some(code), "{name}");
            assert_eq!(raw.rest(), b"", "{name}: the connection ends");
        }
    });
    scene.end(150 * MIB);
}

#[test]
fn floods_of_fragments_pings_and_nonsense_hurt_nobody() {
    let scene = Scene::new();
    let fragments = [
        frame(0x01, b""),
        frame(0x00, b"").repeat(50_000),
        frame(0x80, b"{}"),
    ]
    .concat();
    let pings = frame(0x89, b"0123456789").repeat(20_000);
    let nonsense = text("{\"op\":\"nonsense\"}").repeat(5_000);
    scene.bystander.is_served_beside("floods of frames", || {
        let mut raw = websocket(&scene);
        raw.send(&fragments).expect("it is taken");
        assert_eq!(raw.op("error").expect("an answer")["code"], "unknown_op");
        // Nobody takes the answers while questions come: they stop being read, and none is lost.
        std::thread::scope(|threads| {
            let socket = raw.socket().try_clone().expect("a socket");
            let (pings, nonsense) = (&pings, &nonsense);
            threads.spawn(move || {
                let all = [&pings[..], nonsense, &text("{\"op\":\"ping\",\"ref\":\"last\"}")].concat();
                std::io::Write::write_all(&mut &socket, &all).expect("it is taken in the end");
            });
            assert_eq!(raw.op("pong").expect("all were answered")["ref"], "last");
        });
    });
    scene.end(150 * MIB);
}

#[test]
fn messages_as_large_as_they_may_be_take_no_more_memory_than_there_is_for_all() {
    let scene = Scene::new();
    // A name of megabytes is no name, and is not sent back in full.
    let name = "x".repeat(20 << 20);
    let unknown = json!({ "op": name }).to_string();
    let keys: String = (0..2_000_000).map(|_| "\"a\":0,").collect();
    let keys = format!("{{{keys}\"op\":\"ping\"}}");
    let filter = json!({"op": "subscribe", "sub": "a", "filter": name}).to_string();
    let sub = json!({"op": "unsubscribe", "sub": name}).to_string();
    let channel = json!({"op": "subscribe", "sub": "a", "channels": [name]}).to_string();
    let reference = json!({"op": "ping", "ref": name}).to_string();
    drop(name);
    for (what, message) in [
        ("an op", &unknown),
        ("keys", &keys),
        ("a filter", &filter),
        ("a sub", &sub),
        ("a channel", &channel),
    ] {
        let mut raw = websocket(&scene);
        raw.send(text(message)).expect("it is taken");
        let error = raw.op("error").unwrap_or_else(|| panic!("{what}: no answer"));
        let answer = error.to_string();
        assert!(
            answer.len() < 2_000,
            "{what}: an answer of {} bytes",
            answer.len()
        );
    }
    let mut raw = websocket(&scene);
    raw.send(text(&reference)).expect("it is taken");
    assert!(raw.op("pong").expect("an answer")["ref"].is_null());
    if let Some(memory) = scene.server.memory() {
        assert!(memory.peak < 250 * MIB, "{memory:?}");
    }

    // Messages that never end, on many sockets at once.
    let begin = {
        let mut begin = frame(0x81, b"");
        begin.truncate(1);
        begin.extend([0xff, 0, 0, 0, 0, 0x01, 0xf0, 0, 0, 0, 0, 0, 0]);
        begin
    };
    let part = vec![b' '; 30 << 20];
    scene.bystander.goes_on_during("messages that never end", || {
        std::thread::scope(|threads| {
            let endless = |_| {
                let (scene, begin, part) = (&scene, &begin, &part);
                threads.spawn(move || {
                    let mut raw = websocket(scene);
                    let sent = raw.send(begin).and_then(|()| raw.send(part));
                    if sent.is_err() {
                        return (raw, Some(1013));
                    }
                    raw.timeout(std::time::Duration::from_millis(500));
                    let code = raw.close_code();
                    (raw, code)
                })
            };
            let all: Vec<_> = (0..24).map(endless).collect();
            let ends: Vec<_> = all.into_iter().map(|one| one.join().expect("a client")).collect();
            let told = ends.iter().filter(|(_, code)| code.is_some()).count();
            assert!(ends.iter().all(|(_, code)| code.is_none_or(|code| code == 1013)));
            assert!(told > 0, "all of them were kept in memory");
        });
    });
    scene.end(600 * MIB);
}
