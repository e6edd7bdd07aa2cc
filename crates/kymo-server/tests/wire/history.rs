//! GET: pages of the past, in both directions, filtered, and as lines.
use serde_json::{Value, json};

use crate::support::{each, http::encoded, server::Running};

async fn page(server: &Running, query: &str) -> Value {
    let answer = server.get(&format!("/api/v1/events?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

fn seqs(page: &Value) -> Vec<u64> {
    each(&page["events"], "seq")
        .iter()
        .map(|seq| seq.as_u64().expect("a seq"))
        .collect()
}

#[tokio::test]
async fn without_a_place_the_newest_come_first_and_from_a_place_the_oldest() {
    let server = Running::start().await;
    server.emit_many("a", 10).await;
    assert_eq!(seqs(&page(&server, "limit=3").await), [10, 9, 8]);
    assert_eq!(seqs(&page(&server, "from=4&limit=3").await), [4, 5, 6]);
    assert_eq!(seqs(&page(&server, "from=4&to=6").await), [4, 5]);
    assert_eq!(
        seqs(&page(&server, "from=4&to=8&order=newest").await),
        [7, 6, 5, 4]
    );
    assert_eq!(seqs(&page(&server, "order=oldest&limit=2").await), [1, 2]);
    assert_eq!(seqs(&page(&server, "from=-1h").await).len(), 10);
    assert_eq!(seqs(&page(&server, "to=-1h").await).len(), 0);
    assert_eq!(seqs(&page(&server, "from=2999-01-01T00:00:00Z").await).len(), 0);
    assert_eq!(
        seqs(&page(&server, "from=1999-01-01T00:00:00%2B02:00").await).len(),
        10
    );
    server.end().await;
}

#[tokio::test]
async fn pages_join_without_gap_or_repeat_in_both_directions() {
    let server = Running::start().await;
    server.emit_many("a", 25).await;
    for (order, key) in [("oldest", "from"), ("newest", "to")] {
        let (mut seen, mut place) = (Vec::new(), String::new());
        loop {
            let page = page(&server, &format!("order={order}&limit=7&{place}")).await;
            seen.extend(seqs(&page));
            let Some(next) = page["next"].as_u64() else { break };
            place = format!("{key}={next}");
        }
        if order == "newest" {
            seen.reverse();
        }
        assert_eq!(seen, (1..=25).collect::<Vec<_>>(), "{order}");
    }
    server.end().await;
}

#[tokio::test]
async fn filters_and_channels_choose_and_the_cursor_says_how_far_was_looked() {
    let server = Running::start().await;
    server.emit_many("task.started", 3).await;
    server.emit_many("note", 3).await;
    let found = page(
        &server,
        &format!("from=start&filter={}", encoded("type:task_* data:>=2")),
    )
    .await;
    assert_eq!(seqs(&found), [2, 3]);
    assert_eq!((&found["next"], &found["cursor"]), (&Value::Null, &json!(6)));
    assert_eq!(
        seqs(&page(&server, "from=start&channels=type:note").await),
        [4, 5, 6]
    );
    assert_eq!(
        seqs(&page(&server, "from=start&channels=type:note,type:task&limit=4").await),
        [1, 2, 3, 4]
    );
    assert_eq!(
        seqs(&page(&server, "from=start&channels=type:note&channels=type:task").await).len(),
        6
    );
    assert_eq!(seqs(&page(&server, "from=start&channels=nobody").await).len(), 0);
    server.end().await;
}

#[tokio::test]
async fn lines_are_the_very_lines_of_the_ledger() {
    let server = Running::start().await;
    server.emit_many("a", 300).await;
    let lines = server.lines("").await;
    let file = std::fs::read_dir(server.file("ledger"))
        .expect("the ledger")
        .flatten();
    let mut files: Vec<_> = file
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("text"))
        .collect();
    assert_eq!(lines.join("\n") + "\n", text);
    let some = server
        .ask(
            "GET",
            "/api/v1/events?from=5&to=8",
            &[("accept", "application/x-ndjson")],
            b"",
        )
        .await;
    assert_eq!(some.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(some.text(), lines[4..7].join("\n") + "\n");
    let newest = server
        .ask(
            "GET",
            "/api/v1/events?limit=2",
            &[("accept", "application/x-ndjson")],
            b"",
        )
        .await;
    assert_eq!(newest.text(), format!("{}\n{}\n", lines[299], lines[298]));
    server.end().await;
}

#[tokio::test]
async fn an_empty_ledger_has_an_empty_past() {
    let server = Running::start().await;
    let nothing = page(&server, "").await;
    assert_eq!((&nothing["events"], &nothing["next"]), (&json!([]), &Value::Null));
    assert_eq!(seqs(&page(&server, "from=1").await).len(), 0);
    assert!(server.lines("").await.is_empty());
    server.end().await;
}

#[tokio::test]
async fn parameters_that_cannot_be_used_are_refused_by_name() {
    let server = Running::start().await;
    let refusals = [
        ("fliter=x", "invalid_parameter", "did you mean `filter`?"),
        ("limit=0", "invalid_parameter", "from 1 to 10000"),
        ("limit=10001", "invalid_parameter", "from 1 to 10000"),
        ("limit=5&limit=6", "invalid_parameter", "twice"),
        ("order=random", "invalid_parameter", "newest or oldest"),
        ("from=0", "invalid_parameter", "seqs begin at 1"),
        ("from=yesterday", "invalid_parameter", "RFC 3339"),
        ("to=-5parsecs", "invalid_parameter", "no duration"),
        ("dialect=klingon", "invalid_parameter", "there are"),
        ("filter=level:%3E%3Dloud", "invalid_filter", ""),
        ("filter=%28", "invalid_filter", ""),
    ];
    for (query, code, words) in refusals {
        let answer = server.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{query}");
        let message = answer.json()["error"]["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        assert!(message.contains(words), "{query}: {message}");
    }
    let at = server
        .get(&format!(
            "/api/v1/events?filter={}",
            encoded("type:a level:>=loud")
        ))
        .await;
    assert!(
        at.json()["error"]["detail"]["at"]
            .as_u64()
            .is_some_and(|at| at >= 7),
        "{}",
        at.text()
    );
    server.end().await;
}

#[tokio::test]
async fn a_cursor_ahead_of_the_ledger_or_of_another_one_is_told_so() {
    let server = Running::start().await;
    server.emit_many("a", 3).await;
    let ahead = page(&server, "from=50").await;
    assert_eq!(ahead["gaps"][0]["reason"], "ahead_of_ledger", "{ahead}");
    let other = page(&server, "from=2&ledger=another").await;
    assert_eq!(other["gaps"][0]["reason"], "other_ledger", "{other}");
    assert_eq!(page(&server, "from=4").await.get("gaps"), None);
    server.end().await;
}
