//! Who may come in, and what clients store.
use kymo_server::Anonymous;
use serde_json::{Value, json};

use crate::support::{
    http,
    server::{Running, parsed},
    sio::{self, Poller, Sio, open_server},
};

/// The code of the refusal that CONNECT is answered with.
async fn refusal(server: &Running, auth: &Value) -> String {
    let mut client = Sio::open(server.addr, "").await;
    client.send(&format!("40{auth}")).await;
    let answer = client.packet().await;
    let answer = answer
        .strip_prefix("44")
        .unwrap_or_else(|| panic!("no refusal: {answer}"));
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    assert_eq!(answer["message"], answer["data"]["message"]);
    answer["data"]["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn without_a_token_nobody_comes_in_unless_the_settings_say_so() {
    let server = sio::server(|_| {}).await;
    assert_eq!(refusal(&server, &json!({})).await, "unauthorized");
    assert_eq!(
        refusal(&server, &json!({"token":"kymo_wrong"})).await,
        "unauthorized"
    );
    assert_eq!(refusal(&server, &json!({"token":7})).await, "invalid_parameter");
    assert_eq!(
        refusal(&server, &json!({"token":server.token,"filter":"level:>=x"})).await,
        "invalid_filter"
    );
    let (mut client, answer) = Sio::connect(server.addr, &json!({"token":server.token})).await;
    assert_eq!(
        answer.as_object().map(serde_json::Map::len),
        Some(1),
        "nothing but a sid: {answer}"
    );
    server.emit_many("a", 1).await;
    assert_eq!(client.data(1).await, [1]);
    server.end().await;
}

#[tokio::test]
async fn a_token_may_come_in_a_header_and_must_then_be_good() {
    let server = sio::server(|door| door.anonymous = Anonymous::Read).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    for (token, begins) in [(server.token.as_str(), "40{"), ("kymo_wrong", "44{")] {
        let bearer = format!("Bearer {token}");
        let opened = http::ask(server.addr, "GET", path, &[("authorization", &bearer)], b"").await;
        let opened: Value = serde_json::from_slice(&opened.body[1..]).expect("JSON");
        let query = format!("&sid={}", opened["sid"].as_str().expect("a sid"));
        sio::ask(server.addr, "POST", &query, b"40").await;
        let answer = sio::ask(server.addr, "GET", &query, b"").await;
        assert!(answer.text().starts_with(begins), "{}", answer.text());
    }
    // Nobody becomes anonymous by a wrong token.
    assert_eq!(
        refusal(&server, &json!({"token":"kymo_wrong"})).await,
        "unauthorized"
    );
    Sio::connect(server.addr, &json!({})).await;
    server.end().await;
}

#[tokio::test]
async fn the_pages_cookie_lets_in_the_page_and_no_other_sites() {
    let server = sio::server(|door| door.origins = vec!["http://127.0.0.1:1".into()]).await;
    let path = server
        .login_url
        .split_once(&server.addr.to_string())
        .expect("its address")
        .1;
    let login = http::ask(server.addr, "GET", path, &[], b"").await;
    let cookie = login.header("set-cookie").expect("a cookie").split(';').next();
    let cookie = cookie.expect("a value").to_owned();
    for (origin, begins) in [
        (format!("http://{}", server.addr), "40{"),
        ("http://127.0.0.1:1".into(), "44{"),
    ] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin.as_str())];
        let path = "/socket.io/?EIO=4&transport=polling";
        let opened = http::ask(server.addr, "GET", path, &headers, b"").await;
        let opened: Value = serde_json::from_slice(&opened.body[1..]).expect("JSON");
        let query = format!("&sid={}", opened["sid"].as_str().expect("a sid"));
        sio::ask(server.addr, "POST", &query, b"40").await;
        let answer = sio::ask(server.addr, "GET", &query, b"").await;
        assert!(answer.text().starts_with(begins), "{origin}: {}", answer.text());
    }
    server.end().await;
}

#[tokio::test]
async fn a_token_may_do_what_its_scopes_and_bindings_say() {
    let server = sio::server(|_| {}).await;
    let reads = server
        .make_token("reads", &["read"], &[("agent", "planner")])
        .await;
    let emits = server.make_token("emits", &["emit"], &[("source", "ci")]).await;
    let (mut reader, _) = Sio::connect(server.addr, &json!({"token":reads})).await;
    let (mut emitter, _) = Sio::connect(server.addr, &json!({"token":emits})).await;
    let event = json!({"type":"a","agent":"planner","data":1});
    assert_eq!(reader.call("emit", &event).await["error"]["code"], "forbidden");
    assert_eq!(
        emitter.call("replay", &json!({})).await["error"]["code"],
        "forbidden"
    );
    assert_eq!(
        emitter.call("subscribe", &json!({})).await["error"]["code"],
        "forbidden"
    );
    let receipt = emitter.call("emit", &json!([{"type":"a","data":0}, event])).await;
    assert_eq!(
        (&receipt["accepted"], &receipt["durability"]),
        (&json!(2), &json!("fsync"))
    );
    assert_eq!(reader.data(1).await, [1]);
    assert_eq!(parsed(&server.lines("type:a").await)[0]["source"], "ci");
    server.end().await;
}

#[tokio::test]
async fn who_is_anonymous_emits_only_where_that_is_allowed() {
    let server = sio::server(|door| door.anonymous = Anonymous::Read).await;
    let (mut client, _) = Sio::connect(server.addr, &json!({})).await;
    let refused = client.call("emit", &json!({"type":"a"})).await;
    assert_eq!(refused["error"]["code"], "forbidden");
    server.end().await;
    let server = open_server().await;
    let (mut client, _) = Sio::connect(server.addr, &json!({})).await;
    assert_eq!(client.call("emit", &json!({"type":"a"})).await["accepted"], 1);
    server.end().await;
}

#[tokio::test]
async fn an_emit_is_answered_by_the_receipt_on_either_transport() {
    let server = open_server().await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"catchup":0})).await;
    let v5 = json!({"type":"cycle.start","ts":"2026-02-14T19:01:23.456Z","cycle":42,"day":1551,"data":{"day":1551}});
    let receipt = client.call("event", &v5).await;
    assert_eq!((&receipt["accepted"], &receipt["first"]), (&json!(1), &json!(1)));
    let mixed = client.call("emit", &json!([{"type":"a"}, 7, {"type":"b"}])).await;
    assert_eq!(
        (&mixed["accepted"], &mixed["rejected"][0]["code"]),
        (&json!(2), &json!("not_an_event"))
    );
    for wrong in [json!("text"), json!(null), json!(7)] {
        assert_eq!(
            client.call("emit", &wrong).await["error"]["code"],
            "invalid_body",
            "{wrong}"
        );
    }
    assert_eq!(
        client.call("emti", &json!({})).await["error"]["code"],
        "unknown_op"
    );
    client.send("42[\"emit\",{\"source\":\"x\"}]").await;
    assert_eq!(
        client.named("error").await[0]["code"],
        "type_missing",
        "who did not ask is told what was not stored"
    );
    let poller = Poller::connect(server.addr, &json!({"catchup":0})).await;
    let several =
        "421[\"emit\",{\"type\":\"c\"}]\x1e422[\"emit\",{\"type\":\"c\"}]\x1e423[\"emit\",{\"type\":\"c\"}]";
    assert_eq!(poller.post(several).await.text(), "ok");
    let mut answers = Vec::new();
    while answers.len() < 3 {
        let packets = poller.packets().await;
        answers.extend(packets.into_iter().filter(|packet| packet.starts_with("43")));
    }
    for (answer, id) in answers.iter().zip(1..) {
        assert!(
            answer.starts_with(&format!("43{id}[{{\"accepted\":1")),
            "{answers:?}"
        );
    }
    assert_eq!(server.lines("type:c").await.len(), 3);
    server.end().await;
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_conversations() {
    let server = sio::server(|_| {}).await;
    let token = server.make_token("short", &["read"], &[]).await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"token":token})).await;
    assert_eq!(
        server
            .ask("DELETE", "/api/v1/tokens/short", &[], b"")
            .await
            .status,
        200
    );
    assert_eq!(client.named("error").await[0]["code"], "unauthorized");
    assert_eq!(
        client.packet().await,
        "41",
        "behind which clients do not come again by themselves"
    );
    assert_eq!(
        client.closed().await.map(|frame| u16::from(frame.code)),
        Some(1008)
    );
    server.end().await;
}

#[tokio::test]
async fn there_is_one_namespace() {
    let server = open_server().await;
    let mut client = Sio::open(server.addr, "").await;
    client.send("40/admin,{\"a\":1}").await;
    assert_eq!(
        client.packet().await,
        "44/admin,{\"message\":\"Invalid namespace\"}"
    );
    client.join(&json!({"catchup":0})).await;
    client.send("41").await;
    server.emit_many("a", 1).await;
    client.join(&json!({})).await;
    assert_eq!(client.data(1).await, [1], "who left may connect again");
    server.end().await;
}
