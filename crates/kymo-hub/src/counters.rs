//! Numbers of this moment: what came in, what was refused, who reads.
//!
//! Events are counted by what the intake knew of them anyway, so that nothing is parsed for it. Everything is bounded:
//! the pulse in seconds, the names in number.

use std::collections::BTreeMap;

use kymo_event::Level;
use parking_lot::Mutex;

use crate::{ReaderInfo, clock::Clock, counters::tally::Tally};

mod names;
mod pulse;
pub(crate) mod tally;

/// Names given in each list.
const LISTED_MAX: usize = 50;

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
    /// Events per second over the last ten whole seconds.
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

/// Where the counting is done.
pub(crate) struct Numbers {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    events: u64,
    duplicates: u64,
    id_reused: u64,
    rejected: BTreeMap<&'static str, u64>,
    pulse: pulse::Pulse,
    types: names::Names,
    sources: names::Names,
}

impl Numbers {
    pub(crate) fn new(clock: Clock) -> Self {
        let second = clock.second();
        Self {
            clock,
            state: Mutex::new(State {
                events: 0,
                duplicates: 0,
                id_reused: 0,
                rejected: BTreeMap::new(),
                pulse: pulse::Pulse::new(second),
                types: names::Names::default(),
                sources: names::Names::default(),
            }),
        }
    }

    /// Counts events that became durable.
    pub(crate) fn stored(&self, tally: &Tally) {
        let second = self.clock.second();
        let mut state = self.state.lock();
        state.events += tally.events();
        state.pulse.add(second, tally.levels());
        for (name, count) in tally.types() {
            state.types.add(second, name, count);
        }
        for (name, count) in tally.sources() {
            state.sources.add(second, name, count);
        }
    }

    /// Counts what a batch had beside what was stored.
    pub(crate) fn answered(&self, duplicates: usize, id_reused: u64, refused: &BTreeMap<&'static str, u64>) {
        if duplicates == 0 && refused.is_empty() && id_reused == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.duplicates += duplicates as u64;
        state.id_reused += id_reused;
        for (code, count) in refused {
            *state.rejected.entry(code).or_default() += count;
        }
    }

    /// The part of the numbers that is counted here.
    pub(crate) fn snapshot(&self) -> Counters {
        let second = self.clock.second();
        let state = self.state.lock();
        let levels = Level::ALL.iter().zip(state.pulse.sums(second));
        let mut by_level: Vec<_> = levels
            .filter(|(_, count)| *count > 0)
            .map(|(level, count)| (level.as_str().to_owned(), count))
            .collect();
        by_level.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Counters {
            events: state.events,
            duplicates: state.duplicates,
            id_reused: state.id_reused,
            rate_limited: state.rejected.get("rate_limited").copied().unwrap_or(0),
            rejected: state
                .rejected
                .iter()
                .map(|(code, count)| ((*code).to_owned(), *count))
                .collect(),
            per_second: state.pulse.per_second(second),
            pulse: state.pulse.seconds(second),
            by_type: state.types.largest(second, LISTED_MAX),
            by_source: state.sources.largest(second, LISTED_MAX),
            by_level,
            ..Counters::default()
        }
    }
}
