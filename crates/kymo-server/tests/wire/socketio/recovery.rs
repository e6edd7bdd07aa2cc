//! Clients that come back: what they missed comes from the ledger, also after a restart; what is gone is named.
use kymo_ledger::LedgerSettings;
use kymo_server::Anonymous;
use serde_json::{Value, json};

use crate::support::{
    server::Running,
    sio::{self, Sio, open_server},
};

/// The `auth` of a client that comes back.
fn back(before: &Value, offset: &str, more: Value) -> Value {
    let mut auth = json!({"recovery":true,"pid":before["pid"],"offset":offset});
    for (key, value) in more.as_object().expect("an object") {
        auth[key] = value.clone();
    }
    auth
}

/// The data and offset of the next event.
async fn event(client: &mut Sio) -> (Value, String) {
    let event = client.named("event").await;
    let offset = event[1]
        .as_str()
        .unwrap_or_else(|| panic!("no offset: {event:?}"));
    (event[0]["data"].clone(), offset.to_owned())
}

#[tokio::test]
async fn only_who_asks_for_recovery_is_given_an_id_and_offsets() {
    let server = open_server().await;
    server.emit_many("a", 2).await;
    let (mut plain, answer) = Sio::connect(server.addr, &json!({"pid":"x","offset":"1"})).await;
    assert_eq!(answer.get("pid"), None);
    assert_eq!(
        plain.named("event").await.len(),
        1,
        "an argument more breaks handlers"
    );
    let (mut client, answer) = Sio::connect(server.addr, &json!({"recovery":true})).await;
    assert!(answer["pid"].is_string(), "{answer}");
    assert_eq!(event(&mut client).await, (json!(1), "1".into()));
    let mut client = Sio::open(server.addr, "&recovery=1").await;
    assert!(client.join(&json!({})).await["pid"].is_string());
    server.end().await;
}

#[tokio::test]
async fn who_was_away_gets_what_it_missed_and_is_told_that_it_is_known() {
    let server = open_server().await;
    server.emit_many("a", 200).await;
    let (mut client, before) = Sio::connect(server.addr, &json!({"recovery":true,"catchup":1})).await;
    assert_eq!(event(&mut client).await, (json!(200), "200".into()));
    drop(client);
    server.emit_many("b", 150).await;
    let (mut client, after) = Sio::connect(server.addr, &back(&before, "200", json!({}))).await;
    assert_eq!(after["pid"], before["pid"]);
    assert_ne!(after["sid"], before["sid"]);
    for n in 1..=150 {
        assert_eq!(event(&mut client).await, (json!(n), (200 + n).to_string()));
    }
    server.emit_many("c", 1).await;
    assert_eq!(event(&mut client).await, (json!(1), "351".into()));
    server.end().await;
}

#[tokio::test]
async fn what_was_asked_for_later_is_remembered_and_a_restart_is_told() {
    let server = open_server().await;
    let (mut client, before) = Sio::connect(server.addr, &json!({"recovery":true})).await;
    client.call("subscribe", &json!({"filter":"type:b"})).await;
    server
        .emit(r#"[{"type":"a","data":1},{"type":"b","data":2}]"#)
        .await;
    assert_eq!(event(&mut client).await, (json!(2), "2".into()));
    drop(client);
    server
        .emit(r#"[{"type":"a","data":3},{"type":"b","data":4}]"#)
        .await;
    let auth = back(&before, "2", json!({}));
    let (mut client, after) = Sio::connect(server.addr, &auth).await;
    assert_eq!(after["pid"], before["pid"]);
    assert_eq!(event(&mut client).await, (json!(4), "4".into()));
    drop(client);
    let server = Running::on(
        server.end().await,
        sio::choices(|door| door.anonymous = Anonymous::Read),
    )
    .await;
    let (mut client, after) = Sio::connect(server.addr, &auth).await;
    assert_ne!(
        after["pid"], before["pid"],
        "it is new, and asks again for what `auth` does not say"
    );
    assert_eq!(event(&mut client).await.0, 3, "nothing is missing");
    server.end().await;
}

#[tokio::test]
async fn an_offset_moves_over_what_does_not_match() {
    let server = open_server().await;
    let auth = json!({"recovery":true,"filter":"type:b"});
    let (mut client, _) = Sio::connect(server.addr, &auth).await;
    server.emit_many("a", 10).await;
    let cursor = client.named("cursor").await;
    assert_eq!(cursor, [json!({"cursor":10}), json!("10")]);
    server.end().await;
}

#[tokio::test]
async fn a_replay_moves_no_offset() {
    let server = open_server().await;
    server.emit_many("a", 5).await;
    let (mut client, _) = Sio::connect(server.addr, &json!({"recovery":true,"catchup":0})).await;
    client.send("42[\"replay\",{\"count\":2}]").await;
    for n in [4, 5] {
        let event = client.named("event").await;
        assert_eq!((&event[0]["data"], event.len()), (&json!(n), 1));
    }
    server.end().await;
}

#[tokio::test]
async fn what_is_gone_is_named_and_told_once() {
    let mut choices = sio::choices(|door| door.anonymous = Anonymous::Read);
    choices.ledger = LedgerSettings {
        segment_bytes_max: 256 << 10,
        retain_bytes: Some(1 << 20),
        ..LedgerSettings::default()
    };
    let server = Running::with(choices).await;
    server.emit_many("early", 1).await;
    let (mut client, before) = Sio::connect(server.addr, &json!({"recovery":true,"catchup":1})).await;
    event(&mut client).await;
    drop(client);
    server.emit_a_long_past().await;
    let first = server.tidy_up().await;
    assert!(first > 100, "{first}");
    let (mut client, _) = Sio::connect(server.addr, &back(&before, "1", json!({}))).await;
    let gap = client.named("gap").await;
    assert_eq!(
        (&gap[0]["asked"], &gap[0]["reason"]),
        (&json!(2), &json!("retention"))
    );
    let resumes = gap[0]["first"].as_u64().expect("a seq");
    assert!(resumes >= first);
    assert_eq!(gap[1], (resumes - 1).to_string(), "it is told once");
    assert_eq!(event(&mut client).await.1, resumes.to_string());
    server.end().await;
}

#[tokio::test]
async fn an_offset_of_another_ledger_is_told_as_one() {
    let server = open_server().await;
    server.emit_many("a", 3).await;
    let auth = json!({"recovery":true,"pid":"0198-other.era.id","offset":"2"});
    let (mut client, answer) = Sio::connect(server.addr, &auth).await;
    assert_ne!(answer["pid"], auth["pid"]);
    assert_eq!(client.named("gap").await[0]["reason"], "other_ledger");
    assert_eq!(event(&mut client).await, (json!(1), "1".into()));
    for (pid, offset) in [("nonsense", "7"), ("a.b.c", "x"), ("", "")] {
        let auth = json!({"recovery":true,"pid":pid,"offset":offset,"catchup":1});
        let (mut client, _) = Sio::connect(server.addr, &auth).await;
        assert_eq!(event(&mut client).await.0, 3, "what was never ours is nothing");
    }
    server.end().await;
}
