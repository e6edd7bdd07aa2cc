//! Status, metrics, health, the description, the page, and clients that misbehave.
use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{
    http::{self, read_answer},
    server::{Choices, Running},
    soon,
    ws::Ws,
};

/// Whether a value fits a schema of the description, as far as ours go.
fn fits(value: &Value, schema: &Value, schemas: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().expect("a name");
        return fits(value, &schemas[name], schemas, at);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(value, part, schemas, at);
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{at}");
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let is = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{at}: type {other}"),
    };
    assert!(
        kinds.is_empty() || kinds.iter().any(is),
        "{at}: {value} is no {kinds:?}"
    );
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        assert!(value.get(name).is_some(), "{at} has no {name}: {value}");
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            fits(value, schema, schemas, &format!("{at}.{name}"));
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        fits(value, &schema["items"], schemas, &format!("{at}[{index}]"));
    }
}

#[tokio::test]
async fn answers_have_the_shapes_that_the_description_promises() {
    let server = Running::start().await;
    let description = server.get("/openapi.json").await.json();
    let schemas = &description["components"]["schemas"];
    server.make_token("ci", &["read"], &[("agent", "a")]).await;
    let mut client = Ws::connect(&server).await;
    client.subscribe("s", "", json!("start")).await;
    let event = br#"[{"type":"a","source":"s","id":"1","level":"warn","data":{},"x":1},{"type":"a","source":"s","id":"1","level":"warn","data":{},"x":1},{}]"#;
    let receipt = server.emit(event).await.json();
    fits(&receipt, &schemas["Receipt"], schemas, "receipt");
    client.events(1).await;
    let answers = [
        ("/api/v1/events?from=90", "HistoryPage"),
        ("/api/v1/events?from=1", "HistoryPage"),
        ("/api/v1/metrics", "Counters"),
        ("/api/v1/catalogue", "Catalogue"),
        ("/api/v1/status", "Status"),
        ("/api/v1/tokens", "Tokens"),
        ("/healthz", "Health"),
        ("/readyz", "Health"),
        ("/nowhere.txt", "Error"),
        ("/api/v1/events?limit=x", "Error"),
    ];
    for (path, schema) in answers {
        fits(&server.get(path).await.json(), &schemas[schema], schemas, path);
    }
    let made = server
        .ask(
            "POST",
            "/api/v1/tokens",
            &[],
            br#"{"name":"b","scopes":["emit"]}"#,
        )
        .await
        .json();
    fits(&made, &schemas["MadeToken"], schemas, "token");
    server.end().await;
}

#[tokio::test]
async fn status_and_metrics_say_how_the_server_is() {
    let server = Running::start().await;
    server.emit_many("a", 7).await;
    server.emit("17").await;
    let status = server.get("/api/v1/status").await.json();
    assert_eq!(
        (&status["head"], &status["first"], &status["watch"]),
        (&json!(7), &json!(1), &json!([]))
    );
    assert_eq!(status["url"], format!("http://{}", server.addr));
    assert_eq!(status["data"], server.data().display().to_string());
    let mut client = Ws::connect(&server).await;
    client.subscribe("s", "type:a", json!("start")).await;
    client.op("caught_up").await;
    let counters = server.get("/api/v1/metrics").await.json();
    assert_eq!((&counters["head"], &counters["events"]), (&json!(7), &json!(7)));
    assert_eq!(counters["rejected"]["not_an_event"], 1);
    assert_eq!(
        (
            &counters["readers"][0]["principal"],
            &counters["readers"][0]["cursor"]
        ),
        (&json!("owner"), &json!(7))
    );
    let text = server.get("/metrics").await;
    assert!(
        text.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4"))
    );
    for sample in [
        "kymo_head_seq 7",
        "kymo_events_total 7",
        "kymo_readers 1",
        "kymo_open{kind=\"websocket\"} 1",
    ] {
        assert!(
            text.text().lines().any(|line| line == sample),
            "{sample} in {}",
            text.text()
        );
    }
    server.end().await;
}

#[tokio::test]
async fn paths_of_people_show_the_page_and_mistakes_of_programs_are_told() {
    let server = Running::start().await;
    for (path, status) in [("/", 200), ("/?filter=x", 200), ("/nope", 404), ("/feed/42", 404)] {
        let page = http::ask(server.addr, "GET", path, &[], b"").await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (status, Some("text/html; charset=utf-8")),
            "{path}"
        );
    }
    let docs = http::ask(server.addr, "GET", "/docs", &[], b"").await;
    assert!(docs.status == 200 && docs.text().contains("/api/v1/events"));
    let near = server.get("/api/v1/event").await;
    assert_eq!((near.status, near.code()), (404, "not_found".into()));
    assert!(near.text().contains("/api/v1/events"));
    let wrong = server.ask("PUT", "/api/v1/events", &[], b"").await;
    assert_eq!((wrong.status, wrong.code()), (405, "method_not_allowed".into()));
    assert!(wrong.text().contains("POST"));
    server.end().await;
}

#[tokio::test]
async fn stop_is_passed_on_to_the_program() {
    let server = Running::start().await;
    let answer = server.ask("POST", "/api/v1/stop", &[], b"").await;
    assert_eq!((answer.status, answer.json()), (202, json!({"stopping":true})));
    assert!(server.stop_asked.is_cancelled());
    assert_eq!(server.get("/readyz").await.code(), "closing");
    server.end().await;
}

#[tokio::test]
async fn beyond_loopback_it_listens_only_when_told_that_this_is_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger =
        kymo_ledger::Ledger::open(folder.path(), Default::default(), Box::new(|_| {})).expect("a ledger");
    let hub = kymo_hub::Hub::start(Default::default(), ledger);
    let parts = || kymo_server::Parts {
        hub: hub.clone(),
        data: folder.path().to_owned(),
        stop: Default::default(),
        status: std::sync::Arc::new(|| json!({})),
    };
    let mut settings = kymo_server::ServerSettings {
        listen: ([0, 0, 0, 0], 0).into(),
        ..Default::default()
    };
    let refused = kymo_server::Server::bind(settings.clone(), parts())
        .await
        .map(|_| ());
    assert!(matches!(
        refused,
        Err(kymo_server::StartError::NotLoopback { .. })
    ));
    settings.insecure = true;
    let server = kymo_server::Server::bind(settings, parts())
        .await
        .expect("it was meant");
    assert!(server.login_url().starts_with("http://127.0.0.1:"));
    let taken = kymo_server::ServerSettings {
        listen: ([127, 0, 0, 1], server.addr().port()).into(),
        ..Default::default()
    };
    let refused = kymo_server::Server::bind(taken, parts()).await.map(|_| ());
    assert!(matches!(refused, Err(kymo_server::StartError::Listen { .. })));
    hub.close().await;
}

#[tokio::test]
async fn a_client_that_sends_byte_by_byte_is_served_like_any_other() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    let bearer = format!("Bearer {}", server.token);
    let body = b"{\"type\":\"slow\"}";
    let head = http::head(
        server.addr,
        "POST",
        "/api/v1/events",
        &[("authorization", &bearer)],
        Some(body.len()),
    );
    for byte in [head.as_bytes(), body].concat() {
        stream.write_all(&[byte]).await.expect("it is taken");
        tokio::task::yield_now().await;
    }
    assert_eq!(soon(read_answer(&mut stream)).await.json()["accepted"], 1);
    server.end().await;
}

#[tokio::test]
async fn a_body_that_ends_early_stores_nothing() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-ndjson"),
    ];
    let head = http::head(server.addr, "POST", "/api/v1/events", &headers, Some(1000));
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream
        .write_all(b"{\"type\":\"half\"}\n{\"type\":")
        .await
        .expect("it is taken");
    drop(stream);
    // The next answer comes after the server noticed, or does not depend on it.
    assert_eq!(server.emit(r#"{"type":"whole"}"#).await.json()["first"], 1);
    assert_eq!(server.lines("").await.len(), 1);
    server.end().await;
}

#[tokio::test]
async fn a_large_body_that_is_refused_still_sees_its_answer() {
    let server = Running::start().await;
    let body = vec![b' '; 33 << 20];
    let over = server.emit(&body).await;
    assert_eq!((over.status, over.code()), (413, "batch_too_large".into()));
    let stranger = http::ask(server.addr, "POST", "/api/v1/events", &[], &body).await;
    assert_eq!((stranger.status, stranger.code()), (401, "unauthorized".into()));
    server.end().await;
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("transfer-encoding", "chunked"),
    ];
    let head = http::head(server.addr, "POST", "/api/v1/events", &headers, None);
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    for part in ["{\"type\"", ":\"a\"}", "\n{\"type\":\"b\"}"] {
        stream
            .write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes())
            .await
            .expect("it is taken");
    }
    stream.write_all(b"0\r\n\r\n").await.expect("it is taken");
    assert_eq!(soon(read_answer(&mut stream)).await.json()["accepted"], 2);
    server.end().await;
}

#[tokio::test]
async fn garbage_is_answered_and_harms_nobody() {
    let server = Running::start().await;
    for garbage in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = soon(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer)).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{garbage:?}"
        );
    }
    assert_eq!(server.emit(r#"{"type":"a"}"#).await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn a_rate_limit_is_answered_with_429() {
    let mut choices = Choices::default();
    choices.hub.rate_per_source = 1;
    let server = Running::with(choices).await;
    let mut limited = None;
    for _ in 0..50 {
        let answer = server.emit(r#"{"type":"a","source":"s"}"#).await;
        if answer.status != 200 {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("fifty at once are more than one a second");
    assert_eq!(
        (limited.status, limited.rejected()),
        (429, vec!["rate_limited".to_owned()])
    );
    assert_eq!(
        server
            .emit(r#"{"type":"a","source":"s","level":"warn"}"#)
            .await
            .status,
        200
    );
    server.end().await;
}

#[tokio::test]
async fn ten_connections_that_say_nothing_take_nothing_from_the_others() {
    let server = Running::start().await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(server.addr).await.expect("the server listens"));
    }
    // Less than the thirty seconds for which a silent one is waited for.
    let answer = tokio::time::timeout(Duration::from_secs(20), server.emit(r#"{"type":"a"}"#)).await;
    assert_eq!(answer.expect("in time").status, 200);
    drop(silent);
    server.end().await;
}
