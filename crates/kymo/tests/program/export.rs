//! `export`: what goes out comes back.

use serde_json::Value;

use crate::support::{Home, numbers};

/// What an event says, without where it stood.
fn said(event: &Value) -> Value {
    let mut event = event.clone();
    let map = event.as_object_mut().expect("an object");
    for key in ["seq", "recorded", "crc", "backfill", "ext", "id"] {
        map.remove(key);
    }
    event
}

#[test]
fn an_export_imported_elsewhere_says_the_same() {
    let home = Home::new();
    let server = home.serve();
    for n in 1..=40 {
        home.kymo_with_input(
            &["emit", "-", "--quiet"],
            format!("{{\"type\":\"t{}\",\"source\":\"s\",\"level\":\"warn\",\"agent\":\"a\\u0062\",\"data\":{{\"n\":{n},\"x\":1.0e2}}}}\n", n % 3).as_bytes(),
        )
        .good();
    }
    let out = home.project().join("out.jsonl");
    let ran = home.kymo(&["export", "source:s", "-o", "out.jsonl"]).good();
    assert!(ran.stdout.contains("wrote 40 events"), "{}", ran.stdout);

    let other = Home::new();
    other
        .kymo(&["import", out.to_str().expect("UTF-8"), "--data", ".kymo"])
        .good();
    let again = other.serve();
    let (before, after) = (server.events("source:s"), again.events("source:s"));
    assert_eq!(
        after.iter().map(said).collect::<Vec<_>>(),
        before.iter().map(said).collect::<Vec<_>>()
    );
    // Numbers keep their spelling.
    assert!(
        other
            .kymo(&["export", "source:s"])
            .good()
            .stdout
            .contains("1.0e2")
    );
}

#[test]
fn a_native_export_is_the_ledgers_own_lines() {
    let home = Home::new();
    let server = home.serve();
    for n in 1..=3 {
        home.kymo(&["emit", "a", &format!("n={n}")]).good();
    }
    let live = home.kymo(&["export"]).good().stdout;
    server.stop();
    let files = home.kymo(&["export"]).good().stdout;
    assert!(
        files.starts_with(&live),
        "the same lines with and without a server"
    );
    let ledger: String = std::fs::read_dir(home.data().join("ledger"))
        .expect("listed")
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .map(|entry| std::fs::read_to_string(entry.path()).expect("read"))
        .collect();
    assert_eq!(files, ledger);
}

#[test]
fn a_filter_and_a_stretch_choose_what_goes_out() {
    let home = Home::new();
    let server = home.serve();
    for n in 1..=5 {
        home.kymo(&["emit", if n == 3 { "odd" } else { "even" }, &format!("n={n}")])
            .good();
    }
    let seq = server.events("type:odd")[0]["seq"].as_u64().expect("a seq");
    let got = home
        .kymo(&["export", "-type:odd", "-type:kymo.*", "--from", &seq.to_string()])
        .good()
        .ndjson();
    assert_eq!(numbers(&got), [4, 5]);
    let got = home
        .kymo(&["export", "source:cli", "--until", &seq.to_string()])
        .good()
        .ndjson();
    assert_eq!(numbers(&got), [1, 2]);
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing_behind() {
    let home = Home::new();
    let _server = home.serve();
    home.kymo(&["emit", "a"]).good();
    let ran = home.kymo(&["export", "-o", "no/such/folder.jsonl"]).code(1);
    assert!(ran.stderr.contains("no/such/folder.jsonl"), "{}", ran.stderr);
    std::fs::create_dir(home.project().join("taken")).expect("created");
    home.kymo(&["export", "-o", "taken"]).code(1);
    assert!(!home.project().join("taken.unfinished").exists());
}
