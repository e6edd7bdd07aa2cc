//! Keeps a flood of notes of one type from being a flood of events: the first few pass, the rest become one.

use std::collections::BTreeMap;

use kymo_event::{Event, Micros};

/// How long notes of a type are counted together.
const WINDOW_US: i64 = 10_000_000;
/// Notes of a type that pass as they are within a window.
const PASSING_MAX: u32 = 20;

#[derive(Default)]
pub(super) struct Aggregate {
    windows: BTreeMap<String, Window>,
}

struct Window {
    began: Micros,
    passed: u32,
    held: u64,
    /// The newest one held back, with the gravest level of all.
    last: Option<Event<'static>>,
}

impl Aggregate {
    /// Gives the note back if it passes as it is.
    pub(super) fn offer(&mut self, note: Event<'static>, now: Micros) -> Option<Event<'static>> {
        let window = self.windows.entry(note.kind.to_string()).or_insert(Window {
            began: now,
            passed: 0,
            held: 0,
            last: None,
        });
        if window.passed < PASSING_MAX {
            window.passed += 1;
            return Some(note);
        }
        window.held += 1;
        let gravest = window
            .last
            .as_ref()
            .map_or(note.level, |last| last.level.max(note.level));
        window.last.insert(note).level = gravest;
        None
    }

    /// Ends the windows whose time has come (all, without a time) and says what was held back in them.
    pub(super) fn flush(&mut self, now: Option<Micros>) -> Vec<Event<'static>> {
        let over =
            |window: &Window| now.is_none_or(|now| !(0..WINDOW_US).contains(&(now.0 - window.began.0)));
        let mut sums = Vec::new();
        self.windows.retain(|_, window| {
            if over(window) {
                sums.extend(window.sum());
                return false;
            }
            true
        });
        sums
    }
}

impl Window {
    fn sum(&mut self) -> Option<Event<'static>> {
        let mut event = self.last.take()?;
        if self.held > 1 {
            let last = event.data.as_deref().unwrap_or("null");
            event.data = Some(format!(r#"{{"aggregated":{},"last":{last}}}"#, self.held).into());
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use kymo_event::Level;

    use super::*;

    fn note(kind: &'static str, data: &'static str, level: Level) -> Event<'static> {
        let mut event = Event::new(kind, "kymo");
        event.data = Some(data.into());
        event.level = level;
        event
    }

    #[test]
    fn the_first_of_a_type_pass_and_the_rest_become_one_event_with_their_number() {
        let mut aggregate = Aggregate::default();
        let start = Micros(5_000_000);
        let passed = (0..100).filter(|number| {
            let level = if *number == 50 { Level::Error } else { Level::Info };
            aggregate.offer(note("kymo.a", "{}", level), start).is_some()
        });
        assert_eq!(passed.count(), 20);
        assert!(
            aggregate.offer(note("kymo.b", "1", Level::Info), start).is_some(),
            "types do not hinder each other"
        );
        assert!(aggregate.flush(Some(Micros(start.0 + WINDOW_US - 1))).is_empty());
        let sums = aggregate.flush(Some(Micros(start.0 + WINDOW_US)));
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[0].data.as_deref(), Some(r#"{"aggregated":80,"last":{}}"#));
        assert_eq!(sums[0].level, Level::Error, "the gravest of them");
        assert!(
            aggregate
                .offer(note("kymo.a", "{}", Level::Info), Micros(start.0 + WINDOW_US))
                .is_some()
        );
    }

    #[test]
    fn nothing_held_back_is_lost_at_the_end() {
        let mut aggregate = Aggregate::default();
        let passed = (0..21).filter_map(|_| aggregate.offer(note("kymo.a", "7", Level::Info), Micros(0)));
        assert_eq!(passed.count(), 20);
        let sums = aggregate.flush(None);
        assert_eq!(sums[0].data.as_deref(), Some("7"), "a single one stays as it was");
        assert!(aggregate.flush(None).is_empty());
    }
}
