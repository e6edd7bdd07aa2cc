//! One agent in one place: what it is doing, as far as its events tell.
//!
//! What begins is work until it ends (see the catalogue's pairing); an agent that has begun nothing else is idle; what
//! it says of itself counts until its events say otherwise.

use kymo_event::{
    Level, LineView, Seq,
    catalogue::{Outcome, Pairing, pairing},
    filter::Key,
    fold_separators,
};
use serde::{Deserialize, Serialize};

use super::{AgentState, place::Place, told::Told};

/// Things begun and not ended that are remembered; starts without ends are common.
const OPEN_MAX: usize = 8;
/// Stems whose start means that an agent is there, not that it works.
const PRESENCE: &[&str] = &["agent", "session", "daemon", "system", "connection", "client"];

/// One agent in one place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Strand {
    pub(super) place: Place<'static>,
    /// Its first event, and the newest one with its time of commit.
    pub(super) first: Seq,
    pub(super) seq: Seq,
    pub(super) seen: i64,
    pub(super) state: AgentState,
    /// Where it came into this state.
    pub(super) since: Seq,
    pub(super) since_time: i64,
    /// Whether the state was said, not concluded from what ended.
    pub(super) declared: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) open: Vec<Open>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<Told>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beat: Option<Beat>,
    pub(super) counts: Counts,
}

/// Something begun and not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) stem: Box<str>,
    /// Its span, else its task.
    key: Option<Box<str>>,
}

/// Its newest heartbeat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Beat {
    pub(super) time: i64,
    /// Between the last two, in microseconds; 0 after the first.
    pub(super) every: i64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) warnings: u64,
    pub(super) errors: u64,
    pub(super) started: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

impl Strand {
    /// One that has just come to be, with its first event yet to be taken in.
    pub(super) fn new(place: Place<'static>, view: &LineView<'_>) -> Self {
        let (seq, time) = (view.seq(), view.recorded().0);
        Self {
            place,
            first: seq,
            seq,
            seen: time,
            state: AgentState::Idle,
            since: seq,
            since_time: time,
            declared: false,
            task: None,
            open: Vec::new(),
            told: None,
            beat: None,
            counts: Counts::default(),
        }
    }

    /// Takes in its next event.
    pub(super) fn take(&mut self, view: &LineView<'_>) {
        self.seq = view.seq();
        self.seen = view.recorded().0;
        self.count(view.level());
        let kind = view.kind();
        let name = fold_separators(&kind);
        if name == "heartbeat" || name.ends_with(".heartbeat") {
            self.beat();
            return self.is_alive();
        }
        if let Some(told) = Told::of(&name, view) {
            return self.tell(told);
        }
        match pairing(&name) {
            _ if name == "agent.idle" => self.declare(AgentState::Idle),
            Pairing::Starts { stem } if PRESENCE.contains(&&*stem) => self.declare(AgentState::Idle),
            Pairing::Ends { stem, outcome } if PRESENCE.contains(&&*stem) => {
                self.task = None;
                self.declare(match outcome {
                    Outcome::Failed => AgentState::Failed,
                    _ => AgentState::Stopped,
                });
            }
            Pairing::Starts { stem } => self.start(&stem, view),
            Pairing::Ends { stem, outcome } => self.end(&stem, outcome, view),
            Pairing::None => {
                self.is_alive();
                self.work_on(view);
            }
        }
    }

    fn count(&mut self, level: Level) {
        self.counts.events += 1;
        match level {
            Level::Warn => self.counts.warnings += 1,
            Level::Error | Level::Critical => self.counts.errors += 1,
            Level::Debug | Level::Info => {}
        }
    }

    fn beat(&mut self) {
        let every = self.beat.map_or(0, |last| (self.seen - last.time).max(0));
        self.beat = Some(Beat {
            time: self.seen,
            every,
        });
    }

    /// What had gone is there again: it said something.
    fn is_alive(&mut self) {
        if matches!(self.state, AgentState::Stopped | AgentState::Failed) {
            self.set(AgentState::Idle);
        }
    }

    fn start(&mut self, stem: &str, view: &LineView<'_>) {
        self.counts.started += 1;
        self.work_on(view);
        let key = key_of(view);
        self.open.retain(|open| *open.stem != *stem || open.key != key);
        if self.open.len() == OPEN_MAX {
            self.open.remove(0);
        }
        let stem = stem.into();
        self.open.push(Open { stem, key });
        self.set(AgentState::Working);
    }

    fn end(&mut self, stem: &str, outcome: Outcome, view: &LineView<'_>) {
        match outcome {
            Outcome::Completed => self.counts.completed += 1,
            Outcome::Failed => self.counts.failed += 1,
            Outcome::Ended | Outcome::Cancelled => {}
        }
        let key = key_of(view);
        let is_it = |open: &Open| *open.stem == *stem && open.key == key;
        let begun = self.open.iter().rposition(is_it);
        // Ends often say less of themselves than starts.
        let begun = begun.or_else(|| {
            let may_be_it = |open: &Open| *open.stem == *stem && (key.is_none() || open.key.is_none());
            self.open.iter().rposition(may_be_it)
        });
        if let Some(index) = begun {
            self.open.remove(index);
        }
        let is_task = stem == "task" || stem.ends_with(".task");
        match view.key(Key::Task) {
            Some(task) if is_task && self.task.as_deref().is_none_or(|own| *own == *task) => self.task = None,
            _ if is_task => {}
            _ => self.work_on(view),
        }
        if self.open.is_empty() {
            let told = self.told.as_ref().and_then(|told| told.state);
            self.set(told.unwrap_or(AgentState::Idle));
        }
    }

    fn work_on(&mut self, view: &LineView<'_>) {
        if let Some(task) = view.key(Key::Task).filter(|task| !task.is_empty())
            && self.task.as_deref() != Some(&*task)
        {
            self.task = Some(task.into());
        }
    }

    fn tell(&mut self, told: Told) {
        let state = told.state;
        self.told = Some(told);
        match state {
            Some(AgentState::Working) => {
                self.set(AgentState::Working);
                self.declared = true;
            }
            Some(state) => self.declare(state),
            None => self.is_alive(),
        }
    }

    /// It was said that nothing goes on.
    fn declare(&mut self, state: AgentState) {
        self.open.clear();
        self.set(state);
        self.declared = true;
    }

    fn set(&mut self, state: AgentState) {
        if self.state != state {
            self.state = state;
            self.since = self.seq;
            self.since_time = self.seen;
        }
        self.declared = false;
    }
}

/// By which a start and its end know each other.
fn key_of(view: &LineView<'_>) -> Option<Box<str>> {
    let key = view.key(Key::Span).or_else(|| view.key(Key::Task));
    key.map(Into::into)
}
