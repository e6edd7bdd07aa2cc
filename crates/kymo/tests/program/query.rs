//! `query`: lists, counts, groups; with a server and without.

use std::fmt::Write;

use serde_json::json;

use crate::support::{Home, Server, numbers, seqs};

fn with_events() -> (Home, Server) {
    let home = Home::new();
    let server = home.serve();
    let mut lines = String::new();
    for n in 1..=250 {
        let language = ["Rust", "Python", "Rust", "Go, \"and\" more"][n % 4];
        let level = if n % 50 == 0 { "error" } else { "info" };
        let agent = if n % 2 == 0 { ",\"agent\":\"even\"" } else { "" };
        writeln!(
            lines,
            "{{\"type\":\"file.changed\",\"source\":\"s\",\"level\":\"{level}\"{agent},\"data\":{{\"n\":{n},\"language\":{language:?},\"deep\":{{\"x\":{}}}}}}}",
            n % 3
        )
        .expect("memory");
    }
    assert_eq!(server.post(lines).1["accepted"], 250);
    (home, server)
}

#[test]
fn a_list_shows_the_newest_in_order_and_says_that_there_are_more() {
    let (home, _server) = with_events();
    let ran = home.kymo(&["query", "type:file.*"]).good();
    assert_eq!(ran.stdout.lines().count(), 100);
    assert!(ran.stderr.contains("--limit 0"), "{}", ran.stderr);
    let ran = home.kymo(&["query", "type:file.*", "-n", "3", "--ndjson"]).good();
    assert_eq!(numbers(&ran.ndjson()), [248, 249, 250]);
    let ran = home.kymo(&["query", "type:file.*", "--limit", "0"]).good();
    assert_eq!(ran.stdout.lines().count(), 250);
}

#[test]
fn counts_and_groups_by_any_key_or_path() {
    let (home, _server) = with_events();
    assert_eq!(
        home.kymo(&["query", "level:>=error", "--count"]).good().stdout,
        "5\n"
    );
    let groups = |key: &str| {
        home.kymo(&["query", "source:s", "--by", key, "--json"])
            .good()
            .json()
    };
    assert_eq!(
        groups("level")["groups"],
        json!([{ "value": "info", "count": 245 }, { "value": "error", "count": 5 }])
    );
    assert_eq!(
        groups("agent")["groups"],
        json!([{ "value": null, "count": 125 }, { "value": "even", "count": 125 }])
    );
    assert_eq!(
        groups("data.language")["groups"][0],
        json!({ "value": "Rust", "count": 125 })
    );
    assert_eq!(
        groups("data.deep.x")["groups"][0],
        json!({ "value": "1", "count": 84 })
    );
    let table = home
        .kymo(&["query", "source:s", "--count", "--by", "data.language"])
        .good()
        .stdout;
    assert!(
        table
            .lines()
            .next()
            .is_some_and(|row| row.starts_with("Rust") && row.contains("125")),
        "{table}"
    );
    let csv = home
        .kymo(&["query", "source:s", "--by", "data.language", "--csv"])
        .good()
        .stdout;
    assert!(csv.starts_with("data.language,count\nRust,125\n"), "{csv}");
    assert!(csv.contains("\"Go, \"\"and\"\" more\",62"), "{csv}");
    let ran = home.kymo(&["query", "--by", "language"]).code(2);
    assert!(ran.stderr.contains("data.language"), "{}", ran.stderr);
}

#[test]
fn every_form_holds_the_same_events() {
    let (home, server) = with_events();
    let expected = seqs(&server.events("source:s"));
    let json = home.kymo(&["query", "source:s", "--json"]).good().json();
    assert_eq!(seqs(json.as_array().expect("a list")), expected);
    assert_eq!(
        seqs(&home.kymo(&["query", "source:s", "--ndjson"]).good().ndjson()),
        expected
    );
    let csv = home.kymo(&["query", "source:s", "--csv"]).good().stdout;
    assert_eq!(csv.lines().count(), 251);
    assert!(csv.contains("\"{\"\"n\"\":1,"), "{csv}");
    assert!(csv.starts_with("seq,recorded,"), "{csv}");
    assert_eq!(
        home.kymo(&["query", "source:nobody", "--json"]).good().json(),
        json!([])
    );
    home.kymo(&["query", "--json", "--csv"]).code(2);
}

#[test]
fn what_was_imported_is_marked_with_the_time_at_which_it_happened() {
    let home = Home::new();
    let server = home.serve();
    server.post(
        "{\"type\":\"old\",\"time\":\"2020-02-14T19:01:23Z\",\"backfill\":true}\n\
         {\"type\":\"older\",\"backfill\":true}\n{\"type\":\"new\"}\n",
    );
    let shown = home
        .kymo(&["query", "(type:old OR type:older OR type:new)"])
        .good()
        .stdout;
    let line = |kind: &str| {
        let found = shown.lines().find(|line| line.contains(&format!(" {kind} ")));
        found.unwrap_or_else(|| panic!("no {kind} in {shown}"))
    };
    assert!(
        line("old").ends_with("backfill 2020-02-14T19:01:23.000000Z"),
        "{shown}"
    );
    assert!(line("older").ends_with("backfill"), "{shown}");
    assert!(!line("new").contains("backfill"), "{shown}");
    let tail = home.kymo(&["tail", "type:older", "--limit", "1"]).good().stdout;
    assert!(tail.contains("backfill"), "{tail}");
    let csv = home.kymo(&["query", "type:older", "--csv"]).good().stdout;
    assert!(
        csv.lines().nth(1).is_some_and(|row| row.ends_with(",true,")),
        "{csv}"
    );
}

#[test]
fn a_bare_date_is_a_moment() {
    let (home, server) = with_events();
    let all = server.events("source:s").len();
    let count = |args: &[&str]| {
        let mut all = vec!["query", "source:s", "--count"];
        all.extend(args);
        home.kymo(&all).good().stdout.trim().to_owned()
    };
    assert_eq!(count(&["--since", "2020-02-14"]), all.to_string());
    assert_eq!(count(&["--until", "2020-02-14 19:00"]), "0");
    assert_eq!(count(&["--since", "2200-01-01"]), "0");
    let ran = home.kymo(&["query", "--since", "14.02.2020"]).code(2);
    assert!(ran.stderr.contains("2026-02-14, today"), "{}", ran.stderr);
}

#[test]
fn it_answers_the_same_without_a_server() {
    let (home, server) = with_events();
    let questions: &[&[&str]] = &[
        &["query", "source:s", "--ndjson"],
        &["query", "source:s", "-n", "7", "--ndjson"],
        &["query", "data.n:>200", "agent:even", "--ndjson"],
        &["query", "source:s", "--from", "20", "--to", "30", "--ndjson"],
        &[
            "query",
            "source:s",
            "--since",
            "1h",
            "--by",
            "data.language",
            "--json",
        ],
        &["query", "source:s", "--to", "1h", "--count"],
        &["query", "source:s", "-agent:even", "--count"],
        &["query", "--channels", "agent:even", "source:s", "--count"],
    ];
    let ask = || {
        questions
            .iter()
            .map(|args| home.kymo(args).good().stdout)
            .collect::<Vec<_>>()
    };
    let live = ask();
    assert_eq!(live[3].lines().count(), 10);
    assert_eq!(live[5], "0\n");
    assert_eq!(live[7], "125\n");
    server.stop();
    for ((files, live), args) in ask().into_iter().zip(live).zip(questions) {
        assert_eq!(files, live, "{args:?}");
    }
}

#[test]
fn where_nothing_is_recorded_it_says_so() {
    let home = Home::new();
    let ran = home.kymo(&["query", "--data", "empty"]).code(1);
    assert!(
        ran.stderr.contains("nothing is recorded in") && ran.stderr.contains("kymo up"),
        "{}",
        ran.stderr
    );
}

#[test]
fn wrong_words_say_where_and_what_to_write() {
    let (home, _server) = with_events();
    let ran = home.kymo(&["query", "type:"]).code(2);
    assert!(ran.stderr.contains("[invalid_filter]"), "{}", ran.stderr);
    let ran = home.kymo(&["query", "--since", "soon"]).code(2);
    assert!(ran.stderr.contains("5m"), "{}", ran.stderr);
    let ran = home.kymo(&["query", "--channels", "agent:"]).code(2);
    assert!(ran.stderr.contains("[invalid_filter]"), "{}", ran.stderr);
}
