//! A system that has no descriptor left for who comes, and has some again later.

use std::io::ErrorKind;

use crate::support::{
    Home, Server,
    raw::{Raw, post},
};

#[test]
fn a_server_out_of_descriptors_serves_who_is_there_and_takes_who_waits_once_there_are_some() {
    let home = Home::new();
    let server = home.serve();
    let mut there = Raw::to(&server);
    let mut emits = || {
        there
            .send(post(&server.token, "", b"{\"type\":\"kept\"}"))
            .expect("it is taken");
        there.answer().expect("an answer").status
    };
    assert_eq!(emits(), 200);
    let taken: Vec<u64> = std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .expect("it runs")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let free = (0..).find(|number| !taken.contains(number)).expect("a number");
    let before = allow(&server, free);
    let mut waiting: Vec<Raw> = (0..20)
        .map(|_| {
            let raw = Raw::to(&server);
            raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .expect("the system takes it");
            raw
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(emits(), 200);
    }
    for raw in &waiting {
        raw.socket().set_nonblocking(true).expect("a socket");
        let answer = raw.socket().peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(
            answer,
            Err(ErrorKind::WouldBlock),
            "there was no descriptor for it"
        );
        raw.socket().set_nonblocking(false).expect("a socket");
    }
    allow(&server, before);
    for raw in &mut waiting {
        assert_eq!(raw.answer().expect("it is served now").status, 200);
    }
    server.stop();
}

/// Gives a running server so many descriptors; how many it had.
fn allow(server: &Server, descriptors: u64) -> u64 {
    use rustix::process::{Pid, Resource, getrlimit, prlimit};
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(descriptors);
    let before = prlimit(pid, Resource::Nofile, limit).expect("it is a process of ours");
    before.current.expect("it asked for as many as it may have")
}
