//! POST: every form of a body, and what is said of each record.
use std::io::Write;

use serde_json::json;

use crate::support::{
    each,
    server::{Running, data_of, parsed},
};

#[tokio::test]
async fn one_event_is_stored_and_the_receipt_says_where() {
    let server = Running::start().await;
    let answer = server
        .emit(r#"{"type":"task.started","source":"ci","level":"warn","data":{"n":1.50}}"#)
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"accepted":1,"first":1,"last":1,"durability":"fsync","duplicates":[],"rejected":[]})
    );
    let lines = server.lines("").await;
    let line = &parsed(&lines)[0];
    assert_eq!(
        (&line["seq"], &line["type"], &line["level"]),
        (&json!(1), &json!("task.started"), &json!("warn"))
    );
    assert_eq!(data_of(&lines[0]), r#"{"n":1.50}"#);
    server.end().await;
}

#[tokio::test]
async fn arrays_lines_and_sniffed_lines_are_batches_with_contiguous_seqs() {
    let server = Running::start().await;
    let array = server.emit(r#"[{"type":"a"},{"type":"b"}]"#).await;
    assert_eq!(
        (&array.json()["first"], &array.json()["last"]),
        (&json!(1), &json!(2))
    );
    let lines = server
        .emit_lines("{\"type\":\"c\"}\r\n\r\n{\"type\":\"d\"}")
        .await;
    assert_eq!(
        (&lines.json()["first"], &lines.json()["last"]),
        (&json!(3), &json!(4))
    );
    let sniffed = server.emit("{\"type\":\"e\"}\n{\"type\":\"f\"}\n").await;
    assert_eq!(sniffed.json()["accepted"], 2);
    let untyped = server
        .ask("POST", "/api/v1/events", &[], b"{\"type\":\"g\"}")
        .await;
    assert_eq!(untyped.json()["accepted"], 1);
    let stored = parsed(&server.lines("").await);
    let types: Vec<_> = stored
        .iter()
        .map(|line| line["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(types.concat(), "abcdefg");
    server.end().await;
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_the_first_record() {
    let server = Running::start().await;
    assert_eq!(
        server.emit("\u{feff}{\"type\":\"a\"}").await.json()["accepted"],
        1
    );
    assert_eq!(
        server
            .emit_lines("\u{feff}{\"type\":\"a\"}\r\n{\"type\":\"b\"}\r\n")
            .await
            .json()["accepted"],
        2
    );
    server.end().await;
}

#[tokio::test]
async fn a_broken_line_costs_itself_and_is_named_by_index_and_byte() {
    let server = Running::start().await;
    let answer = server
        .emit_lines("{\"type\":\"a\"}\n\n{\"type\":nul}\n{\"type\":\"b\"}\n")
        .await;
    assert_eq!(answer.status, 200);
    let receipt = answer.json();
    assert_eq!(
        (&receipt["accepted"], &receipt["first"], &receipt["last"]),
        (&json!(2), &json!(1), &json!(2))
    );
    let rejected = &receipt["rejected"][0];
    assert_eq!(
        (&rejected["index"], &rejected["code"]),
        (&json!(1), &json!("invalid_json"))
    );
    let byte = rejected["byte"].as_u64().expect("a place");
    assert!((22..=25).contains(&byte), "{byte}");
    server.end().await;
}

#[tokio::test]
async fn a_broken_array_is_refused_whole() {
    let server = Running::start().await;
    let answer = server.emit(r#"[{"type":"a"},{"type":"b"},]"#).await;
    assert_eq!(
        (answer.status, answer.rejected()),
        (422, vec!["invalid_json".to_owned()])
    );
    let receipt = answer.json();
    assert_eq!(
        (&receipt["accepted"], &receipt["first"]),
        (&json!(0), &json!(null))
    );
    assert!(server.lines("").await.is_empty());
    server.end().await;
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_a_code_that_says_why() {
    let server = Running::start().await;
    let refusals = [
        ("", "empty_body"),
        (" \r\n ", "empty_body"),
        ("17", "not_an_event"),
        ("\"text\"", "not_an_event"),
        ("{}", "type_missing"),
        (r#"{"type":""}"#, "type_missing"),
        (r#"{"type":7}"#, "invalid_field"),
        (r#"{"type":"a","time":"lunch"}"#, "invalid_time"),
        (r#"{"type":"a","type":"b"}"#, "duplicate_key"),
        (r#"{"type":"kymo.started"}"#, "reserved_type"),
        (r#"{"type":"KYMO_started"}"#, "reserved_type"),
    ];
    for (body, code) in refusals {
        let answer = server.emit(body).await;
        if code == "reserved_type" && answer.status == 200 {
            // Names are compared as they are written; only the separator is folded.
            assert!(body.contains("KYMO"), "{body}");
            continue;
        }
        assert_eq!(
            (answer.status, answer.rejected()),
            (422, vec![code.to_owned()]),
            "{body}"
        );
        assert!(
            !answer.json()["rejected"][0]["message"]
                .as_str()
                .expect("a message")
                .is_empty()
        );
    }
    let not_utf8 = server.emit(b"{\"type\":\"\xff\"}").await;
    assert_eq!(
        (not_utf8.status, not_utf8.rejected()),
        (422, vec!["invalid_utf8".to_owned()])
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_array_is_one_batch() {
    let server = Running::start().await;
    let event = format!("{{\"type\":\"a\",\"data\":\"{}\"}}", "x".repeat(300));
    let array = format!("[{}]", vec![event.as_str(); 8000].join(","));
    assert!(array.len() > 2 << 20);
    let receipt = server.emit(&array).await.json();
    assert_eq!(
        (&receipt["accepted"], &receipt["first"], &receipt["last"]),
        (&json!(8000), &json!(1), &json!(8000))
    );
    let broken = server.emit(array.replacen('x', "\\q", 1)).await;
    assert_eq!(
        (broken.status, broken.rejected()),
        (422, vec!["invalid_json".to_owned()])
    );
    server.end().await;
}

#[tokio::test]
async fn an_empty_array_stores_nothing_and_refuses_nothing() {
    let server = Running::start().await;
    let answer = server.emit("[]").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"accepted":0,"first":null,"last":null,"durability":"fsync","duplicates":[],"rejected":[]})
    );
    server.end().await;
}

#[tokio::test]
async fn the_same_event_again_is_known_and_other_content_under_its_id_is_stored() {
    let server = Running::start().await;
    let event = r#"{"type":"a","source":"s","id":"1","data":1}"#;
    assert_eq!(server.emit(event).await.json()["first"], 1);
    let again = server.emit(event).await;
    assert_eq!(again.status, 200);
    assert_eq!(
        (&again.json()["accepted"], &again.json()["duplicates"]),
        (&json!(0), &json!([{"index":0,"seq":1}]))
    );
    let other = server
        .emit(r#"{"type":"a","source":"s","id":"1","data":2}"#)
        .await;
    assert_eq!(other.json()["first"], 2);
    let twice = server
        .emit(r#"[{"type":"b","source":"s","id":"2"},{"type":"b","source":"s","id":"2"}]"#)
        .await;
    assert_eq!(
        (&twice.json()["accepted"], &twice.json()["duplicates"]),
        (&json!(1), &json!([{"index":1,"seq":3}]))
    );
    let server = server.restart().await;
    assert_eq!(
        server.emit(event).await.json()["duplicates"],
        json!([{"index":0,"seq":1}])
    );
    server.end().await;
}

#[tokio::test]
async fn the_same_event_many_times_at_once_is_stored_once() {
    let server = Running::start().await;
    let emit = || server.emit(r#"{"type":"a","source":"s","id":"same"}"#);
    let answers = futures_util::future::join_all((0..16).map(|_| emit())).await;
    let accepted: u64 = answers
        .iter()
        .map(|answer| answer.json()["accepted"].as_u64().expect("a number"))
        .sum();
    assert_eq!(accepted, 1);
    for answer in answers {
        let receipt = answer.json();
        let known = each(&receipt["duplicates"], "seq");
        assert!(receipt["first"] == 1 || known == [json!(1)], "{receipt}");
    }
    assert_eq!(server.lines("").await.len(), 1);
    server.end().await;
}

#[tokio::test]
async fn compressed_bodies_are_understood() {
    let server = Running::start().await;
    let text = b"{\"type\":\"a\"}\n{\"type\":\"b\"}\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).expect("memory");
    let bodies = [
        ("gzip", gzip.finish().expect("memory")),
        ("zstd", zstd::encode_all(&text[..], 3).expect("memory")),
    ];
    for (encoding, body) in bodies {
        let headers = [
            ("content-encoding", encoding),
            ("content-type", "application/x-ndjson"),
        ];
        assert_eq!(
            server.ask("POST", "/api/v1/events", &headers, &body).await.json()["accepted"],
            2,
            "{encoding}"
        );
    }
    let unknown = server
        .ask("POST", "/api/v1/events", &[("content-encoding", "br")], b"x")
        .await;
    assert_eq!(
        (unknown.status, unknown.code()),
        (415, "unsupported_encoding".into())
    );
    let damaged = server
        .ask("POST", "/api/v1/events", &[("content-encoding", "gzip")], b"x")
        .await;
    assert_eq!((damaged.status, damaged.code()), (422, "invalid_body".into()));
    server.end().await;
}

#[tokio::test]
async fn content_types_that_mean_something_else_are_refused() {
    let server = Running::start().await;
    let answer = server
        .ask(
            "POST",
            "/api/v1/events",
            &[("content-type", "image/png")],
            b"{\"type\":\"a\"}",
        )
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (415, "unsupported_encoding".into())
    );
    server.end().await;
}

#[tokio::test]
async fn what_a_client_claims_to_be_the_ledgers_own_is_kept_aside() {
    let server = Running::start().await;
    server
        .emit(r#"{"type":"a","seq":99,"recorded":"x","crc":"y","colour":"red","ext":{"size":1}}"#)
        .await;
    let line = &parsed(&server.lines("").await)[0];
    assert_eq!(line["seq"], 1);
    let ext = &line["ext"];
    assert_eq!(
        (&ext["seq"], &ext["colour"], &ext["size"]),
        (&json!(99), &json!("red"), &json!(1))
    );
    server.end().await;
}
