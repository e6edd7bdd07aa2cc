//! What clients are told when the disk does not do what it should, and that all goes on afterwards.
use kymo_ledger::testing::FaultyDisk;
use serde_json::json;

use crate::support::{
    server::{Choices, Running},
    sse::Sse,
    ws::Ws,
};

async fn on(disk: &FaultyDisk) -> Running {
    Running::with(Choices {
        disk: Some(disk.clone()),
        ..Choices::default()
    })
    .await
}

/// Emits until it is accepted again, as a patient emitter does.
async fn accepted_again(server: &Running) -> u64 {
    loop {
        let answer = server.emit(r#"{"type":"after"}"#).await;
        if answer.status == 200 {
            return answer.json()["first"].as_u64().expect("a seq");
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_507_reading_goes_on_and_accepting_resumes_by_itself() {
    let disk = FaultyDisk::new();
    let server = on(&disk).await;
    let mut client = Ws::connect(&server).await;
    client.subscribe("all", "", json!("now")).await;
    server.emit_many("before", 3).await;
    disk.set_space(Some(0));
    let full = server.emit(r#"{"type":"lost"}"#).await;
    assert_eq!((full.status, full.code()), (507, "disk_full".into()));
    assert!(full.header("retry-after").is_some() && full.json()["error"]["retry_after_s"].is_u64());
    assert_eq!(client.events(3).await.len(), 3);
    client
        .send(&json!({"op":"emit","ref":"r","events":[{"type":"lost"}]}))
        .await;
    let error = client.refusal().await;
    assert_eq!(
        (&error["ref"], &error["code"]),
        (&json!("r"), &json!("disk_full"))
    );
    assert_eq!(server.lines("").await.len(), 3);
    disk.heal();
    let seq = accepted_again(&server).await;
    assert!(server.lines("type:lost").await.is_empty());
    loop {
        let events = client.events(1).await;
        assert_ne!(events[0]["type"], "lost");
        if events.iter().any(|event| event["seq"] == seq) {
            break;
        }
    }
    server.end().await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_503_and_nothing_of_the_batch_is_seen() {
    let disk = FaultyDisk::new();
    let server = on(&disk).await;
    server.emit_many("before", 2).await;
    let mut stream = Sse::open(
        &server,
        "filter=type:before%20OR%20type:lost%20OR%20type:after",
        &[],
    )
    .await;
    disk.fail_sync(Some(0));
    let failed = server.emit(r#"{"type":"lost"}"#).await;
    assert_eq!(
        (failed.status, failed.code()),
        (503, "ledger_unwritable".into()),
        "{}",
        failed.text()
    );
    let seq = accepted_again(&server).await;
    let next = stream.event().await;
    assert_eq!((&next["type"], &next["seq"]), (&json!("after"), &json!(seq)));
    assert!(server.lines("type:lost").await.is_empty());
    server.end().await;
}

#[tokio::test]
async fn a_disk_mounted_read_only_is_told_as_such() {
    let disk = FaultyDisk::new();
    let server = on(&disk).await;
    server.emit_many("before", 1).await;
    disk.set_read_only(true);
    let refused = server.emit(r#"{"type":"lost"}"#).await;
    assert_eq!(
        (refused.status, refused.code()),
        (503, "ledger_unwritable".into()),
        "{}",
        refused.text()
    );
    assert_eq!(server.lines("").await.len(), 1);
    disk.heal();
    accepted_again(&server).await;
    server.end().await;
}
