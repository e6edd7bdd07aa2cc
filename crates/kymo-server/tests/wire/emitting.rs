//! POST: every form of a body, and what is said of each record.
use std::io::Write;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    each, http,
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

/// A line that has the framework read the request, which would be read from the connection without it.
const BY_THE_FRAMEWORK: (&str, &str) = ("te", "trailers");

#[tokio::test]
async fn an_answer_is_the_same_whoever_reads_the_request() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let token = ("authorization", bearer.as_str());
    let large = format!("{{\"type\":\"a\",\"data\":\"{}\"}}", "x".repeat(100_000));
    let bodies = [
        "{\"type\":\"a\"}",
        "[{\"type\":\"a\"},{},7]",
        "[1]",
        "",
        "{\"type\":",
        "\u{feff}{\"type\":\"a\"}\n{\"type\":\"b\"}",
        &large,
    ];
    for headers in [
        vec![token],
        vec![token, ("content-type", "application/x-ndjson")],
        vec![token, ("content-type", "image/png")],
        vec![
            token,
            ("ce-specversion", "1.0"),
            ("ce-type", "t"),
            ("ce-source", "s"),
            ("ce-id", "1"),
        ],
        vec![token, ("origin", "http://evil.example")],
        vec![token, ("host", "evil.example")],
        vec![("authorization", "Bearer nobody")],
        vec![],
    ] {
        for body in bodies {
            let framework = [&headers[..], &[BY_THE_FRAMEWORK]].concat();
            let mut answers = Vec::new();
            // The first one is not compared: it stores what has an id, which then is known to the others.
            for headers in [&framework, &headers, &framework] {
                let path = "/api/v1/events?dialect=kymo";
                let answer = http::ask(server.addr, "POST", path, headers, body.as_bytes()).await;
                answers.push(comparable(answer));
            }
            assert_eq!(
                answers[1],
                answers[2],
                "{headers:?} {}",
                &body[..body.len().min(40)]
            );
        }
    }
    server.end().await;
}

/// What is not of its moment.
fn comparable(answer: http::Answer) -> (u16, Vec<(String, String)>, serde_json::Value) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !["date", "content-length"].contains(&name.as_str()));
    headers.sort();
    let mut body = answer.json();
    for seq in ["first", "last"] {
        if body[seq].is_u64() {
            body[seq] = json!("a seq");
        }
    }
    for duplicate in body["duplicates"].as_array_mut().into_iter().flatten() {
        duplicate["seq"] = json!("a seq");
    }
    (answer.status, headers, body)
}

#[tokio::test]
async fn emits_and_other_requests_take_turns_on_one_connection_however_they_are_cut() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let lines = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-ndjson"),
    ];
    let kept = |method, path, body: &str, headers: &[(&str, &str)]| {
        let head = http::head(server.addr, method, path, headers, Some(body.len()));
        head.replace("connection: close\r\n", "") + body
    };
    let one = kept("POST", "/api/v1/events", "{\"type\":\"one\"}", &lines);
    let many = kept(
        "POST",
        "/api/v1/events",
        &"{\"type\":\"many\"}\n".repeat(2_000),
        &lines,
    );
    let other = kept("GET", "/healthz", "", &[]);
    let wrong = kept("POST", "/api/v1/events", "{\"type\":\"x\"}", &[]);
    let last = http::head(server.addr, "GET", "/readyz", &[], None);
    let conversations = [
        [&one, &one, &many, &one, &other, &one, &many]
            .map(String::as_str)
            .concat(),
        [&many, &many, &wrong, &one].map(String::as_str).concat(),
        [&one, &other].map(String::as_str).concat(),
    ];
    for (conversation, stored) in conversations.iter().zip([4 + 2 * 2_000, 1 + 2 * 2_000, 1]) {
        for cut in [usize::MAX, 5_000, 700, 97] {
            let before = server.lines("").await.len();
            let stream = tokio::net::TcpStream::connect(server.addr)
                .await
                .expect("the server listens");
            let (mut reading, mut writing) = stream.into_split();
            let text = format!("{conversation}{last}").into_bytes();
            let sending = tokio::spawn(async move {
                for piece in text.chunks(cut.min(text.len())) {
                    writing.write_all(piece).await.expect("it is taken");
                    tokio::task::yield_now().await;
                }
                writing
            });
            let mut answers = Vec::new();
            reading
                .read_to_end(&mut answers)
                .await
                .expect("the server closes");
            let answers = String::from_utf8(answers).expect("text");
            let asked = conversation.matches(" HTTP/1.1\r\n").count() + 1;
            assert_eq!(
                answers.matches("HTTP/1.1 ").count(),
                asked,
                "cut at {cut}: {answers}"
            );
            assert_eq!(
                server.lines("").await.len() - before,
                stored,
                "cut at {cut}: {answers}"
            );
            drop(sending.await.expect("all was sent"));
        }
    }
    server.end().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_stored() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let head = http::head(
        server.addr,
        "POST",
        "/api/v1/events",
        &[("authorization", &bearer)],
        Some(50),
    );
    let mut stream = tokio::net::TcpStream::connect(server.addr)
        .await
        .expect("the server listens");
    stream
        .write_all(format!("{head}{{\"type\":\"a\"}}").as_bytes())
        .await
        .expect("it is taken");
    stream.shutdown().await.expect("the half is closed");
    let answer = http::read_answer(&mut stream).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_body"));
    assert!(server.lines("").await.is_empty());
    server.end().await;
}
