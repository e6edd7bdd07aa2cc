//! What is measured. One file each, one line each in [`WORKS`]; a work's key is what `--only` takes.

pub(crate) mod batches;
mod burst;
mod bystanders;
mod crowd;
mod hostile;
mod idle;
mod memory;
mod once;
mod one_by_one;
pub(crate) mod open_loop;
mod past;
mod readers;
pub(crate) mod replay;
mod single;
mod soak;
pub(crate) mod start;
mod together;
mod unusual;

pub(crate) use self::{once::HUGE, readers::Readers};
use crate::{
    Outcome,
    args::Scale,
    bars::{Bar, Limit, Peer},
    contestants::{Contestant, JETSTREAM, KYMO, REDIS_ALWAYS, kymo::Kymo},
    figures::Figures,
    floors,
};

/// A row of the table.
pub(crate) struct Work {
    /// Short name for lists and files.
    pub(crate) key: &'static str,
    /// What is done.
    pub(crate) title: &'static str,
    /// What Kymo must reach.
    pub(crate) bars: &'static [Bar],
    /// Who does it.
    pub(crate) who: Who,
    /// Does it with a server that has just been started.
    pub(crate) run: fn(&mut dyn Contestant, &Scale) -> Outcome<Figures>,
    /// What this machine allows when nothing else is done.
    pub(crate) floor: Option<fn(&Scale) -> Outcome<Figures>>,
}

/// Who does a work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// All.
    Everyone,
    /// Kymo and those named.
    Only(&'static [&'static str], &'static str),
}

impl Work {
    /// Whether the first pass is enough.
    pub(crate) fn is_once(&self) -> bool {
        once().any(|once| once.key == self.key)
    }

    /// Why this contestant does not take part.
    pub(crate) fn left_out(&self, key: &str) -> Option<&'static str> {
        match self.who {
            Who::Only(peers, why) if key != KYMO && !peers.contains(&key) => Some(why),
            _ => None,
        }
    }
}

/// All, in the order of the table.
pub(crate) static WORKS: &[Work] = &[
    Work {
        key: "batches",
        title: "batches of 1,000",
        bars: &[
            Bar::at_least(1_000_000.0),
            Bar::new("rate", Limit::AtLeastTimes(2.0, Peer::BestDurable)),
            Bar::new("stored", Limit::AtMost(450.0)),
        ],
        who: Who::Everyone,
        run: batches::run,
        floor: Some(floors::append_and_sync),
    },
    Work {
        key: "single",
        title: "one event per call awaiting its ack, 64 clients",
        bars: &[
            Bar::at_least(70_000.0),
            Bar::new("rate", Limit::AtLeastTimes(1.0, Peer::Named(REDIS_ALWAYS))),
            Bar::new("p99", Limit::Below(2_500.0)),
        ],
        who: Who::Everyone,
        run: single::over_socket,
        floor: Some(floors::ping_pong),
    },
    Work {
        key: "single-http",
        title: "the same, each call an HTTP request",
        bars: &[Bar::at_least(50_000.0), Bar::new("p99", Limit::Below(3_000.0))],
        who: Who::Only(&[], "speaks no HTTP"),
        run: single::over_http,
        floor: Some(floors::ping_pong_http),
    },
    Work {
        key: "burst",
        title: "burst fan-out, 1 publisher to 500 readers",
        bars: &[Bar::at_least(5_000_000.0)],
        who: Who::Everyone,
        run: burst::run,
        floor: Some(floors::loopback_websocket),
    },
    Work {
        key: "one-by-one",
        title: "one by one, 1 publisher awaiting nothing, 100 readers",
        bars: &[Bar::at_least(100_000.0)],
        who: Who::Everyone,
        run: one_by_one::run,
        floor: None,
    },
    Work {
        key: "open-loop",
        title: "2,000 events/s to 10 readers, open loop, from emit to reader",
        bars: &[
            Bar::new("p50", Limit::Below(330.0)),
            Bar::new("p50", Limit::AtMostTimes(1.0, Peer::Named(REDIS_ALWAYS))),
            Bar::new("p99", Limit::Below(2_000.0)),
            Bar::new("p99", Limit::AtMostTimes(1.5, Peer::Named(REDIS_ALWAYS))),
        ],
        who: Who::Everyone,
        run: open_loop::run,
        floor: Some(floors::hand_on),
    },
    Work {
        key: "replay",
        title: "replay of stored events to one reader",
        bars: &[Bar::at_least(5_000_000.0)],
        who: Who::Everyone,
        run: replay::all,
        floor: Some(floors::file_to_reader),
    },
    Work {
        key: "replay-filtered",
        title: "replay through a filter on the type, 1 % match",
        bars: &[Bar::at_least(150_000.0)],
        who: Who::Only(&[JETSTREAM], "has no filter by type"),
        run: replay::rare,
        floor: None,
    },
    Work {
        key: "replay-data",
        title: "replay through a filter on `data`, 10 % match",
        bars: &[Bar::at_least(1_500_000.0)],
        who: Who::Only(&[], "has no filter by payload"),
        run: replay::shard,
        floor: None,
    },
];

/// Those and the ones that are done once.
pub(crate) fn all() -> impl Iterator<Item = &'static Work> {
    WORKS.iter().chain(once())
}

fn once() -> impl Iterator<Item = &'static Work> {
    once::ONCE.iter().chain(hostile::HOSTILE)
}

/// Kymo, for a work that only it is asked to do.
fn kymo(contestant: &dyn Contestant) -> Outcome<&Kymo> {
    contestant.as_kymo().ok_or_else(|| "only Kymo does this".into())
}

/// Bytes on disk for each of `events`, and the server's processor time for each.
pub(crate) struct Cost {
    bytes: u64,
    cpu_seconds: f64,
}

impl Cost {
    /// What it was before.
    pub(crate) fn now(contestant: &dyn Contestant) -> Self {
        Self {
            bytes: contestant.stored_bytes(),
            cpu_seconds: contestant.process().cpu_seconds(),
        }
    }

    /// What `events` have cost since.
    pub(crate) fn since(&self, contestant: &dyn Contestant, events: u64) -> Figures {
        let now = Self::now(contestant);
        let per_event = |more: f64| more / events as f64;
        vec![
            crate::figures::figure(
                "CPU",
                "µs/event",
                per_event(now.cpu_seconds - self.cpu_seconds) * 1e6,
            ),
            crate::figures::figure(
                "stored",
                "B/event",
                per_event(now.bytes.saturating_sub(self.bytes) as f64),
            ),
        ]
    }
}
