//! SKELETON of the public surface; the real crate splits this over its rooms.
use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kymo_event::{Channel, Event, Filter, LedgerId, Limits, LineView, Micros, RawJson, Refusal, Seq};
use kymo_ledger::{Appended, Durability, Gap, Ledger, ReadError};

/// How the hub admits and serves.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubSettings {
    /// Newest committed bytes kept in memory, cached frames included.
    pub ring_bytes_max: usize,
    /// A frame to a reader is about this large at most.
    pub frame_bytes_max: usize,
    /// Newest ids kept in memory for idempotency.
    pub ids_max: usize,
    /// Events per second and source; 0 = no limit. Warn and above always pass.
    pub rate_per_source: u32,
    /// Size limits.
    pub limits: Limits,
}
impl Default for HubSettings {
    fn default() -> Self {
        Self {
            ring_bytes_max: 16 << 20,
            frame_bytes_max: 128 << 10,
            ids_max: 1 << 18,
            rate_per_source: 0,
            limits: Limits::default(),
        }
    }
}

/// What a token may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// write events
    Emit,
    /// read events
    Read,
    /// sources, rules, issues
    Manage,
    /// tokens, stop
    Admin,
}

/// Who is at the door: scopes, and the envelope keys the token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// For logs and events; never the token.
    pub name: Arc<str>,
    /// What it may do. Admin and manage include what is below them.
    pub scopes: Vec<Scope>,
    /// Keys (source, agent, session, user, tier) every event of this principal has: filled in where absent, refused
    /// (`not_allowed`) where different, and a filter on everything it reads.
    pub bound: BTreeMap<BoundKey, String>,
}
/// A key a token can be bound to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum BoundKey {
    Source,
    Agent,
    Session,
    User,
    Tier,
}
impl Principal {
    /// May do everything, bound to nothing.
    #[must_use]
    pub fn owner() -> Self {
        Self {
            name: "owner".into(),
            scopes: vec![Scope::Admin],
            bound: BTreeMap::new(),
        }
    }
    /// Whether it may.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        todo!("{scope:?}")
    }
    /// What it is bound to, as a filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        todo!()
    }
}

/// The hub. Clones share it.
#[derive(Clone)]
pub struct Hub {
    _private: Arc<()>,
}

impl Hub {
    /// Takes the ledger over: from here on all appends go through the hub. Needs a tokio runtime (counters, aggregation of `kymo.*`).
    #[must_use]
    pub fn start(settings: HubSettings, ledger: Ledger) -> Self {
        todo!("{settings:?}{}", ledger.id())
    }
    /// The same, recording as `kymo.*` events what the ledger's notices say (from before the start on).
    #[must_use]
    pub fn start_with(settings: HubSettings, ledger: Ledger, notices: Notices) -> Self {
        let _ = notices;
        Self::start(settings, ledger)
    }
    /// The ledger beneath.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        todo!()
    }
    /// Settings in force.
    #[must_use]
    pub fn settings(&self) -> &HubSettings {
        todo!()
    }
    /// Begins a batch from one principal at one door (`http`, `ws`, `import`, …).
    #[must_use]
    pub fn intake(&self, principal: &Principal, door: &'static str) -> Intake {
        todo!("{principal:?}{door}")
    }
    /// Records something of our own: type `kymo.*`, source `kymo`. Never blocks, never fails loudly; aggregated under load.
    pub fn note(&self, event: Event<'static>) {
        todo!("{event:?}")
    }
    /// A reader.
    pub fn subscribe(
        &self,
        request: SubscribeRequest,
        principal: &Principal,
    ) -> Result<Subscriber, SubscribeError> {
        todo!("{request:?}{principal:?}")
    }
    /// History pages (async; reads on the bounded catch-up pool).
    pub async fn history(
        &self,
        request: HistoryRequest,
        principal: &Principal,
    ) -> Result<HistoryPage, SubscribeError> {
        todo!("{request:?}{principal:?}")
    }
    /// Resolves `from`/`to` to a seq.
    pub fn resolve(&self, from: &From) -> Result<Seq, ReadError> {
        todo!("{from:?}")
    }
    /// Numbers of this moment.
    #[must_use]
    pub fn counters(&self) -> Counters {
        todo!()
    }
    /// Stops admitting (`closing`), ends subscribers with [`Delivery::Closing`] after what is durable was delivered to
    /// those that keep up, and closes the ledger.
    pub async fn close(&self) {
        todo!()
    }
}

/// Keeps what a ledger says of itself until the hub records it: `Ledger::open(…, notices.on_notice())`, then
/// [`Hub::start_with`].
#[derive(Clone, Debug, Default)]
pub struct Notices {
    _private: (),
}
impl Notices {
    /// Nothing was said so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// What to give to [`Ledger::open`].
    #[must_use]
    pub fn on_notice(&self) -> kymo_ledger::OnNotice {
        todo!()
    }
}

/// Collects the records of one request, then commits them as one batch.
pub struct Intake {
    _private: (),
}
impl Intake {
    /// Reads a JSON record in its detected dialect (or the named one) and admits it.
    pub fn record(
        &mut self,
        index: usize,
        record: RawJson<'_>,
        dialect: Option<&'static dyn kymo_event::dialects::Dialect>,
    ) {
        todo!("{index}{record:?}{}", dialect.is_some())
    }
    /// Admits an event that a source or dialect made.
    pub fn event(&mut self, index: usize, event: Event<'_>) {
        todo!("{index}{event:?}")
    }
    /// Notes a record that was refused before it got here.
    pub fn refuse(&mut self, index: usize, refusal: Refusal) {
        todo!("{index}{refusal}")
    }
    /// How many records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Appends; the answer comes when everything stored is durable. Dropping the future loses nothing that was handed over.
    pub async fn commit(self) -> Result<Receipt, PublishError> {
        todo!()
    }
}

/// The answer to a batch, in the words of the wire.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// Stored now, without duplicates.
    pub accepted: usize,
    /// Seq of the first event stored.
    pub first: Option<Seq>,
    /// Seq of the last event stored.
    pub last: Option<Seq>,
    /// Level reached.
    pub durability: Durability,
    /// Known already.
    pub duplicates: Vec<Duplicate>,
    /// Not taken.
    pub rejected: Vec<Rejected>,
}
/// A record that was stored before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Duplicate {
    /// index in the request
    pub index: usize,
    /// where it is
    pub seq: Seq,
}
/// A record that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// index in the request
    pub index: usize,
    /// byte of the fault in the body
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
    /// stable
    pub code: &'static str,
    /// what happened and what to do
    pub message: String,
}
/// Why a whole batch was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// Come back in this many seconds.
    #[error("the hub is busy")]
    Busy { retry_after_s: u32 },
    /// The disk is full.
    #[error("no space left on the ledger's disk")]
    DiskFull,
    /// The ledger cannot be written.
    #[error("the ledger cannot be written: {0}")]
    Unwritable(String),
    /// Shutting down.
    #[error("the hub is shutting down")]
    Closing,
    /// The principal may not emit.
    #[error("this token may not emit")]
    NotAllowed,
}
#[doc(hidden)]
pub type _A = Appended;

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// after the newest
    Now,
    /// at the oldest
    Start,
    /// at this seq (inclusive); with the ledger it came from, if known
    Seq(Seq, Option<LedgerId>),
    /// this long ago, microseconds
    Ago(i64),
    /// at this moment
    Time(Micros),
}

/// What a reader wants.
#[derive(Clone, Debug)]
pub struct SubscribeRequest {
    /// The request's filter.
    pub filter: Filter,
    /// Channels (their union); empty = everything.
    pub channels: Vec<Channel>,
    /// Where to begin.
    pub from: From,
    /// How frames are built: feeds with equal effective filter and equal [`Encoder::name`] share frames.
    pub encoder: Arc<dyn Encoder>,
}
/// Builds the bytes of a frame; given by the door. Called once per feed and batch, the result is shared.
pub trait Encoder: Send + Sync + std::fmt::Debug {
    /// Equal names build equal bytes.
    fn name(&self) -> &str;
    /// Appends a frame with these lines (each without line feed), every match up to `cursor` now sent. `lines` may be
    /// empty (the cursor moves) .
    fn frame(&self, feed: u32, cursor: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>);
    /// The same for encoders that pass lines on as they stand: spares the reading of every line. An encoder that does
    /// not need views appends the frame and returns true; the others append nothing and return false.
    fn raw_frame(
        &self,
        feed: u32,
        cursor: Seq,
        lines: &mut dyn Iterator<Item = &[u8]>,
        out: &mut Vec<u8>,
    ) -> bool {
        let _ = (feed, cursor, lines, out);
        false
    }
}
/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// Missing scope.
    #[error("this token may not read")]
    NotAllowed,
    /// The disk said no.
    #[error("the ledger could not be read")]
    Read(#[from] ReadError),
    /// Shutting down.
    #[error("the hub is shutting down")]
    Closing,
}

/// A reader's cursor. Drop to unsubscribe.
pub struct Subscriber {
    _private: (),
}
impl Subscriber {
    /// The server's number of the feed (effective filter and encoder).
    #[must_use]
    pub fn feed(&self) -> u32 {
        todo!()
    }
    /// First seq that can be delivered.
    #[must_use]
    pub fn from(&self) -> Seq {
        todo!()
    }
    /// Effective filter.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        todo!()
    }
    /// What comes next, in order; waits when there is nothing. Cancel-safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Delivery {
        todo!()
    }
    /// What comes next if it is there already (ring only): lets a door feed while there is work and flush when there is none.
    pub fn try_next(&mut self) -> Option<Delivery> {
        todo!()
    }
}
/// What a reader is given.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A frame built by the encoder; every match up to `cursor` is now sent. `events` in it.
    Frame {
        bytes: Bytes,
        cursor: Seq,
        events: usize,
    },
    /// Everything up to here is sent: live from now on.
    /// `cursor` is `None` while nothing was ever stored (the wire says 0).
    CaughtUp { cursor: Option<Seq> },
    /// Too slow for the ring: reading the ledger again.
    /// `cursor` is `None` before the first event (the wire says 0).
    FellBehind { cursor: Option<Seq>, lag_events: u64 },
    /// Events that are gone.
    Gap(Gap),
    /// The hub is closing; resume at `cursor + 1` later.
    Closing { cursor: Option<Seq> },
    /// Reading failed; resume later.
    Failed { code: &'static str, message: String },
}

/// A page of the past.
#[derive(Clone, Debug)]
pub struct HistoryRequest {
    /// The request's filter.
    pub filter: Filter,
    /// Channels; empty = everything.
    pub channels: Vec<Channel>,
    /// Inclusive; `None` = the beginning.
    pub from: Option<From>,
    /// Exclusive; `None` = the head.
    pub to: Option<From>,
    /// Events at most.
    pub limit: usize,
    /// Bytes at most (about); the page ends there too.
    pub bytes_max: usize,
    /// Newest first.
    pub newest_first: bool,
}
/// The answer.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Lines, each without line feed, in the asked order.
    pub lines: Vec<Bytes>,
    /// Where the next page begins (oldest first: `from`; newest first: `to` exclusive); `None` when done.
    pub next: Option<Seq>,
    /// Everything up (or down) to here was looked at.
    pub cursor: Option<Seq>,
    /// Holes met on the way.
    pub gaps: Vec<Gap>,
}

/// Numbers of this moment.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Counters {
    /// Newest durable seq.
    pub head: u64,
    /// Oldest seq still here.
    pub first: u64,
    /// Bytes on disk.
    pub ledger_bytes: u64,
    /// Events stored since start.
    pub events: u64,
    /// Records refused since start, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Repeats since start.
    pub duplicates: u64,
    /// Same id, other content.
    pub id_reused: u64,
    /// Dropped by rate limit since start.
    pub rate_limited: u64,
    /// Events per second over the last ten seconds.
    pub per_second: f64,
    /// One entry per second, oldest first, newest last (up to 300): (epoch second, events by level in rising order).
    pub pulse: Vec<(i64, [u32; 5])>,
    /// Events of the last five minutes by type, source, level; the largest 50 of each.
    pub by_type: Vec<(String, u64)>,
    /// See `by_type`.
    pub by_source: Vec<(String, u64)>,
    /// See `by_type`.
    pub by_level: Vec<(String, u64)>,
    /// Readers now.
    pub readers: Vec<ReaderInfo>,
    /// Bytes in the ring.
    pub ring_bytes: usize,
}
/// A reader and how far it is.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ReaderInfo {
    /// Number of the feed.
    pub feed: u32,
    /// Who.
    pub principal: String,
    /// What it asked for.
    pub filter: String,
    /// Newest seq sent.
    pub cursor: u64,
    /// How far behind the head.
    pub lag_events: u64,
    /// `live`, `catching_up`.
    pub state: &'static str,
}
