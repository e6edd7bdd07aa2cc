//! Filters that are long, deep, or dear to look through.

use std::{thread, time::Duration};

use serde_json::json;

use super::{MIB, Scene};
use crate::support::raw::{Raw, text};

/// Terms that a filter may try on every event.
const TERMS: usize = 512;

#[test]
fn filters_beyond_every_measure_are_refused_by_name() {
    let scene = Scene::new();
    let token = &scene.server.token;
    let cases = [
        ("brackets that open", "(".repeat(100_000)),
        (
            "brackets",
            format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)),
        ),
        (
            "deep, but not long",
            format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000)),
        ),
        ("negations", "-(".repeat(30_000)),
        ("words of negation", "NOT ".repeat(16_000)),
        ("a hundred thousand terms", "a OR ".repeat(100_000)),
        (
            "terms to try on every event",
            (0..=TERMS).map(|n| format!("w{n} ")).collect(),
        ),
        ("NUL", "type:\0\0 (".into()),
        ("nothing but stars", format!("type:{}x (", "*".repeat(60_000))),
    ];
    scene.bystander.is_unhurt_by("filters beyond measure", || {
        let mut raw = Raw::to(&scene.server);
        raw.upgrade(token).expect("an upgrade");
        for (name, filter) in &cases {
            let message = json!({"op": "subscribe", "sub": "a", "filter": filter}).to_string();
            raw.send(text(message)).expect("it is taken");
            let error = raw.op_of(&["error", "subscribed"]).expect("an answer");
            assert_eq!(error["code"], "invalid_filter", "{name}: {error}");
        }
        let mut raw = Raw::to(&scene.server);
        let query = "(".repeat(60_000);
        let request = format!(
            "GET /api/v1/events?filter={query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        raw.send(request).expect("it is taken");
        let answer = raw.answer().expect("an answer");
        assert_eq!((answer.status, answer.code()), (400, "invalid_filter".into()));
    });
    scene.end(150 * MIB);
}

#[test]
fn readers_with_the_dearest_filters_there_are_cost_themselves_and_not_the_others() {
    let scene = Scene::new();
    let words: Vec<String> = (0..TERMS).map(|n| format!("w{n:x}")).collect();
    let paths: Vec<String> = (0..TERMS).map(|n| format!("data.k{n:x}:1")).collect();
    let dear = [
        words.join(" OR "),
        paths.join(" OR "),
        format!("-({})", words.join(" OR ")),
        format!("type:*{}b", "a*".repeat(3_000)),
    ];
    // Something to look through: large events whose words nearly match.
    let filler = "www aaa wzz ".repeat(80);
    let kind = "a".repeat(150);
    let line = format!("{{\"type\":\"{kind}\",\"data\":{{\"text\":\"{filler}\"}}}}\n");
    assert_eq!(scene.server.post(line.repeat(2_000)).0, 200);
    let readers: Vec<Raw> = dear
        .iter()
        .map(|filter| {
            let mut raw = Raw::to(&scene.server);
            raw.upgrade(&scene.server.token).expect("an upgrade");
            let message = json!({"op": "subscribe", "sub": "a", "filter": filter, "from": "start"});
            raw.send(text(message.to_string())).expect("it is taken");
            raw.op("subscribed").expect("it is allowed");
            raw
        })
        .collect();
    scene.bystander.is_served_beside("dear filters", || {
        assert_eq!(scene.server.post(line.repeat(5)).0, 200);
        thread::sleep(Duration::from_millis(50));
    });
    drop(readers);
    scene.end(250 * MIB);
}
