//! One bridge's state, what it counted, and which of its changes are worth an event. Pure: the time is handed in.
//!
//! A bridge whose other side is away tries again and again; that is one event when it begins and one when it ends, not
//! one for each try.

use kymo_event::{Event, Level, Micros, Seq};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::BridgeAbout;
use crate::notes::note;

/// Which way events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Into the ledger.
    Source,
    /// Out of it.
    Sink,
    /// Out of it and, as something else, into it again.
    Route,
}

/// How a bridge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeState {
    /// Looking for the other side.
    Connecting,
    /// Working.
    Connected,
    /// The other side is away or turned it away; it will try again.
    Waiting,
    /// The other side is there and took nothing several times; it is left alone for a while.
    Paused,
    /// Ended.
    Stopped,
}

/// What went wrong, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BridgeFault {
    /// Stable.
    pub code: &'static str,
    /// What happened and what to do; nothing secret.
    pub message: String,
}

impl BridgeFault {
    /// A fault of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// How far a bridge is behind, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events that wait on the other side.
    pub events: Option<u64>,
    /// When the oldest event that waits came to be; `None` where nothing waits or nobody knows.
    pub oldest: Option<Micros>,
}

/// A bridge as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BridgeInfo {
    /// The user's name for it.
    pub name: String,
    /// `nats`, `tail`, …
    pub kind: &'static str,
    /// Which way events go.
    pub direction: Direction,
    /// Where the other side is.
    pub target: String,
    /// How it is.
    pub state: BridgeState,
    /// Since when it is so.
    #[serde(serialize_with = "moment")]
    pub since: Micros,
    /// Since when it works, if it does.
    #[serde(serialize_with = "perhaps")]
    pub connected_since: Option<Micros>,
    /// What it did since it was started.
    #[serde(flatten)]
    pub counts: BridgeCounts,
    /// How many events wait; `None` where nobody knows.
    pub lag_events: Option<u64>,
    /// For how long the oldest of them has waited; `None` where nobody knows.
    pub lag_s: Option<f64>,
    /// What went wrong last, and when.
    pub last_error: Option<LastError>,
    /// When it tries again.
    #[serde(serialize_with = "perhaps")]
    pub next_try: Option<Micros>,
}

/// What a bridge did since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BridgeCounts {
    /// Safe on the side they went to.
    pub events: u64,
    /// Not taken, for a reason that does not pass.
    pub refused: u64,
    /// Stored before.
    pub repeats: u64,
    /// Kept although nothing in them says what they are.
    pub unrecognised: u64,
    /// Left out on purpose.
    pub skipped: u64,
    /// Times in which it could not listen and nothing was kept for it.
    pub gaps: u64,
}

/// What went wrong last, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// What.
    #[serde(flatten)]
    pub fault: BridgeFault,
    /// When.
    #[serde(serialize_with = "moment")]
    pub time: Micros,
}

/// What a bridge reports of its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Connecting,
    Connected,
    Waiting(BridgeFault, Option<Micros>),
    Paused(BridgeFault, Option<Micros>),
    Stopped(Option<BridgeFault>),
}

impl Change {
    const fn state(&self) -> BridgeState {
        match self {
            Self::Connecting => BridgeState::Connecting,
            Self::Connected => BridgeState::Connected,
            Self::Waiting(..) => BridgeState::Waiting,
            Self::Paused(..) => BridgeState::Paused,
            Self::Stopped(_) => BridgeState::Stopped,
        }
    }
}

#[derive(Debug)]
pub(super) struct Story {
    about: BridgeAbout,
    state: BridgeState,
    since: Micros,
    pub(super) counts: BridgeCounts,
    pub(super) lag: Option<Lag>,
    /// Of a sink: everything before is passed.
    pub(super) next: Option<Seq>,
    last_error: Option<LastError>,
    next_try: Option<Micros>,
    /// What an event told last.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    state: BridgeState,
    code: Option<&'static str>,
    since: Micros,
}

impl Story {
    pub(super) fn new(about: BridgeAbout, now: Micros) -> Self {
        Self {
            about,
            state: BridgeState::Connecting,
            since: now,
            counts: BridgeCounts::default(),
            lag: None,
            next: None,
            last_error: None,
            next_try: None,
            told: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == BridgeState::Stopped
    }

    pub(super) fn fail(&mut self, fault: BridgeFault, now: Micros) {
        self.last_error = Some(LastError { fault, time: now });
    }

    /// Takes the change over; answers with the event that tells it, if it is news.
    pub(super) fn change(&mut self, change: Change, now: Micros) -> Option<Event<'static>> {
        let state = change.state();
        let before = (self.state, self.since);
        if state != self.state {
            // Between two tries it is connecting; the outage began before the first of them.
            let is_outage = matches!(state, BridgeState::Waiting | BridgeState::Paused);
            let outage = self.told.filter(|told| is_outage && told.state == state);
            (self.state, self.since) = (state, outage.map_or(now, |told| told.since));
        }
        let (fault, next_try) = match change {
            Change::Connecting | Change::Connected => (None, None),
            Change::Waiting(fault, next_try) | Change::Paused(fault, next_try) => (Some(fault), next_try),
            Change::Stopped(fault) => (fault, None),
        };
        self.next_try = next_try;
        if let Some(fault) = &fault {
            self.fail(fault.clone(), now);
        }
        // On the way to somewhere: where it arrives is told.
        if state == BridgeState::Connecting {
            return None;
        }
        let code = fault.as_ref().map(|fault| fault.code);
        let since = self.since;
        let before_told = self.told.replace(Told { state, code, since });
        if before_told.is_some_and(|told| (told.state, told.code) == (state, code)) {
            return None;
        }
        Some(self.tell(fault.as_ref(), before, now))
    }

    fn tell(
        &self,
        fault: Option<&BridgeFault>,
        before: (BridgeState, Micros),
        now: Micros,
    ) -> Event<'static> {
        let (kind, level) = match self.state {
            BridgeState::Connecting | BridgeState::Connected => ("kymo.bridge.connected", Level::Info),
            BridgeState::Waiting => ("kymo.bridge.waiting", Level::Warn),
            BridgeState::Paused => ("kymo.bridge.paused", Level::Warn),
            BridgeState::Stopped if fault.is_some() => ("kymo.bridge.stopped", Level::Error),
            BridgeState::Stopped => ("kymo.bridge.stopped", Level::Info),
        };
        let mut data = json!({ "was": before.0, "for_s": seconds(before.1, now) });
        if let Some(fault) = fault {
            data["code"] = fault.code.into();
            data["message"] = fault.message.clone().into();
        }
        if let Some(next_try) = self.next_try {
            data["next_try"] = next_try.to_string().into();
        }
        note(kind, level, &self.named(data))
    }

    /// The object with the bridge's names before what it has.
    pub(super) fn named(&self, data: Value) -> Value {
        let about = &self.about;
        let mut named = json!({
            "bridge": about.name, "direction": about.direction, "kind": about.kind, "target": about.target,
        });
        if let Value::Object(more) = data {
            more.into_iter().for_each(|(key, value)| named[key] = value);
        }
        named
    }

    pub(super) fn info(&self, head: u64, now: Micros) -> BridgeInfo {
        let lag = self.lag.unwrap_or_default();
        let behind = self.next.map(|next| (head + 1).saturating_sub(next.get()));
        let lag_events = behind.or(lag.events);
        BridgeInfo {
            name: self.about.name.clone(),
            kind: self.about.kind,
            direction: self.about.direction,
            target: self.about.target.clone(),
            state: self.state,
            since: self.since,
            connected_since: (self.state == BridgeState::Connected).then_some(self.since),
            counts: self.counts,
            lag_events,
            lag_s: match (lag.oldest, lag_events) {
                (_, Some(0)) => Some(0.0),
                (Some(oldest), _) => Some(seconds(oldest, now)),
                (None, _) => None,
            },
            last_error: self.last_error.clone(),
            next_try: self.next_try,
        }
    }
}

/// From one moment to the other, to the millisecond.
fn seconds(from: Micros, to: Micros) -> f64 {
    let millis = to.0.saturating_sub(from.0).max(0) / 1_000;
    #[expect(clippy::cast_precision_loss, reason = "a display of seconds")]
    let seconds = millis as f64 / 1_000.0;
    seconds
}

fn moment<S: Serializer>(moment: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

#[expect(clippy::ref_option, reason = "serde asks for a reference")]
fn perhaps<S: Serializer>(moment: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
}
