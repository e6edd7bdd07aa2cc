//! `tail`: live, over restarts, and without a server.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, Running, Server, numbers, signal};

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

fn post(server: &Server, kind: &str, numbers: impl IntoIterator<Item = u64>) {
    let lines: String = numbers
        .into_iter()
        .map(|n| format!("{{\"type\":\"{kind}\",\"data\":{{\"n\":{n}}}}}\n"))
        .collect();
    assert_eq!(server.post(lines).0, 200);
}

fn take(tail: &Running, count: usize) -> Vec<u64> {
    let events: Vec<Value> = (0..count).map(|_| json(&tail.line())).collect();
    numbers(&events)
}

#[test]
fn the_newest_are_shown_first_and_then_what_happens() {
    let home = Home::new();
    let server = home.serve();
    post(&server, "a", 1..=20);
    let tail = Running::start(home.command(&["tail", "type:a", "--json", "-n", "3"]));
    assert_eq!(take(&tail, 3), [18, 19, 20]);
    post(&server, "a", 21..=22);
    post(&server, "b", 1..=5);
    post(&server, "a", 23..=23);
    assert_eq!(take(&tail, 3), [21, 22, 23]);
}

#[test]
fn filters_channels_and_a_beginning_choose_what_is_shown() {
    let home = Home::new();
    let server = home.serve();
    home.kymo(&["emit", "x", "n=1", "--agent", "planner", "--source", "s"])
        .good();
    home.kymo(&["emit", "x", "n=2", "--agent", "coder", "--source", "s"])
        .good();
    home.kymo(&["emit", "x", "n=3", "--agent", "planner", "--source", "test"])
        .good();
    let args = [
        "tail",
        "type:x",
        "-source:test",
        "--channels",
        "agent:planner,agent:coder",
        "--since",
        "start",
        "--json",
        "--limit",
        "2",
    ];
    let ran = home.kymo(&args).good();
    assert_eq!(numbers(&ran.ndjson()), [1, 2]);
    let last = server.events("type:x")[2]["seq"].to_string();
    let ran = home
        .kymo(&["tail", "type:x", "--from", &last, "--json", "--limit", "1"])
        .good();
    assert_eq!(numbers(&ran.ndjson()), [3]);
    let ran = home
        .kymo(&["tail", "type:x", "--since", "1h", "--json", "--limit", "3"])
        .good();
    assert_eq!(numbers(&ran.ndjson()), [1, 2, 3]);
}

#[test]
fn people_see_time_level_type_and_gist() {
    let home = Home::new();
    let _server = home.serve();
    home.kymo(&[
        "emit",
        "disk.low",
        "message=only 3 GB left",
        "--level",
        "warn",
        "--agent",
        "ops",
    ])
    .good();
    let shown = home
        .kymo(&["tail", "type:disk.low", "--limit", "1"])
        .good()
        .stdout;
    for part in ["warn", "disk.low", "cli", "agent=ops", "only 3 GB left"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn over_a_kill_and_a_restart_each_event_is_seen_once() {
    let home = Home::new();
    let server = home.serve();
    post(&server, "a", 1..=5);
    let tail = Running::start(home.command(&["tail", "type:a", "--json"]));
    assert_eq!(take(&tail, 5), [1, 2, 3, 4, 5]);
    post(&server, "a", 6..=10);
    assert_eq!(take(&tail, 5), [6, 7, 8, 9, 10]);
    server.kill();
    tail.error_with("lost");
    let server = home.serve();
    post(&server, "a", 11..=15);
    tail.error_with("again");
    assert_eq!(take(&tail, 5), [11, 12, 13, 14, 15]);
    server.stop();
    tail.error_with("lost");
    let server = home.serve();
    post(&server, "a", 16..=17);
    assert_eq!(take(&tail, 2), [16, 17]);
    assert!(tail.lines_so_far().is_empty());
}

#[test]
fn without_a_server_it_follows_the_files_and_goes_on_when_one_starts() {
    let home = Home::new();
    let server = home.serve();
    post(&server, "a", 1..=3);
    server.stop();
    let tail = Running::start(home.command(&["tail", "type:a", "--json"]));
    assert_eq!(take(&tail, 3), [1, 2, 3]);
    tail.error_with("no server is running");
    let server = home.serve();
    post(&server, "a", 4..=5);
    assert_eq!(take(&tail, 2), [4, 5]);
    assert!(tail.lines_so_far().is_empty());
}

#[test]
fn where_nothing_is_recorded_yet_it_waits() {
    let home = Home::new();
    std::fs::create_dir(home.data()).expect("created");
    let tail = Running::start(home.command(&["tail", "type:first", "--json"]));
    tail.error_with("nothing is recorded");
    let server = home.serve();
    post(&server, "first", 1..=1);
    assert_eq!(take(&tail, 1), [1]);
}

#[test]
fn a_cursor_beyond_the_ledger_is_told() {
    let home = Home::new();
    let server = home.serve();
    let tail = Running::start(home.command(&["tail", "type:a", "--from", "100000", "--json"]));
    tail.error_with("beyond the end of the ledger");
    post(&server, "a", 1..=2);
    assert_eq!(take(&tail, 2), [1, 2]);
}

#[test]
fn a_wrong_filter_is_refused_at_once_with_its_place() {
    let home = Home::new();
    let _server = home.serve();
    let ran = home.kymo(&["tail", "type:a", "(level:warn"]).code(2);
    assert!(
        ran.stderr.contains("[invalid_filter]") && ran.stderr.contains("character"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let home = Home::new();
    let server = home.serve();
    post(&server, "a", 1..=5_000);
    let mut command = home.command(&["tail", "type:a", "--since", "start", "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    // Something more to write, in case all of it fitted into the pipe.
    post(&server, "a", 5_001..=5_010);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (Some(0), "")
    );
}

#[test]
fn ctrl_c_ends_it() {
    let home = Home::new();
    let server = home.serve();
    post(&server, "a", 1..=1);
    let tail = Running::start(home.command(&["tail", "type:a", "--json"]));
    take(&tail, 1);
    signal(tail.pid(), "INT");
    assert!(!tail.end().0.success());
}
