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
    assert_eq!(
        home.kymo(&["query", "source:nobody", "--json"]).good().json(),
        json!([])
    );
    home.kymo(&["query", "--json", "--csv"]).code(2);
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
    let ran = home.kymo(&["query", "--since", "yesterday"]).code(2);
    assert!(ran.stderr.contains("5m"), "{}", ran.stderr);
    let ran = home.kymo(&["query", "--channels", "agent:"]).code(2);
    assert!(ran.stderr.contains("[invalid_filter]"), "{}", ran.stderr);
}
