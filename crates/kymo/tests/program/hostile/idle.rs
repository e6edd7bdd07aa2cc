//! Ten thousand connections that do nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::{KIB, MIB, Scene, is_release};
use crate::support::raw::{frame, upgrade};

/// Connections wanted.
const WANTED: u64 = 10_000;
/// Descriptors that others need.
const RESERVE: u64 = 300;
/// What an idle connection may cost the server.
const BYTES_EACH: u64 = 20 * KIB;

/// As many as the system lets this process and the server have.
fn possible() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the own limit may be raised");
    let room = limit.maximum.unwrap_or(u64::MAX).saturating_sub(RESERVE);
    if room < WANTED {
        println!("only {room} of {WANTED} connections: that is what the system allows");
    }
    usize::try_from(room.min(WANTED)).expect("small")
}

/// Asks for an upgrade and for events that never come, all in one go; the answers wait in the socket.
fn open(address: &str, hello: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.write_all(hello).expect("it is taken");
    stream
}

fn is_subscribed(stream: &mut TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a socket");
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
        }
        if seen.windows(12).any(|window| window == b"\"subscribed\"") {
            return true;
        }
    }
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_hurt_nobody() {
    // Before the server starts: it raises its own limit by itself, as it must where the usual one is a thousand.
    let wanted = possible();
    let scene = Scene::new();
    let before = scene.server.memory();
    let subscribe = br#"{"op":"subscribe","sub":"a","filter":"source:nobody"}"#;
    let hello = [upgrade(&scene.server.token).as_bytes(), &frame(0x81, subscribe)].concat();
    let alone = scene.bystander.alone();
    let mut idle: Vec<TcpStream> = scene
        .bystander
        .goes_on_during("ten thousand connections coming", || {
            (0..wanted)
                .map(|_| open(&scene.server.address(), &hello))
                .collect()
        });
    assert!(idle.iter_mut().all(is_subscribed), "each is served");
    if let (Some(before), Some(after)) = (before, scene.server.memory()) {
        let each = (after.now - before.now) / wanted as u64;
        println!("{wanted} connections, {each} bytes each");
        assert!(
            !is_release() || each < BYTES_EACH,
            "{each} bytes for an idle connection"
        );
    }
    scene
        .bystander
        .is_unhurt_since(alone, "ten thousand connections being there");
    drop(idle);
    scene.end(if is_release() { 300 * MIB } else { 800 * MIB });
}
