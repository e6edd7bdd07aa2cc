//! GET /api/v1/agents: what was emitted is told, of any moment, and to each what it may see.
use serde_json::{Value, json};

use crate::support::{http, server::Running};

async fn agents(server: &Running, query: &str) -> Value {
    let answer = server.get(&format!("/api/v1/agents?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

/// Name and state of each.
fn states(page: &Value) -> Vec<String> {
    let agents = page["agents"].as_array().expect("agents").iter();
    agents
        .map(|agent| format!("{} {}", agent["agent"], agent["state"]).replace('"', ""))
        .collect()
}

async fn emit(server: &Running, event: Value) -> u64 {
    let answer = server.emit(event.to_string()).await.json();
    answer["last"].as_u64().expect("a seq")
}

#[tokio::test]
async fn what_was_emitted_is_told_and_what_was_before_can_be_asked_for() {
    let server = Running::start().await;
    let start = json!({ "type": "tool.started", "agent": "planner", "task": "t1", "user": "ann" });
    let first = emit(&server, start).await;
    let told = json!({
        "id": "agent-state-1771095683456", "timestamp": 1_771_095_683_456_u64, "source": "conductor",
        "type": "agent-state-changed", "payload": { "agentId": "memory-1", "state": { "status": "processing" } },
    });
    emit(&server, told).await;
    let last = emit(
        &server,
        json!({ "type": "tool.completed", "agent": "planner", "user": "ann" }),
    )
    .await;
    let page = agents(&server, &format!("min={last}")).await;
    assert_eq!(page["cursor"], last);
    assert_eq!(states(&page), ["planner idle", "memory-1 working"]);
    assert_eq!(page["agents"][1]["status"], "processing");
    assert_eq!(page["agents"][1]["told"], json!({ "status": "processing" }));
    let then = agents(&server, &format!("at={first}")).await;
    assert_eq!(states(&then), ["planner working"]);
    assert_eq!(
        (&then["cursor"], &then["agents"][0]["task"]),
        (&json!(first), &json!("t1"))
    );
    assert_eq!(states(&agents(&server, "at=-1h").await), [""; 0]);
    assert_eq!(states(&agents(&server, "limit=1").await), ["planner idle"]);
    assert_eq!(agents(&server, "limit=0").await["total"], 2);
    let token = server.make_token("ann", &["read"], &[("user", "ann")]).await;
    let bearer = format!("Bearer {token}");
    let bound = http::ask(
        server.addr,
        "GET",
        "/api/v1/agents",
        &[("authorization", &bearer)],
        b"",
    )
    .await;
    assert_eq!(states(&bound.json()), ["planner idle"]);
    server.end().await;
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_is_refused_with_a_code() {
    let server = Running::start().await;
    emit(&server, json!({ "type": "note", "agent": "a" })).await;
    for (query, code) in [
        ("at=yesterday", "invalid_parameter"),
        ("min=x", "invalid_parameter"),
        ("min=-1", "invalid_parameter"),
        ("limit=10001", "invalid_parameter"),
        ("agents=1", "invalid_parameter"),
        ("min=99", "not_yet"),
    ] {
        let answer = server.get(&format!("/api/v1/agents?{query}")).await;
        assert_eq!(answer.json()["error"]["code"], code, "{query}");
    }
    assert_eq!(states(&agents(&server, "min=0").await), ["a idle"]);
    let nobody = http::ask(server.addr, "GET", "/api/v1/agents", &[], b"").await;
    assert_eq!(nobody.status, 401);
    let emitter = server.make_token("e", &["emit"], &[]).await;
    let bearer = format!("Bearer {emitter}");
    let refused = http::ask(
        server.addr,
        "GET",
        "/api/v1/agents",
        &[("authorization", &bearer)],
        b"",
    )
    .await;
    assert_eq!(refused.status, 403);
    server.end().await;
}
