//! CloudEvents 1.0 in their three modes, and given back.
use std::fs;

use serde_json::{Value, json};

use crate::support::{fixtures, server::Running, ws::Ws};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn cases(name: &str) -> Vec<(String, Value)> {
    let Some(folder) = fixtures("cloudevents") else {
        return vec![];
    };
    let text = fs::read_to_string(folder.join(name)).expect("the fixture");
    let list: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    list.into_iter()
        .map(|case| {
            (
                case["name"].as_str().expect("a name").to_owned(),
                case["event"].clone(),
            )
        })
        .collect()
}

async fn post(server: &Running, content_type: &str, body: &str) -> crate::support::http::Answer {
    server
        .ask(
            "POST",
            "/api/v1/events",
            &[("content-type", content_type)],
            body.as_bytes(),
        )
        .await
}

async fn all_back(server: &Running) -> Vec<Value> {
    let path = "/api/v1/events?from=start&dialect=cloudevents";
    let answer = server
        .ask("GET", path, &[("accept", "application/x-ndjson")], b"")
        .await;
    answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// What is said of absent attributes: nothing.
fn without_nulls(event: &Value) -> Value {
    let object = event.as_object().expect("an object").iter();
    Value::Object(
        object
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

#[tokio::test]
async fn valid_events_are_kept_and_come_back_equal() {
    let cases = cases("valid.json");
    if cases.is_empty() {
        return;
    }
    assert!(cases.len() >= 10);
    let server = Running::start().await;
    for (name, event) in &cases {
        let answer = post(
            &server,
            &format!("{STRUCTURED}; charset=utf-8"),
            &event.to_string(),
        )
        .await;
        let receipt = answer.json();
        let kept = receipt["accepted"] == 1 || receipt["duplicates"] != json!([]);
        assert!(answer.status == 200 && kept, "{name}: {receipt}");
    }
    let back: Vec<Value> = all_back(&server).await.iter().map(without_nulls).collect();
    for (name, event) in &cases {
        assert!(
            back.contains(&without_nulls(event)),
            "{name} is not among {back:#?}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn invalid_events_are_refused_in_every_json_mode() {
    let cases = cases("invalid.json");
    if cases.is_empty() {
        return;
    }
    let server = Running::start().await;
    for (name, event) in &cases {
        for (content_type, body) in [(STRUCTURED, event.to_string()), (BATCH, format!("[{event}]"))] {
            let answer = post(&server, content_type, &body).await;
            assert_eq!(answer.status, 422, "{name}: {}", answer.text());
            assert_eq!(answer.rejected().len(), 1, "{name}");
        }
    }
    assert!(server.lines("").await.is_empty());
    server.end().await;
}

#[tokio::test]
async fn a_batch_is_an_array_and_may_be_empty() {
    let server = Running::start().await;
    let event =
        |id: &str| json!({"specversion":"1.0","id":id,"source":"/ci","type":"build.done","data":{"n":1}});
    let answer = post(
        &server,
        "Application/CloudEvents-Batch+JSON",
        &json!([event("1"), event("2")]).to_string(),
    )
    .await;
    assert_eq!(answer.json()["accepted"], 2);
    let empty = post(&server, BATCH, "[]").await;
    assert_eq!((empty.status, &empty.json()["accepted"]), (200, &json!(0)));
    server.end().await;
}

#[tokio::test]
async fn binary_mode_reads_attributes_from_headers_and_data_from_the_body() {
    let server = Running::start().await;
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/ci"),
        ("ce-type", "build.done"),
        ("ce-time", "2026-01-01T00:00:00Z"),
        ("ce-subject", "Z%C3%BCrich"),
        ("content-type", "application/json"),
    ];
    let answer = server
        .ask("POST", "/api/v1/events", &headers, br#"{"ok":1.0}"#)
        .await;
    assert_eq!(answer.json()["accepted"], 1, "{}", answer.text());
    let back = &all_back(&server).await[0];
    assert_eq!(
        (&back["id"], &back["type"], &back["data"]),
        (&json!("7"), &json!("build.done"), &json!({"ok":1.0}))
    );
    assert_eq!(
        (&back["subject"], &back["time"]),
        (&json!("Zürich"), &json!("2026-01-01T00:00:00Z"))
    );
    let without_id = [headers[0], headers[2], headers[3], headers[6]];
    let refused = server.ask("POST", "/api/v1/events", &without_id, b"{}").await;
    assert_eq!(
        (refused.status, refused.rejected()),
        (422, vec!["not_cloudevents".to_owned()])
    );
    server.end().await;
}

#[tokio::test]
async fn a_subscriber_may_ask_for_them() {
    let server = Running::start().await;
    let event = json!({"specversion":"1.0","id":"1","source":"/ci","type":"build.done","data":[1.50,"é"]});
    post(&server, STRUCTURED, &event.to_string()).await;
    server.emit(r#"{"type":"native","data":1}"#).await;
    let mut client = Ws::connect(&server).await;
    client
        .send(&json!({"op":"subscribe","sub":"ce","from":"start","dialect":"cloudevents"}))
        .await;
    let events = client.events(2).await;
    assert_eq!(events[0], event);
    // An event without id is given one that stays: its place.
    assert_eq!(events[1]["specversion"], "1.0");
    assert!(
        events[1]["id"].as_str().is_some_and(|id| id.ends_with(":2")),
        "{}",
        events[1]
    );
    server.end().await;
}
