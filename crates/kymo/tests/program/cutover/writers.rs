//! Writers that send again whatever was not acknowledged.

use std::{collections::BTreeMap, sync::atomic::Ordering::SeqCst, thread, time::Duration};

use serde_json::{Value, json};

use super::arena::{Arena, Dice};

/// Types the writers use.
const KINDS: &[&str] = &["task.started", "task.finished", "tool.used", "note"];
/// Writes batches until told to stop. What was not acknowledged is sent again: ids make it once.
pub(super) fn write(arena: &Arena, writer: u64, mut dice: Dice) {
    let mut next = 0;
    while arena.writing.load(SeqCst) {
        let count = 1 + dice.roll(40);
        let events: Vec<Value> = (next..next + count)
            .map(|n| {
                let kind = KINDS[usize::try_from(dice.roll(KINDS.len() as u64)).expect("small")];
                let level = if dice.roll(5) == 0 { "warn" } else { "info" };
                let filler = "x".repeat(usize::try_from(dice.roll(300)).expect("small"));
                json!({"id": format!("{writer}-{n}"), "type": kind, "source": "stress", "level": level, "data": {"w": writer, "n": n, "filler": filler}})
            })
            .collect();
        next += count;
        let body: String = events.iter().map(|event| format!("{event}\n")).collect();
        deliver(arena, writer, next - count, count, &body);
        if dice.roll(3) == 0 {
            thread::sleep(Duration::from_millis(dice.roll(8)));
        }
    }
}

/// Posts one batch until it is acknowledged.
fn deliver(arena: &Arena, writer: u64, first_n: u64, count: u64, body: &str) {
    loop {
        let answer = ureq::post(format!("http://{}/api/v1/events", arena.address))
            .header("Authorization", format!("Bearer {}", arena.token))
            .header("Content-Type", "application/x-ndjson")
            .send(body);
        let Ok(receipt) = answer.and_then(|mut answer| answer.body_mut().read_json::<Value>()) else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        note_acknowledged(arena, writer, first_n, count, &receipt);
        return;
    }
}

fn note_acknowledged(arena: &Arena, writer: u64, first_n: u64, count: u64, receipt: &Value) {
    assert_eq!(receipt["rejected"], json!([]), "{receipt}");
    let mut acknowledged = arena.acknowledged.lock().expect("no writer panicked");
    let known: BTreeMap<u64, u64> = receipt["duplicates"]
        .as_array()
        .expect("duplicates")
        .iter()
        .map(|duplicate| {
            (
                duplicate["index"].as_u64().expect("index"),
                duplicate["seq"].as_u64().expect("seq"),
            )
        })
        .collect();
    let mut fresh = receipt["first"].as_u64().unwrap_or(0)..;
    for index in 0..count {
        let seq = known
            .get(&index)
            .copied()
            .unwrap_or_else(|| fresh.next().expect("endless"));
        acknowledged.insert(seq, (writer, first_n + index));
    }
}
