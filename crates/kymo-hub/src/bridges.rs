//! What the bridges to other systems say of themselves: a board that pages, `kymo status` and the API read.
//!
//! A bridge (a source that follows a file or a broker, a sink that gives events to one) enters with its name and
//! reports through its [`Bridge`]. What changes becomes events of type `kymo.bridge.*`; what merely passes is counted.
//! Nothing here connects to anything: `kymo-connect` has the bridges themselves.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kymo_event::{Level, Micros, Seq};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{clock::Clock, notes::Notes};

mod story;

pub use story::{BridgeFault, BridgeInfo, BridgeState, Direction, Lag};
use story::{Change, Story};

/// What a bridge is, for as long as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeAbout {
    /// The user's name for it, unique among those of its direction.
    pub name: String,
    /// `nats`, `tail`, …
    pub kind: &'static str,
    /// Which way events go.
    pub direction: Direction,
    /// Where the other side is, without anything secret.
    pub target: String,
}

/// Sources come before sinks, each by name.
type Place = (Direction, String);

/// All bridges there are, running or stopped.
#[derive(Debug, Default)]
pub(crate) struct Board {
    open: Mutex<BTreeMap<Place, Arc<Mutex<Story>>>>,
}

/// The board of a hub; see [`crate::Hub::bridges`].
#[derive(Clone)]
pub struct Bridges {
    pub(crate) board: Arc<Board>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) clock: Clock,
    pub(crate) head: u64,
}

impl Bridges {
    /// Puts a bridge on the board, connecting. One that ran under its name and direction before is replaced.
    #[must_use]
    pub fn enter(&self, about: BridgeAbout) -> Bridge {
        let place = (about.direction, about.name.clone());
        let story = Arc::new(Mutex::new(Story::new(about, self.clock.now())));
        self.board.open.lock().insert(place, Arc::clone(&story));
        Bridge {
            story,
            notes: Arc::clone(&self.notes),
            clock: self.clock.clone(),
        }
    }

    /// Takes a bridge off the board.
    pub fn remove(&self, direction: Direction, name: &str) {
        self.board.open.lock().remove(&(direction, name.to_owned()));
    }

    /// All of them as they are now: sources, then sinks, each by name.
    #[must_use]
    pub fn infos(&self) -> Vec<BridgeInfo> {
        let open: Vec<_> = self.board.open.lock().values().cloned().collect();
        let now = self.clock.now();
        open.iter()
            .map(|story| story.lock().info(self.head, now))
            .collect()
    }
}

/// A bridge's place on the board. Dropped, it is shown as stopped.
pub struct Bridge {
    story: Arc<Mutex<Story>>,
    notes: Arc<Notes>,
    clock: Clock,
}

impl Bridge {
    /// It is looking for the other side.
    pub fn connecting(&self) {
        self.change(Change::Connecting);
    }

    /// It works.
    pub fn connected(&self) {
        self.change(Change::Connected);
    }

    /// The other side is away or turns it away; it tries again by itself.
    pub fn waiting(&self, fault: BridgeFault, next_try: Option<Duration>) {
        self.change(Change::Waiting(fault, self.moment_in(next_try)));
    }

    /// The other side is there and took nothing several times; it is left alone for a while.
    pub fn paused(&self, fault: BridgeFault, next_try: Option<Duration>) {
        self.change(Change::Paused(fault, self.moment_in(next_try)));
    }

    /// It ended; with a fault if nobody asked for that.
    pub fn stopped(&self, fault: Option<BridgeFault>) {
        self.change(Change::Stopped(fault));
    }

    /// So many events are safe on the side they went to.
    pub fn passed(&self, events: u64) {
        self.story.lock().counts.events += events;
    }

    /// So many were stored before.
    pub fn repeats(&self, events: u64) {
        self.story.lock().counts.repeats += events;
    }

    /// So many were kept although nothing in them says what they are.
    pub fn unrecognised(&self, events: u64) {
        self.story.lock().counts.unrecognised += events;
    }

    /// So many were left out on purpose: they came from where they would go.
    pub fn skipped(&self, events: u64) {
        self.story.lock().counts.skipped += events;
    }

    /// So many were not taken, for a reason that does not pass. Noted with the number of all so far.
    pub fn refused(&self, events: u64, fault: &BridgeFault) {
        if events == 0 {
            return;
        }
        let all = {
            let mut story = self.story.lock();
            story.counts.refused += events;
            story.fail(fault.clone(), self.clock.now());
            story.counts.refused
        };
        let data =
            json!({ "code": fault.code, "message": fault.message, "refused": events, "refused_in_all": all });
        self.note("kymo.bridge.refused", Level::Warn, data);
    }

    /// Something went wrong that does not change how it is.
    pub fn fault(&self, fault: BridgeFault) {
        self.story.lock().fail(fault, self.clock.now());
    }

    /// Where a source is: how much it still has to take, as far as that is known.
    pub fn lag(&self, lag: Lag) {
        self.story.lock().lag = Some(lag);
    }

    /// Where a sink is: everything before `next` is passed; the oldest event that waits was recorded then.
    pub fn position(&self, next: Seq, oldest: Option<Micros>) {
        let mut story = self.story.lock();
        story.next = Some(next);
        story.lag = Some(Lag { events: None, oldest });
    }

    /// What happened on the other side from one moment to the other is not known here, and cannot be had later.
    pub fn gap(&self, from: Micros, to: Micros, lost: Option<u64>, reason: &str) {
        self.story.lock().counts.gaps += 1;
        let data = json!({ "from": from.to_string(), "to": to.to_string(), "lost": lost, "reason": reason });
        self.note("kymo.bridge.gap", Level::Warn, data);
    }

    /// Says something else about it: `data` is an object, the bridge's names are added. Never about single events.
    pub fn note(&self, kind: &'static str, level: Level, data: Value) {
        let data = self.story.lock().named(data);
        self.notes.say(crate::notes::note(kind, level, &data));
    }

    fn moment_in(&self, pause: Option<Duration>) -> Option<Micros> {
        let micros = i64::try_from(pause?.as_micros()).unwrap_or(i64::MAX);
        Some(Micros(self.clock.now().0.saturating_add(micros)))
    }

    fn change(&self, change: Change) {
        let note = self.story.lock().change(change, self.clock.now());
        if let Some(note) = note {
            self.notes.say(note);
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if !self.story.lock().is_over() {
            self.stopped(None);
        }
    }
}

#[cfg(test)]
mod tests;
