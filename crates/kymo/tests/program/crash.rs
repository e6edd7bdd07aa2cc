//! What a kill under load costs: nothing that was acknowledged, and nobody saw what is gone.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;

use crate::support::{Home, Running};

/// Emits until told to stop or the server is gone; returns the ids that were acknowledged.
fn emit_until(agent: &ureq::Agent, url: &str, token: &str, writer: usize, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let ids: Vec<String> = (0..7).map(|n| format!("{writer}-{round}-{n}")).collect();
        let body: String = ids
            .iter()
            .map(|id| format!("{{\"type\":\"load\",\"source\":\"w{writer}\",\"id\":\"{id}\"}}\n"))
            .collect();
        let answer = agent
            .post(format!("{url}/api/v1/events"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/x-ndjson")
            .send(body.as_bytes());
        match answer {
            Ok(answer) if answer.status() == 200 => acknowledged.extend(ids),
            _ => break,
        }
    }
    acknowledged
}

#[test]
fn after_a_kill_under_load_all_that_was_acknowledged_is_there_and_nothing_seen_is_gone() {
    let home = Home::new();
    let mut acknowledged = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for kill in 0..3 {
        let server = home.serve();
        let tail = Running::start(home.command(&["tail", "type:load", "--json", "--since", "now"]));
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (url, token, stop) = (server.url.clone(), server.token.clone(), Arc::clone(&stop));
                let agent: ureq::Agent = ureq::Agent::config_builder()
                    .http_status_as_error(false)
                    .proxy(None)
                    .timeout_global(Some(crate::support::DEADLINE))
                    .build()
                    .into();
                thread::spawn(move || emit_until(&agent, &url, &token, kill * 10 + writer, &stop))
            })
            .collect();
        // The load is on once the reader has seen some of it.
        for _ in 0..200 {
            seen.push(tail.line());
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            acknowledged.extend(writer.join().expect("a writer does not panic"));
        }
        tail.error_with("lost");
        seen.extend(tail.lines_so_far());
    }
    let server = home.serve();
    let stored = server.events("type:load");
    let by_id: BTreeMap<&str, &Value> = stored
        .iter()
        .map(|event| (event["id"].as_str().expect("an id"), event))
        .collect();
    assert_eq!(by_id.len(), stored.len(), "an event is there twice");
    for id in &acknowledged {
        assert!(
            by_id.contains_key(id.as_str()),
            "{id} was acknowledged and is gone"
        );
    }
    for line in &seen {
        let event: Value = serde_json::from_str(line).expect("a line");
        assert_eq!(
            by_id.get(event["id"].as_str().expect("an id")),
            Some(&&event),
            "seen, and gone or changed"
        );
    }
    assert!(
        acknowledged.len() > 500,
        "the load was none: {}",
        acknowledged.len()
    );
    home.kymo(&["verify"]).good();
}
