//! Writers over HTTP and WebSocket that send again whatever was not acknowledged.

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpStream,
    sync::atomic::Ordering::SeqCst,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    arena::{Arena, Dice},
    readers::open_websocket,
};

/// Types the writers use.
const KINDS: &[&str] = &["task.started", "task.finished", "tool.used", "note"];
/// Batches a WebSocket writer sends before it waits for an answer.
const IN_FLIGHT: usize = 8;

/// Some events under ids: sent twice they are stored once.
struct Batch {
    first_n: u64,
    events: Vec<Value>,
}

impl Batch {
    fn next(writer: u64, next: &mut u64, dice: &mut Dice) -> Self {
        let count = 1 + dice.roll(40);
        let first_n = *next;
        *next += count;
        let events = (first_n..*next)
            .map(|n| {
                let kind = dice.one_of(KINDS);
                let level = if dice.roll(5) == 0 { "warn" } else { "info" };
                let filler = "x".repeat(usize::try_from(dice.roll(300)).expect("small"));
                json!({"id": format!("{writer}-{n}"), "type": kind, "source": "stress", "level": level, "data": {"w": writer, "n": n, "filler": filler}})
            })
            .collect();
        Self { first_n, events }
    }
}

/// Writes batches over HTTP until told to stop.
pub(super) fn write_over_http(arena: &Arena, writer: u64, mut dice: Dice) {
    let mut next = 0;
    while arena.writing.load(SeqCst) {
        let batch = Batch::next(writer, &mut next, &mut dice);
        let body: String = batch.events.iter().map(|event| format!("{event}\n")).collect();
        while post(arena, writer, &batch, &body).is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        rest(&mut dice);
    }
}

fn post(arena: &Arena, writer: u64, batch: &Batch, body: &str) -> Option<()> {
    let answer = ureq::post(format!("http://{}/api/v1/events", arena.address()))
        .header("Authorization", format!("Bearer {}", arena.token))
        .header("Content-Type", "application/x-ndjson")
        .send(body);
    let receipt = answer.ok()?.body_mut().read_json::<Value>().ok()?;
    note_acknowledged(arena, writer, batch, &receipt);
    Some(())
}

/// Writes batches over WebSocket, several in flight, until told to stop and all is acknowledged.
pub(super) fn write_over_websocket(arena: &Arena, writer: u64, mut dice: Dice) {
    let mut next = 0;
    let mut unanswered = VecDeque::new();
    while arena.writing.load(SeqCst) || !unanswered.is_empty() {
        if talk(arena, writer, &mut next, &mut unanswered, &mut dice).is_none() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// One connection; what a former one left unanswered goes first. `None` once it broke.
fn talk(
    arena: &Arena,
    writer: u64,
    next: &mut u64,
    unanswered: &mut VecDeque<Batch>,
    dice: &mut Dice,
) -> Option<()> {
    let mut socket = open_websocket(arena, None)?;
    for batch in &*unanswered {
        emit(&mut socket, batch)?;
    }
    loop {
        let writes = arena.writing.load(SeqCst);
        if !writes && unanswered.is_empty() {
            return Some(());
        }
        while writes && unanswered.len() < IN_FLIGHT {
            let batch = Batch::next(writer, next, dice);
            emit(&mut socket, &batch)?;
            unanswered.push_back(batch);
        }
        let Message::Text(text) = socket.read().ok()? else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        if message["op"] == "ack" {
            let answered = unanswered
                .iter()
                .position(|batch| message["ref"] == batch.first_n);
            let batch = unanswered
                .remove(answered.expect("an answer to something"))
                .expect("it is there");
            note_acknowledged(arena, writer, &batch, &message);
            rest(dice);
        } else if message["op"] == "error" {
            assert_eq!(message["code"], "closing", "{message}");
            return None;
        }
    }
}

fn emit(socket: &mut tokio_tungstenite::tungstenite::WebSocket<TcpStream>, batch: &Batch) -> Option<()> {
    let message = json!({"op": "emit", "ref": batch.first_n, "events": batch.events});
    socket.send(Message::text(message.to_string())).ok()
}

fn rest(dice: &mut Dice) {
    if dice.roll(3) == 0 {
        thread::sleep(Duration::from_millis(dice.roll(8)));
    }
}

fn note_acknowledged(arena: &Arena, writer: u64, batch: &Batch, receipt: &Value) {
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
    for index in 0..batch.events.len() as u64 {
        let seq = known
            .get(&index)
            .copied()
            .unwrap_or_else(|| fresh.next().expect("endless"));
        acknowledged.insert(seq, (writer, batch.first_n + index));
    }
}
