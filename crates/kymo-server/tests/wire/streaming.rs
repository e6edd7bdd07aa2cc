//! Server-sent events: past and present in one stream, resumed by id.
use serde_json::json;

use crate::support::{http::encoded, server::Running, sse::Sse};

#[tokio::test]
async fn the_past_then_the_present_with_the_seq_as_id() {
    let server = Running::start().await;
    server.emit_many("a", 5).await;
    let mut stream = Sse::open(&server, "from=3", &[]).await;
    let first = stream.next().await.expect("a message");
    assert_eq!(
        (first.event.as_str(), &first.json()["from"], &first.json()["head"]),
        ("subscribed", &json!(3), &json!(5))
    );
    assert!(stream.retry_ms.is_some_and(|ms| (1000..2000).contains(&ms)));
    for seq in 3..=5 {
        let message = stream.next().await.expect("a message");
        assert_eq!(
            (message.id.as_str(), &message.json()["seq"]),
            (seq.to_string().as_str(), &json!(seq))
        );
    }
    assert_eq!(stream.named("caught_up").await.json()["cursor"], 5);
    server.emit_many("b", 2).await;
    assert_eq!(stream.event().await["seq"], 6);
    assert_eq!(stream.event().await["seq"], 7);
    server.end().await;
}

#[tokio::test]
async fn headers_keep_proxies_and_caches_out_of_the_way() {
    let server = Running::start().await;
    let stream = Sse::open(&server, "", &[]).await;
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.head.header("cache-control"), Some("no-cache"));
    assert_eq!(stream.head.header("x-accel-buffering"), Some("no"));
    server.end().await;
}

#[tokio::test]
async fn a_stream_resumes_behind_the_last_id_however_it_is_said() {
    let server = Running::start().await;
    server.emit_many("a", 5).await;
    let ways: [(&str, &[(&str, &str)]); 4] = [
        ("", &[("last-event-id", "3")]),
        ("last_event_id=3", &[]),
        ("lastEventId=3", &[]),
        // What the browser saw last outweighs what the page began with.
        ("from=start&last_event_id=1", &[("last-event-id", "3")]),
    ];
    for (query, headers) in ways {
        let mut stream = Sse::open(&server, query, headers).await;
        assert_eq!(stream.event().await["seq"], 4, "{query} {headers:?}");
    }
    let mut nothing_seen = Sse::open(&server, "", &[("last-event-id", "0")]).await;
    assert_eq!(nothing_seen.event().await["seq"], 1);
    let refused = server.get("/api/v1/stream?last_event_id=x").await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "invalid_parameter".into())
    );
    server.end().await;
}

#[tokio::test]
async fn the_id_moves_over_what_does_not_match() {
    let server = Running::start().await;
    server.emit_many("yes", 2).await;
    server.emit_many("no", 50).await;
    let query = format!("from=start&filter={}", encoded("type:yes"));
    let mut stream = Sse::open(&server, &query, &[]).await;
    assert_eq!(stream.event().await["seq"], 1);
    assert_eq!(stream.event().await["seq"], 2);
    stream.named("caught_up").await;
    // Another match is the wake-up: by then the id has passed everything before it.
    server.emit_many("no", 1).await;
    server.emit_many("yes", 1).await;
    let message = stream.named("message").await;
    assert_eq!(
        (message.json()["seq"].as_u64(), message.id.as_str()),
        (Some(54), "54")
    );
    drop(stream);
    let mut resumed = Sse::open(&server, &query, &[("last-event-id", "30")]).await;
    assert_eq!(resumed.event().await["seq"], 54);
    server.end().await;
}

#[tokio::test]
async fn a_gap_is_told_in_the_stream_and_moves_the_id() {
    let server = Running::start().await;
    server.emit_many("a", 3).await;
    let mut stream = Sse::open(&server, "", &[("last-event-id", "40")]).await;
    let gap = stream.named("gap").await;
    assert_eq!(
        (&gap.json()["op"], &gap.json()["asked"], &gap.json()["reason"]),
        (&json!("gap"), &json!(41), &json!("ahead_of_ledger"))
    );
    let first = gap.json()["first"].as_u64().expect("a seq");
    assert_eq!(gap.id, (first - 1).to_string());
    server.emit_many("b", 1).await;
    assert_eq!(stream.event().await["seq"], 4);
    server.end().await;
}

#[tokio::test]
async fn unknown_parameters_and_broken_filters_are_refused_before_the_stream_begins() {
    let server = Running::start().await;
    let unknown = server.get("/api/v1/stream?form=now").await;
    assert_eq!(
        (unknown.status, unknown.code()),
        (400, "invalid_parameter".into())
    );
    assert!(unknown.text().contains("did you mean `from`?"));
    let broken = server.get("/api/v1/stream?filter=%28").await;
    assert_eq!((broken.status, broken.code()), (400, "invalid_filter".into()));
    server.end().await;
}
