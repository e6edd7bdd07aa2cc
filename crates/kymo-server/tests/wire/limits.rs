//! At each limit, and one byte over it.
use std::io::Write;

use kymo_event::Limits;
use kymo_hub::HubSettings;

use crate::support::{
    server::{Choices, Running},
    ws::Ws,
};

fn small() -> Choices {
    let limits = Limits {
        event_bytes_max: 2000,
        batch_bytes_max: 10_000,
        nesting_max: 10,
        name_bytes_max: 20,
        id_bytes_max: 30,
    };
    Choices {
        hub: HubSettings {
            limits,
            ..HubSettings::default()
        },
        ..Choices::default()
    }
}

/// An event of exactly so many bytes.
fn event(bytes: usize) -> String {
    let frame = r#"{"type":"a","data":""}"#.len();
    format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(bytes - frame))
}

#[tokio::test]
async fn an_event_may_be_as_large_as_the_limit_and_not_a_byte_larger_and_the_others_are_stored() {
    let server = Running::with(small()).await;
    assert_eq!(server.emit(event(2000)).await.json()["accepted"], 1);
    assert_eq!(server.emit(event(2001)).await.rejected(), ["event_too_large"]);
    let mixed = server
        .emit_lines(format!("{}\n{}\n{}", event(100), event(2001), event(100)))
        .await;
    assert_eq!(
        (mixed.json()["accepted"].as_u64(), mixed.rejected()),
        (Some(2), vec!["event_too_large".to_owned()])
    );
    assert_eq!(mixed.json()["rejected"][0]["index"], 1);
    let array = server.emit(format!("[{},{}]", event(2001), event(100))).await;
    assert_eq!(
        (array.json()["accepted"].as_u64(), array.rejected()),
        (Some(1), vec!["event_too_large".to_owned()])
    );
    server.end().await;
}

#[tokio::test]
async fn a_batch_may_be_as_large_as_the_limit_and_not_a_byte_larger_also_compressed() {
    let server = Running::with(small()).await;
    let mut body = format!("{}\n", event(1000)).repeat(9);
    body.push_str(&event(10_000 - body.len()));
    assert_eq!(server.emit_lines(&body).await.json()["accepted"], 10);
    body.push('\n');
    let over = server.emit_lines(&body).await;
    assert_eq!((over.status, over.code()), (413, "batch_too_large".into()));
    let bomb = zstd::encode_all(&vec![b' '; 100 << 20][..], 1).expect("memory");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b' '; 1 << 20]).expect("memory");
    for (encoding, body) in [("zstd", bomb), ("gzip", gzip.finish().expect("memory"))] {
        assert!(body.len() < 10_000, "{encoding}: {}", body.len());
        let answer = server
            .ask("POST", "/api/v1/events", &[("content-encoding", encoding)], &body)
            .await;
        assert_eq!(
            (answer.status, answer.code()),
            (413, "batch_too_large".into()),
            "{encoding}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn names_ids_and_depth_have_limits() {
    let server = Running::with(small()).await;
    let key = |key: &str, bytes| format!(r#"{{"type":"a","{key}":"{}"}}"#, "i".repeat(bytes));
    let name = |bytes| format!(r#"{{"type":"{}"}}"#, "n".repeat(bytes));
    // The event itself is the first bracket.
    let depth = |depth: usize| {
        format!(
            r#"{{"type":"a","data":{}{}}}"#,
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    };
    let cases = [
        (name(20), name(21), "name_too_long"),
        (key("source", 20), key("source", 21), "name_too_long"),
        (key("id", 30), key("id", 31), "id_too_long"),
        (key("task", 30), key("task", 31), "id_too_long"),
        (depth(10), depth(11), "too_deep"),
    ];
    for (at_limit, over, code) in cases {
        assert_eq!(
            server.emit(at_limit).await.json()["accepted"],
            1,
            "{code} at the limit"
        );
        assert_eq!(server.emit(over).await.rejected(), [code], "one over");
    }
    server.end().await;
}

#[tokio::test]
async fn a_hundred_thousand_brackets_are_refused_and_harm_nobody() {
    let server = Running::start().await;
    let deep = format!(r#"{{"type":"a","data":{}"#, "[".repeat(100_000));
    let answer = server.emit(&deep).await;
    assert_eq!(answer.status, 422);
    assert!(
        ["too_deep", "invalid_json"].contains(&answer.rejected()[0].as_str()),
        "{}",
        answer.text()
    );
    let mut client = Ws::connect(&server).await;
    client
        .send_text(&format!(r#"{{"op":"emit","ref":"r","events":[{deep}]}}"#))
        .await;
    assert_eq!(client.json().await["code"], "invalid_json");
    assert_eq!(server.emit(r#"{"type":"a"}"#).await.json()["accepted"], 1);
    server.end().await;
}

#[tokio::test]
async fn limits_hold_on_a_websocket_too() {
    let server = Running::with(small()).await;
    let mut client = Ws::connect(&server).await;
    client
        .send_text(&format!(
            r#"{{"op":"emit","ref":1,"events":[{},{}]}}"#,
            event(2000),
            event(2001)
        ))
        .await;
    let ack = client.op("ack").await;
    assert_eq!(
        (ack["ref"].as_u64(), ack["accepted"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(ack["rejected"][0]["code"], "event_too_large");
    let batch = vec![event(1000); 10].join(",");
    client
        .send_text(&format!(r#"{{"op":"emit","ref":"big","events":[{batch}]}}"#))
        .await;
    let error = client.json().await;
    assert_eq!(
        (&error["ref"], &error["code"]),
        (&"big".into(), &"batch_too_large".into())
    );
    client.send_text(&" ".repeat(10_000 + (64 << 10) + 1)).await;
    assert_eq!(u16::from(client.closed().await.code), 1009);
    server.end().await;
}
