//! What writers, readers and the judge share.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use serde_json::Value;

use crate::support::Server;

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
    ("", |_| true),
    ("source:nobody", |_| false),
];

/// What identifies an event to a reader.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) seq: u64,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) level: String,
    /// Checksum of the whole line: two that agree in it are the same bytes.
    pub(super) crc: String,
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
            crc: text("crc"),
            writer: event["data"]["w"].as_u64().unwrap_or(u64::MAX),
            n: event["data"]["n"].as_u64().unwrap_or(u64::MAX),
        }
    }
}

/// A small generator of our own, so that a seed means the same decisions for ever.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    /// Dice for somebody else.
    pub(super) fn split(&mut self) -> Self {
        Self(self.roll(u64::MAX) | 1)
    }

    pub(super) fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.roll(list.len() as u64)).expect("a short list")]
    }
}

/// How often something happened that a run is worth nothing without.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) fell_behind: AtomicU64,
    pub(super) caught_up: AtomicU64,
    pub(super) resumed: AtomicU64,
    pub(super) switched: AtomicU64,
    pub(super) gaps: AtomicU64,
}

/// What all threads share.
pub(super) struct Arena {
    /// Where the server is now: each start picks a free port, and nobody can take the one of a killed server.
    address: RwLock<String>,
    pub(super) token: String,
    pub(super) writing: AtomicBool,
    /// Head once nothing more is written; 0 before.
    pub(super) final_head: AtomicU64,
    /// seq → (writer, n) of everything that was acknowledged.
    pub(super) acknowledged: Mutex<BTreeMap<u64, (u64, u64)>>,
    /// Whether old events may go, so that a reader may be told of a gap.
    pub(super) retires: bool,
    pub(super) websocket: Tally,
    pub(super) sse: Tally,
}

impl Arena {
    pub(super) fn new(server: &Server, retires: bool) -> Self {
        Self {
            address: RwLock::new(server.address()),
            token: server.token.clone(),
            writing: AtomicBool::new(true),
            final_head: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            retires,
            websocket: Tally::default(),
            sse: Tally::default(),
        }
    }

    pub(super) fn address(&self) -> String {
        self.address
            .read()
            .expect("nobody panics while holding it")
            .clone()
    }

    /// The server is somewhere else now.
    pub(super) fn moved(&self, server: &Server) {
        *self.address.write().expect("nobody panics while holding it") = server.address();
    }

    pub(super) fn acknowledged_so_far(&self) -> usize {
        self.acknowledged.lock().expect("no writer panicked").len()
    }

    /// Head, once it is known that nothing follows.
    pub(super) fn end(&self) -> Option<u64> {
        Some(self.final_head.load(SeqCst)).filter(|head| *head > 0)
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, SeqCst);
}

pub(super) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seed of this run, which is said where a failure shows it.
pub(super) fn seed(run: &str) -> Dice {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let fresh = || now.wrapping_mul(7919).wrapping_add(u64::from(std::process::id()));
    let seed = setting("KYMO_STRESS_SEED").unwrap_or_else(fresh);
    eprintln!("{run}: KYMO_STRESS_SEED={seed}");
    Dice(seed.wrapping_mul(2).wrapping_add(1))
}
