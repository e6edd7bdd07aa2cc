//! What writers, readers and the judge share.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
};

use serde_json::Value;

/// A decision about one event, made without Kymo.
pub(super) type Matches = fn(&Seen) -> bool;

/// The filters readers use, each beside the same decision.
pub(super) const FILTERS: &[(&str, Matches)] = &[
    ("source:stress", |seen| seen.source == "stress"),
    ("type:task.*", |seen| seen.kind.starts_with("task.")),
    ("type:tool.used level:>=warn", |seen| {
        seen.kind == "tool.used" && seen.level != "info"
    }),
    ("data.n:<100", |seen| seen.n < 100),
    ("source:nobody", |_| false),
];
/// What identifies an event to a reader.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) seq: u64,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) level: String,
    pub(super) writer: u64,
    pub(super) n: u64,
}

impl Seen {
    pub(super) fn from_line(event: &Value) -> Self {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        Self {
            seq: event["seq"].as_u64().expect("every event has a seq"),
            kind: text("type"),
            source: text("source"),
            level: text("level"),
            writer: event["data"]["w"].as_u64().unwrap_or(u64::MAX),
            n: event["data"]["n"].as_u64().unwrap_or(u64::MAX),
        }
    }
}

/// A small generator of our own, so that a seed means the same run for ever.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// What all threads share.
pub(super) struct Arena {
    pub(super) address: String,
    pub(super) token: String,
    pub(super) writing: AtomicBool,
    /// Head once nothing more is written; 0 before.
    pub(super) final_head: AtomicU64,
    /// seq → (writer, n) of everything that was acknowledged.
    pub(super) acknowledged: Mutex<BTreeMap<u64, (u64, u64)>>,
}
/// Reads everything there is, as the truth to compare with.
pub(super) fn history(arena: &Arena) -> BTreeMap<u64, Seen> {
    let answer = ureq::get(format!(
        "http://{}/api/v1/events?order=oldest&limit=100000000",
        arena.address
    ))
    .header("Authorization", format!("Bearer {}", arena.token))
    .header("Accept", "application/x-ndjson")
    .call()
    .expect("history");
    let lines = BufReader::new(answer.into_body().into_reader()).lines();
    lines
        .map(|line| {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            (event["seq"].as_u64().expect("a seq"), Seen::from_line(&event))
        })
        .collect()
}
