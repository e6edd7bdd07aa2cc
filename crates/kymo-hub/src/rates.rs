//! How many events a second each source may send.
//!
//! Off by default. What is over the limit is refused and counted; warn and above always pass, because a flood must not
//! hide its own cause.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kymo_event::{Level, Micros};
use parking_lot::Mutex;

/// Sources that are told apart; the rest share one allowance.
const SOURCES_MAX: usize = 10_000;
/// Sources named in one report.
const REPORTED_MAX: usize = 100;
const OTHERS: &str = "(other)";

pub(crate) struct Rates {
    per_second: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buckets: HashMap<Box<str>, Bucket>,
    /// When room was last made.
    cleared: Option<Micros>,
    /// Refused since the last report.
    dropped: BTreeMap<Box<str>, u64>,
}

/// A second's worth of events at most, refilled as time passes.
struct Bucket {
    tokens: f64,
    at: Micros,
}

impl Rates {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            state: Mutex::default(),
        }
    }

    /// Whether there is a limit at all.
    pub(crate) fn limit(&self) -> Option<u32> {
        (self.per_second > 0).then_some(self.per_second)
    }

    /// Whether an event of this source passes now.
    pub(crate) fn admit(&self, source: &str, level: Level, now: Micros) -> bool {
        let Some(limit) = self.limit() else {
            return true;
        };
        if level >= Level::Warn {
            return true;
        }
        let mut state = self.state.lock();
        let passes = state.bucket(source, limit, now).take(limit, now);
        if !passes {
            state.count_dropped(source);
        }
        passes
    }

    /// The same within a request, which keeps the sources that were limited in it: their allowance grows while the
    /// request is read, and no later event may overtake one that has to be sent again.
    pub(crate) fn admit_in_order(
        &self,
        source: &str,
        level: Level,
        now: Micros,
        limited: &mut BTreeSet<Box<str>>,
    ) -> bool {
        if level < Level::Warn && limited.contains(source) {
            self.state.lock().count_dropped(source);
            return false;
        }
        let passes = self.admit(source, level, now);
        if !passes {
            limited.insert(source.into());
        }
        passes
    }

    /// How many of each source were refused since this was last asked.
    pub(crate) fn take_dropped(&self) -> BTreeMap<Box<str>, u64> {
        std::mem::take(&mut self.state.lock().dropped)
    }
}

impl State {
    fn bucket(&mut self, source: &str, limit: u32, now: Micros) -> &mut Bucket {
        let recently = |cleared: Micros| (0..1_000_000).contains(&(now.0 - cleared.0));
        if self.buckets.len() >= SOURCES_MAX
            && !self.buckets.contains_key(source)
            && !self.cleared.is_some_and(recently)
        {
            // A full bucket says the same as none. Looked for once a second, because it takes a while.
            self.cleared = Some(now);
            self.buckets.retain(|_, bucket| !bucket.is_full(limit, now));
        }
        let known = self.buckets.contains_key(source) || self.buckets.len() < SOURCES_MAX;
        let name = if known { source } else { OTHERS };
        if !self.buckets.contains_key(name) {
            self.buckets.insert(name.into(), Bucket::full(limit, now));
        }
        self.buckets.get_mut(name).expect("it was put there")
    }

    fn count_dropped(&mut self, source: &str) {
        let known = self.dropped.contains_key(source) || self.dropped.len() < REPORTED_MAX;
        let name = if known { source } else { OTHERS };
        *self.dropped.entry(name.into()).or_default() += 1;
    }
}

impl Bucket {
    fn full(limit: u32, now: Micros) -> Self {
        Self {
            tokens: f64::from(limit),
            at: now,
        }
    }

    fn take(&mut self, limit: u32, now: Micros) -> bool {
        self.tokens = self.refilled(limit, now);
        self.at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    fn is_full(&self, limit: u32, now: Micros) -> bool {
        self.refilled(limit, now) >= f64::from(limit)
    }

    fn refilled(&self, limit: u32, now: Micros) -> f64 {
        // A clock that steps back refills nothing.
        let micros = u32::try_from(now.0.saturating_sub(self.at.0).clamp(0, 1_000_000)).unwrap_or(0);
        let gained = f64::from(limit) * f64::from(micros) / 1e6;
        (self.tokens + gained).min(f64::from(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rates: &Rates, source: &str, count: usize, now: i64) -> usize {
        (0..count)
            .filter(|_| rates.admit(source, Level::Info, Micros(now)))
            .count()
    }

    #[test]
    fn without_a_limit_everything_passes() {
        assert_eq!(admitted(&Rates::new(0), "a", 1_000, 0), 1_000);
    }

    #[test]
    fn a_source_passes_its_rate_each_second_and_others_are_not_touched() {
        let rates = Rates::new(10);
        assert_eq!(admitted(&rates, "a", 25, 0), 10);
        assert_eq!(admitted(&rates, "b", 4, 0), 4);
        assert_eq!(admitted(&rates, "a", 25, 500_000), 5);
        assert_eq!(
            admitted(&rates, "a", 25, 60_000_000),
            10,
            "an idle minute saves nothing up"
        );
        let dropped = rates.take_dropped();
        assert_eq!(dropped.get("a"), Some(&(15 + 20 + 15)));
        assert_eq!(dropped.get("b"), None);
        assert!(rates.take_dropped().is_empty());
    }

    #[test]
    fn warnings_always_pass() {
        let rates = Rates::new(1);
        admitted(&rates, "a", 5, 0);
        assert!(rates.admit("a", Level::Warn, Micros(0)));
        assert!(!rates.admit("a", Level::Info, Micros(0)));
    }

    #[test]
    fn what_was_limited_in_a_request_is_not_overtaken_in_it() {
        let rates = Rates::new(1);
        let mut limited = BTreeSet::new();
        let mut admit = |source, level, now| rates.admit_in_order(source, level, Micros(now), &mut limited);
        assert!(admit("a", Level::Info, 0));
        assert!(!admit("a", Level::Info, 0));
        assert!(!admit("a", Level::Info, 2_000_000), "though there is room again");
        assert!(admit("a", Level::Warn, 2_000_000));
        assert!(admit("b", Level::Info, 2_000_000));
        assert!(rates.admit_in_order("a", Level::Info, Micros(2_000_000), &mut BTreeSet::new()));
        assert_eq!(rates.take_dropped().get("a"), Some(&2));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let rates = Rates::new(2);
        assert_eq!(admitted(&rates, "a", 5, 10_000_000), 2);
        assert_eq!(admitted(&rates, "a", 5, 1_000_000), 0);
        assert_eq!(admitted(&rates, "a", 5, 2_000_000), 2);
    }

    #[test]
    fn the_number_of_sources_in_memory_is_bounded() {
        let rates = Rates::new(5);
        for number in 0..SOURCES_MAX * 2 {
            admitted(&rates, &number.to_string(), 1, 0);
        }
        assert!(rates.state.lock().buckets.len() <= SOURCES_MAX + 1);
    }
}
