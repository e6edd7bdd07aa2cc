//! Who takes part: Kymo and what people would otherwise pick. One file each, one line each in [`ENTRANTS`].

mod jetstream;
pub(crate) mod kymo;
mod kymo_http;
pub(crate) mod kymo_socket;
mod nats;
mod pg;
mod postgres;
mod redis;
mod resp;

use crate::{
    Outcome,
    args::Args,
    events::Event,
    load::{Call, Link},
    process::Process,
};

/// One who takes part.
#[derive(Debug)]
pub(crate) struct Entrant {
    /// Short name for lists and files.
    pub(crate) key: &'static str,
    /// Name in the table.
    pub(crate) title: &'static str,
    /// What an acknowledgement is worth.
    pub(crate) promise: Promise,
    /// Starts it on an empty folder.
    pub(crate) start: fn(&Args) -> Outcome<Started>,
}

/// What an acknowledgement is worth when the power goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Promise {
    /// What is acknowledged is on disk.
    Synced,
    /// What is acknowledged may be lost, for the reason given.
    Unsynced(&'static str),
}

/// What came of starting.
pub(crate) enum Started {
    /// It runs and accepts.
    Running(Box<dyn Contestant>),
    /// It is not installed; this is how to install it.
    Missing(String),
}

/// A running server. It hands out connections and the bytes of requests, and is asked nothing while the clock runs.
pub(crate) trait Contestant {
    /// The program behind it.
    fn process(&self) -> &Process;
    /// Bytes that its events take on disk now.
    fn stored_bytes(&self) -> u64;
    /// A connection that takes batches. Clients are numbered: some protocols name the place that is answered to.
    fn batch_writer(&self, client: u64) -> Outcome<Link>;
    /// The request by which this client stores these as one batch.
    fn batch(&self, client: u64, events: &[Event]) -> Call;
    /// A connection that takes events one by one.
    fn writer(&self, door: Door, client: u64) -> Outcome<Link>;
    /// The request by which this client stores this event.
    fn single(&self, door: Door, client: u64, event: &Event) -> Call;
    /// A connection that is told every event from now on, and nothing from before.
    fn reader(&self) -> Outcome<Link>;
    /// A connection and the request that lets it be told the past; the clock starts with the request.
    fn past(&self, which: Past) -> Outcome<(Link, Vec<u8>)>;
    /// Kymo itself, for works that only it can do.
    fn as_kymo(&self) -> Option<&kymo::Kymo> {
        None
    }
    /// Whether it says by itself that the past is over.
    fn says_live(&self) -> bool {
        false
    }
}

/// By which door single events come in, where there is a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    /// The usual one: a connection that stays.
    Socket,
    /// A request of its own for each.
    Http,
}

/// Which part of the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Past {
    /// Everything.
    All,
    /// The one event in a hundred of the rare type.
    Rare,
    /// The one event in ten with a certain value in its payload.
    Shard,
}

/// All, Kymo first.
pub(crate) static ENTRANTS: &[Entrant] = &[
    Entrant {
        key: "kymo",
        title: "Kymo",
        promise: Promise::Synced,
        start: kymo::start,
    },
    Entrant {
        key: REDIS_ALWAYS,
        title: "Redis `always`",
        promise: Promise::Synced,
        start: redis::start_always,
    },
    Entrant {
        key: "redis-everysec",
        title: "Redis `everysec`",
        promise: Promise::Unsynced("syncs once a second"),
        start: redis::start_everysec,
    },
    Entrant {
        key: JETSTREAM,
        title: "NATS JetStream",
        promise: Promise::Unsynced("the file store syncs every two minutes"),
        start: jetstream::start,
    },
    Entrant {
        key: "postgres",
        title: "PostgreSQL",
        promise: Promise::Synced,
        start: postgres::start,
    },
];

/// The peer that some bars are relative to.
pub(crate) const REDIS_ALWAYS: &str = "redis-always";

/// The one peer that filters the past.
pub(crate) const JETSTREAM: &str = "jetstream";

/// The key of Kymo itself.
pub(crate) const KYMO: &str = "kymo";

/// The entrant with this key.
pub(crate) fn named(key: &str) -> Option<&'static Entrant> {
    ENTRANTS.iter().find(|entrant| entrant.key == key)
}
