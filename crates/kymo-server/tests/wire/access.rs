//! Who may do what, from where, under which name.
use std::fs;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    http::{self, Answer},
    server::{Choices, Running, parsed},
    soon,
    sse::Sse,
    ws::Ws,
};

async fn as_token(server: &Running, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    http::ask(
        server.addr,
        method,
        path,
        &[("authorization", &bearer)],
        body.as_bytes(),
    )
    .await
}

/// Every route of the description that needs a scope, with a path that can be asked.
fn guarded(description: &Value) -> Vec<(String, String, String)> {
    let mut routes = Vec::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if let Some(scope) = operation["x-scope"].as_str() {
                routes.push((
                    method.to_uppercase(),
                    path.replace("{name}", "nobody"),
                    scope.to_owned(),
                ));
            }
        }
    }
    routes
}

#[tokio::test]
async fn every_guarded_route_wants_a_token_with_its_scope() {
    let server = Running::start().await;
    let description = http::ask(server.addr, "GET", "/openapi.json", &[], b"")
        .await
        .json();
    let routes = guarded(&description);
    assert!(routes.len() > 8);
    let tokens = [
        ("emit", server.make_token("e", &["emit"], &[]).await),
        ("read", server.make_token("r", &["read"], &[]).await),
        ("manage", server.make_token("m", &["manage"], &[]).await),
    ];
    for (method, path, scope) in &routes {
        for headers in [
            vec![],
            vec![("authorization", "Bearer guess")],
            vec![("authorization", "Basic eDp5")],
        ] {
            let answer = http::ask(server.addr, method, path, &headers, b"").await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, "unauthorized".into()),
                "{method} {path}"
            );
            assert!(answer.header("www-authenticate").is_some());
        }
        for (has, token) in &tokens {
            if path == "/api/v1/stream" && *has != "emit" {
                // It would not end.
                continue;
            }
            let answer = as_token(&server, token, method, path, r#"{"type":"a"}"#).await;
            let allowed = scope == has || (*has == "manage" && scope != "admin");
            let refused = answer.status == 403 && answer.code() == "forbidden";
            assert_eq!(refused, !allowed, "{method} {path} with {has}: {}", answer.status);
        }
    }
    server.end().await;
}

#[tokio::test]
async fn scopes_hold_on_a_websocket() {
    let server = Running::start().await;
    let emit = server.make_token("e", &["emit"], &[]).await;
    let read = server.make_token("r", &["read"], &[]).await;
    let mut emitter = Ws::connect_as(&server, &emit).await;
    assert_eq!(emitter.emit(&json!([{"type":"a"}])).await["accepted"], 1);
    emitter.send(&json!({"op":"subscribe","sub":"s"})).await;
    assert_eq!(emitter.json().await["code"], "forbidden");
    let mut reader = Ws::connect_as(&server, &read).await;
    reader.subscribe("s", "", json!("start")).await;
    assert_eq!(reader.events(1).await[0]["type"], "a");
    reader
        .send(&json!({"op":"emit","ref":"r","events":[{"type":"b"}]}))
        .await;
    let message = reader.refusal().await;
    assert_eq!(
        (&message["ref"], &message["code"]),
        (&json!("r"), &json!("forbidden"))
    );
    server.end().await;
}

#[tokio::test]
async fn a_bound_token_writes_and_reads_only_its_own() {
    let server = Running::start().await;
    server
        .emit(r#"[{"type":"a","agent":"other"},{"type":"a"}]"#)
        .await;
    let token = server
        .make_token(
            "bound",
            &["emit", "read"],
            &[("agent", "planner"), ("source", "ci")],
        )
        .await;
    let body = r#"[{"type":"b"},{"type":"b","agent":"planner","source":"ci"},{"type":"b","agent":"other"}]"#;
    let answer = as_token(&server, &token, "POST", "/api/v1/events", body).await;
    assert_eq!(
        (answer.json()["accepted"].as_u64(), answer.rejected()),
        (Some(2), vec!["not_allowed".to_owned()])
    );
    for line in parsed(&server.lines("type:b").await) {
        assert_eq!(
            (&line["agent"], &line["source"]),
            (&json!("planner"), &json!("ci"))
        );
    }
    let history = as_token(&server, &token, "GET", "/api/v1/events?from=start", "").await;
    assert_eq!(history.json()["events"].as_array().map(Vec::len), Some(2));
    let mut client = Ws::connect_as(&server, &token).await;
    client.subscribe("all", "", json!("start")).await;
    server
        .emit(r#"{"type":"c","agent":"planner","source":"ci"}"#)
        .await;
    let seqs: Vec<_> = client
        .events(3)
        .await
        .iter()
        .map(|event| event["seq"].clone())
        .collect();
    assert_eq!(seqs, [json!(3), json!(4), json!(5)]);
    for path in ["/api/v1/metrics", "/metrics"] {
        let answer = as_token(&server, &token, "GET", path, "").await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "forbidden".into()),
            "{path}"
        );
    }
    let status = as_token(&server, &token, "GET", "/api/v1/status", "")
        .await
        .json();
    assert_eq!((status.get("data"), status.get("watch")), (None, None));
    let told =
        json!({ "name": "bound", "may": ["emit", "read"], "bound": { "agent": "planner", "source": "ci" } });
    assert_eq!(status["caller"], told);
    let owner = server.get("/api/v1/status").await.json();
    assert_eq!(owner["caller"]["may"], json!(["emit", "read", "manage", "admin"]));
    server.end().await;
}

#[tokio::test]
async fn tokens_are_listed_without_themselves_and_end_when_revoked() {
    let server = Running::start().await;
    let token = server
        .make_token("ci", &["emit", "read"], &[("source", "ci")])
        .await;
    let list = server.get("/api/v1/tokens").await;
    let entry = &list.json()["tokens"][0];
    assert_eq!(
        (&entry["name"], &entry["scopes"], &entry["bound"]),
        (&json!("ci"), &json!(["emit", "read"]), &json!({"source":"ci"}))
    );
    assert!(!list.text().contains(&token) && entry.get("hash").is_none());
    assert!(
        !fs::read_to_string(server.file("tokens.json"))
            .expect("the file")
            .contains(&token)
    );
    let again = server
        .ask(
            "POST",
            "/api/v1/tokens",
            &[],
            br#"{"name":"ci","scopes":["read"]}"#,
        )
        .await;
    assert_eq!((again.status, again.code()), (409, "name_taken".into()));
    for body in [
        "",
        "{}",
        r#"{"name":"x","scopes":[]}"#,
        r#"{"name":"x","scopes":["root"]}"#,
        r#"{"name":"x","scopes":["read"],"x":1}"#,
    ] {
        let answer = server.ask("POST", "/api/v1/tokens", &[], body.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "invalid_body".into()),
            "{body}"
        );
    }
    // It survives a restart, and its open conversations end with it.
    let server = server.restart().await;
    let mut client = Ws::connect_as(&server, &token).await;
    assert_eq!(
        server.ask("DELETE", "/api/v1/tokens/ci", &[], b"").await.json(),
        json!({"revoked":"ci"})
    );
    assert_eq!(client.json().await["code"], "unauthorized");
    assert_eq!(u16::from(client.closed().await.code), 1008);
    assert_eq!(
        as_token(&server, &token, "GET", "/api/v1/events", "")
            .await
            .status,
        401
    );
    assert_eq!(
        server.ask("DELETE", "/api/v1/tokens/ci", &[], b"").await.code(),
        "not_found"
    );
    server.end().await;
}

fn login_path(url: &str) -> String {
    url.split_once("/login")
        .map(|(_, rest)| format!("/login{rest}"))
        .expect("a login URL")
}

fn cookie_of(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/"),
        "{set}"
    );
    set.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_login_code_works_once_and_its_cookie_survives_a_restart() {
    let server = Running::start().await;
    let path = login_path(&server.login_url);
    // Looking ahead does not use it up.
    assert_eq!(http::ask(server.addr, "HEAD", &path, &[], b"").await.status, 204);
    assert_eq!(
        http::ask(
            server.addr,
            "GET",
            &path,
            &[("sec-purpose", "prefetch;prerender")],
            b""
        )
        .await
        .status,
        204
    );
    let first = http::ask(server.addr, "GET", &path, &[], b"").await;
    assert_eq!((first.status, first.header("location")), (303, Some("/")));
    let cookie = cookie_of(&first);
    let second = http::ask(server.addr, "GET", &path, &[], b"").await;
    assert_eq!((second.status, second.header("set-cookie")), (403, None));
    assert!(second.text().contains("used up"));
    // In the browser that was let in it still leads to the page.
    let known = http::ask(server.addr, "GET", &path, &[("cookie", &cookie)], b"").await;
    assert_eq!((known.status, known.header("location")), (303, Some("/")));
    assert_eq!(known.header("set-cookie"), None);
    let server = server.restart().await;
    let status = http::ask(server.addr, "GET", "/api/v1/status", &[("cookie", &cookie)], b"").await;
    assert_eq!(status.status, 200);
    let mut client = Ws::open(&server, &[("cookie", &cookie)])
        .await
        .expect("an upgrade");
    assert_eq!(client.json().await["op"], "hello");
    let forged = cookie.replace(['a', '1'], "b");
    assert_eq!(
        http::ask(server.addr, "GET", "/api/v1/status", &[("cookie", &forged)], b"")
            .await
            .status,
        401
    );
    let made = server.ask("POST", "/api/v1/login-codes", &[], b"").await;
    assert_eq!(made.status, 201);
    let path = login_path(made.json()["url"].as_str().expect("a URL"));
    assert_eq!(http::ask(server.addr, "GET", &path, &[], b"").await.status, 303);
    server.end().await;
}

#[cfg(unix)]
#[tokio::test]
async fn secrets_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = Running::start().await;
    server.make_token("ci", &["read"], &[]).await;
    for name in ["token", "key", "tokens.json"] {
        let mode = fs::metadata(server.file(name))
            .expect("the file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    server.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_and_rebound_names_are_refused_everywhere() {
    let server = Running::start().await;
    let bearer = format!("Bearer {}", server.token);
    let own = format!("http://{}", server.addr);
    for path in ["/api/v1/status", "/healthz", "/", "/metrics", "/nowhere"] {
        for (name, value, code) in [
            ("origin", "http://evil.example", "bad_origin"),
            ("origin", "null", "bad_origin"),
            ("host", "evil.example", "bad_host"),
            ("host", "127.0.0.1.evil.example:7700", "bad_host"),
        ] {
            let answer = http::ask(
                server.addr,
                "GET",
                path,
                &[("authorization", &bearer), (name, value)],
                b"",
            )
            .await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, code),
                "{path} {name}: {value}"
            );
        }
        let answer = http::ask(
            server.addr,
            "GET",
            path,
            &[("authorization", &bearer), ("origin", &own)],
            b"",
        )
        .await;
        assert_ne!(answer.status, 403, "{path}");
    }
    assert!(
        Ws::open(
            &server,
            &[("authorization", &bearer), ("origin", "http://evil.example")]
        )
        .await
        .is_err()
    );
    assert!(
        Ws::open(&server, &[("authorization", &bearer), ("origin", &own)])
            .await
            .is_ok()
    );
    server.end().await;
}

#[tokio::test]
async fn a_named_origin_may_use_the_api_from_a_browser() {
    let mut choices = Choices::default();
    choices.server.origins = vec!["https://board.example".into()];
    choices.server.hosts = vec!["kymo.lan".into()];
    let server = Running::with(choices).await;
    let origin = ("origin", "https://board.example");
    let preflight = http::ask(server.addr, "OPTIONS", "/api/v1/events", &[origin], b"").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        Some("https://board.example")
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .is_some_and(|names| names.contains("Authorization"))
    );
    let bearer = format!("Bearer {}", server.token);
    let headers = [("authorization", bearer.as_str()), origin, ("host", "kymo.lan")];
    let answer = http::ask(server.addr, "GET", "/api/v1/status", &headers, b"").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, Some("https://board.example"))
    );
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    server.end().await;
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_guessing() {
    let server = Running::start().await;
    for path in [
        "/",
        "/docs",
        "/healthz",
        "/api/v1/status",
        "/nowhere.txt",
        "/login?code=x",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.starts_with("default-src"),
            "{path}: {policy}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let server = Running::start().await;
    let token = server.make_token("reader", &["read"], &[]).await;
    let bearer = format!("Bearer {token}");
    let mut stream = Sse::open_as(&server, "", &bearer).await;
    stream.named("subscribed").await;
    server.ask("DELETE", "/api/v1/tokens/reader", &[], b"").await;
    assert_eq!(stream.named("error").await.json()["code"], "unauthorized");
    assert_eq!(stream.next().await, None);
    server.end().await;
}

#[tokio::test]
async fn who_is_in_the_middle_of_a_long_past_is_cut_off_when_the_token_is_revoked() {
    let server = Running::start().await;
    let token = server.make_token("reader", &["read"], &[]).await;
    let bearer = format!("Bearer {token}");
    let last = server.emit_a_long_past().await;
    let mut stream = Sse::open_as(&server, "from=start", &bearer).await;
    let mut lines = tokio::net::TcpStream::connect(server.addr)
        .await
        .expect("the server listens");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "application/x-ndjson"),
    ];
    let head = http::head(server.addr, "GET", "/api/v1/events?from=start", &headers, None);
    lines.write_all(head.as_bytes()).await.expect("it is taken");
    let mut begun = [0; 1];
    soon(lines.read_exact(&mut begun)).await.expect("an answer");
    let mut client = Ws::connect_as(&server, &token).await;
    client.subscribe("all", "", json!("start")).await;
    server.ask("DELETE", "/api/v1/tokens/reader", &[], b"").await;
    assert_eq!(stream.named("error").await.json()["code"], "unauthorized");
    assert!(
        stream.last_id.parse::<u64>().expect("a seq") < last,
        "all of it was sent"
    );
    let answer = soon(http::read_answer_behind(&begun, &mut lines)).await;
    assert!(!answer.whole, "{} bytes are all of it", answer.body.len());
    assert_eq!(client.refusal().await["code"], "unauthorized");
    assert_eq!(u16::from(client.closed().await.code), 1008);
    server.end().await;
}
