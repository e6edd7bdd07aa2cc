//! `replay`: the past at its own pace, here or elsewhere.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{DEADLINE, Home, numbers};

#[test]
fn it_prints_what_happened_in_order() {
    let home = Home::new();
    let server = home.serve();
    for n in 1..=4 {
        home.kymo(&["emit", "step", &format!("n={n}")]).good();
    }
    let ran = home
        .kymo(&["replay", "type:step", "--speed", "max", "--json"])
        .good();
    assert_eq!(numbers(&ran.ndjson()), [1, 2, 3, 4]);
    let from = server.events("type:step")[2]["seq"].to_string();
    let ran = home
        .kymo(&["replay", "type:step", "--from", &from, "--speed", "max", "--json"])
        .good();
    assert_eq!(numbers(&ran.ndjson()), [3, 4]);
    server.stop();
    let ran = home
        .kymo(&["replay", "type:step", "--speed", "max", "--json"])
        .good();
    assert_eq!(numbers(&ran.ndjson()), [1, 2, 3, 4]);
}

#[test]
fn it_keeps_the_pace_at_which_things_were_recorded() {
    let home = Home::new();
    let server = home.serve();
    server.post("{\"type\":\"step\"}\n");
    // From the answer on: the first was recorded before it, however long it took.
    let began = Instant::now();
    crate::support::wait_for("some time to pass", || {
        (began.elapsed() > Duration::from_millis(900)).then_some(())
    });
    server.post("{\"type\":\"step\"}\n");
    let took = |args: &[&str]| {
        let began = Instant::now();
        home.kymo(args).good();
        began.elapsed()
    };
    assert!(took(&["replay", "type:step"]) >= Duration::from_millis(850));
    // A quarter of an hour at this speed, however slow the machine is.
    let short = took(&["replay", "type:step", "--speed", "0.001", "--pause-max", "0.01"]);
    assert!(short < DEADLINE, "{short:?}");
}

#[test]
fn copies_go_to_another_kymo_and_say_where_they_came_from() {
    let home = Home::new();
    let server = home.serve();
    home.kymo(&[
        "emit", "step", "n=1", "--id", "mine", "--agent", "a", "--level", "warn",
    ])
    .good();
    home.kymo(&["emit", "step", "n=2"]).good();
    let other = Home::new();
    let there = other.serve();
    let args = [
        "replay",
        "--speed",
        "max",
        "--to",
        &there.url,
        "--to-token",
        &there.token,
    ];
    let ran = home.kymo(&args).good();
    assert!(
        ran.stdout.contains("emitted 2 copies") && ran.stdout.contains("kymo.*"),
        "{}",
        ran.stdout
    );
    let (originals, copies) = (server.events("type:step"), there.events("type:step"));
    let ledger = server.get("/api/v1/status")["ledger"].clone();
    for (original, copy) in originals.iter().zip(&copies) {
        assert_eq!(copy["data"], original["data"]);
        // Of an event without a time of its own, the copy says when it was recorded there.
        let happened = original.get("time").unwrap_or(&original["recorded"]);
        assert_eq!(
            (&copy["agent"], &copy["level"], &copy["time"]),
            (&original["agent"], &original["level"], happened)
        );
        assert_ne!(copy["id"], original["id"]);
        assert_eq!(copy["backfill"], true);
        assert_eq!(
            copy["ext"]["origin"],
            json!({ "ledger": ledger, "seq": original["seq"] })
        );
    }
    // The data folder names the server as well, and a second time makes new copies.
    let folder = other.data();
    home.kymo(&[
        "replay",
        "type:step",
        "--speed",
        "max",
        "--to",
        folder.to_str().expect("UTF-8"),
    ])
    .good();
    assert_eq!(there.events("type:step").len(), 4);
}

#[test]
fn a_destination_that_does_not_answer_or_believe_us_is_said() {
    let home = Home::new();
    let _server = home.serve();
    home.kymo(&["emit", "step"]).good();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("bound");
    let ran = home
        .kymo(&["replay", "--speed", "max", "--to", &format!("http://{free}")])
        .code(3);
    assert!(ran.stderr.contains("does not answer"), "{}", ran.stderr);
    let other = Home::new();
    let there = other.serve();
    home.kymo(&[
        "replay",
        "--speed",
        "max",
        "--to",
        &there.url,
        "--to-token",
        "wrong",
    ])
    .code(7);
    home.kymo(&["replay", "--speed", "0"]).code(2);
}
