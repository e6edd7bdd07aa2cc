//! The public suite of JSON texts, as `data`, over every transport there and back.
use std::{fs, path::PathBuf};

use serde_json::{Value, json, value::RawValue};

use crate::support::{
    fixtures,
    server::{Running, data_of},
    sse::Sse,
    ws::Ws,
};

/// File names and bytes of the texts that begin with `prefix`.
fn texts(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let Some(folder) = fixtures("json/JSONTestSuite/test_parsing") else {
        return vec![];
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the suite")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let named = files.into_iter().map(|path| {
        (
            path.file_name().expect("a name").to_string_lossy().into_owned(),
            path,
        )
    });
    named
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, fs::read(path).expect("a file")))
        .collect()
}

fn event(data: &[u8]) -> Vec<u8> {
    [b"{\"type\":\"suite\",\"data\":", data, b"}"].concat()
}

/// A text without the white space between its tokens.
fn tokens(text: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if inside {
            (inside, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if " \t\r\n".contains(c) {
            continue;
        } else {
            inside = c == '"';
        }
        out.push(c);
    }
    out
}

/// The data of each event of a WebSocket frame, token for token.
fn data_of_frame(text: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Frame<'a> {
        #[serde(borrow, default)]
        events: Vec<&'a RawValue>,
    }
    let frame: Frame<'_> = serde_json::from_str(text).expect("a frame");
    frame.events.iter().map(|event| data_of(event.get())).collect()
}

#[tokio::test]
async fn each_valid_text_comes_back_token_for_token_on_every_transport() {
    let texts = texts("y_");
    if texts.is_empty() {
        return;
    }
    assert_eq!(texts.len(), 95);
    let server = Running::start().await;
    let expected: Vec<String> = texts
        .iter()
        .map(|(_, text)| tokens(std::str::from_utf8(text).expect("UTF-8")))
        .collect();
    // In: one by one, as an array, as lines (where a text is one line), over WebSocket.
    for (name, text) in &texts {
        let answer = server.emit(event(text)).await;
        assert_eq!(answer.json()["accepted"], 1, "{name}: {}", answer.text());
    }
    let bodies: Vec<Vec<u8>> = texts.iter().map(|(_, text)| event(text)).collect();
    let array = [b"[".to_vec(), bodies.join(&b","[..]), b"]".to_vec()].concat();
    assert_eq!(server.emit(&array).await.json()["accepted"], 95);
    let lines: Vec<Vec<u8>> = expected.iter().map(|text| event(text.as_bytes())).collect();
    assert_eq!(server.emit_lines(lines.join(&b'\n')).await.json()["accepted"], 95);
    let mut client = Ws::connect(&server).await;
    let emit = [
        b"{\"op\":\"emit\",\"ref\":\"r\",\"events\":".to_vec(),
        array,
        b"}".to_vec(),
    ]
    .concat();
    client.send_text(std::str::from_utf8(&emit).expect("UTF-8")).await;
    assert_eq!(client.op("ack").await["accepted"], 95);
    let expected: Vec<String> = expected.iter().cycle().take(4 * 95).cloned().collect();
    // Out: lines, page, SSE, WebSocket.
    let check = |transport: &str, got: Vec<String>| {
        assert_eq!(got.len(), expected.len(), "{transport}");
        for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert_eq!(&tokens(got), expected, "{transport}: {}", texts[index % 95].0);
        }
    };
    check(
        "lines",
        server
            .lines("type:suite")
            .await
            .iter()
            .map(|line| data_of(line))
            .collect(),
    );
    let page = server.get("/api/v1/events?from=start&limit=1000").await;
    check("page", data_of_frame(&page.text()));
    let mut stream = Sse::open(&server, "from=start", &[]).await;
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let message = stream.next().await.expect("a message");
        if message.event == "message" {
            got.push(data_of(&message.data));
        }
    }
    check("sse", got);
    client
        .send(&json!({ "op": "subscribe", "sub": "all", "from": "start" }))
        .await;
    let mut got = Vec::new();
    while got.len() < expected.len() {
        got.extend(data_of_frame(&client.text().await));
    }
    check("websocket", got);
    server.end().await;
}

#[tokio::test]
async fn each_invalid_text_is_refused_with_index_and_byte() {
    let texts = texts("n_");
    if texts.is_empty() {
        return;
    }
    assert_eq!(texts.len(), 188);
    let server = Running::start().await;
    let mut client = Ws::connect(&server).await;
    for (name, text) in &texts {
        for answer in [
            server.emit(event(text)).await,
            server.emit([b"[", &event(text)[..], b"]"].concat()).await,
        ] {
            assert_eq!(answer.status, 422, "{name}: {}", answer.text());
            let rejected: Value = answer.json()["rejected"][0].clone();
            assert!(
                rejected["byte"].is_u64() && rejected["index"].is_u64(),
                "{name}: {rejected}"
            );
            let code = rejected["code"].as_str().expect("a code");
            assert!(
                ["invalid_json", "invalid_utf8", "too_deep"].contains(&code),
                "{name}: {code}"
            );
        }
        let Ok(text) = std::str::from_utf8(text) else {
            continue;
        };
        client
            .send_text(&format!(
                "{{\"op\":\"emit\",\"ref\":\"r\",\"events\":[{{\"type\":\"a\",\"data\":{text}}}]}}"
            ))
            .await;
        let error = client.json().await;
        assert_eq!(
            (&error["op"], &error["ref"]),
            (&json!("error"), &json!("r")),
            "{name}: {error}"
        );
        assert!(error["detail"]["byte"].is_u64(), "{name}: {error}");
    }
    // Of lines only the broken one is refused, wherever its faults are within one line.
    for (name, text) in texts
        .iter()
        .filter(|(_, text)| !text.contains(&b'\n') && !text.contains(&b'\r'))
    {
        let body = [
            &b"{\"type\":\"before\"}\n"[..],
            &event(text),
            b"\n{\"type\":\"after\"}",
        ]
        .concat();
        let answer = server.emit_lines(body).await;
        let receipt = answer.json();
        assert_eq!(
            (&receipt["accepted"], &receipt["rejected"][0]["index"]),
            (&json!(2), &json!(1)),
            "{name}: {receipt}"
        );
    }
    assert!(server.lines("type:suite").await.is_empty());
    server.end().await;
}
