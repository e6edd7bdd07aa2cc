//! The filter language: its normal text means the same, and matching agrees with an obvious evaluation of the tree.
//!
//! The input is a filter on the first line and events, one record per line, behind it.

use kymo_event::{
    Event, Filter, Level, Limits, LineView, RawJson,
    dialects::{Dialect, Native},
    filter::{Key, Node, Possible, Summary, Test},
};

use crate::{events::stored, obvious};

/// A filter, a line feed, and records.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (text, records) = text.split_once('\n').unwrap_or((text, ""));
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(error.at <= text.chars().count() && !error.message.is_empty());
            return;
        }
    };
    has_a_normal_text(&filter);
    let events: Vec<_> = records.lines().filter_map(event).take(4).collect();
    for event in &events {
        matches_as_it_should(&filter, event);
    }
    for pair in events.windows(2) {
        summary_never_lies(&filter, pair);
    }
}

fn event(record: &str) -> Option<Event<'_>> {
    let record = RawJson::parse(record, 64).ok()?;
    Native.read(record, &Limits::default()).ok()
}

/// The normal text is read as the same filter, whatever was built from it.
fn has_a_normal_text(filter: &Filter) {
    let again = Filter::parse(filter.canonical()).expect("a normal text is read");
    assert_eq!(again.canonical(), filter.canonical());
    assert_eq!(again.tree(), filter.tree());
    assert_eq!(
        Filter::from_node(filter.tree().clone()).tree(),
        filter.tree(),
        "a normal tree is normal"
    );
    assert_eq!(filter.negated().negated().tree(), filter.tree());
    assert_eq!(filter.and(filter), *filter);
    assert_eq!(filter.needs_payload(), filter.tree().needs_payload());
    assert_eq!(filter.is_all(), *filter.tree() == Node::All);
}

fn matches_as_it_should(filter: &Filter, event: &Event<'_>) {
    let line = stored(event);
    let view = LineView::parse(&line).expect("a line reads back");
    let Some(expected) = obvious::matches(filter.tree(), &view) else {
        return;
    };
    let found = filter.matches(&view);
    assert_eq!(found, expected, "{} on {}", filter.canonical(), view.text());
    assert_eq!(filter.negated().matches(&view), !found);
    assert_eq!(filter.and(&Filter::all()).matches(&view), found);
    summary_never_lies(filter, std::slice::from_ref(event));
}

/// What an index says of some events holds for each of them.
fn summary_never_lies(filter: &Filter, events: &[Event<'_>]) {
    let lines: Vec<_> = events.iter().map(stored).collect();
    let views: Vec<_> = lines
        .iter()
        .map(|line| LineView::parse(line).expect("a line reads back"))
        .collect();
    for forgets in 0..4 {
        let said = filter.possible(&Columns {
            views: &views,
            forgets,
        });
        for view in &views {
            match said {
                Possible::Never => assert!(!filter.matches(view), "never, but it matches"),
                Possible::Always => assert!(filter.matches(view), "always, but it does not match"),
                Possible::Maybe => assert!(forgets > 0 || views.len() > 1 || filter.needs_payload()),
            }
        }
    }
}

/// Knows the keys of some events, but for those it forgets.
struct Columns<'a> {
    views: &'a [LineView<'a>],
    forgets: usize,
}

impl Summary for Columns<'_> {
    fn may_match(&self, key: Key, test: &Test) -> Possible {
        if self.forgets > 0 && (key as usize + self.forgets).is_multiple_of(3) {
            return Possible::Maybe;
        }
        let passes = |view: &&LineView<'_>| one_passes(key, test, view);
        match self.views.iter().filter(passes).count() {
            0 => Possible::Never,
            all if all == self.views.len() => Possible::Always,
            _ => Possible::Maybe,
        }
    }
}

fn one_passes(key: Key, test: &Test, view: &LineView<'_>) -> bool {
    match key {
        Key::Level => test.matches_level(view.level()),
        Key::Seq => test.matches_seq(view.seq().get()),
        Key::Backfill => test.matches_str(key, if view.backfill() { "true" } else { "false" }),
        key => view.key(key).is_some_and(|value| test.matches_str(key, &value)),
    }
}

/// Levels and channels, which are small languages of their own.
pub(crate) fn channels(bytes: &[u8]) {
    use kymo_event::Channel;
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Channel::parse_list(text) {
        Ok(channels) => {
            let union = Channel::union(&channels);
            has_a_normal_text(&union);
            for channel in &channels {
                assert_eq!(Channel::parse(channel.name()).as_ref(), Ok(channel));
                has_a_normal_text(&channel.filter());
            }
            assert_eq!(
                union,
                Filter::any(&channels.iter().map(Channel::filter).collect::<Vec<_>>())
            );
        }
        Err(error) => assert!(error.at <= text.chars().count() && !error.message.is_empty()),
    }
    if let Ok(channel) = Channel::parse(text) {
        assert_eq!(channel.name(), text);
    }
    if let Some(level) = Level::parse(text) {
        assert_eq!(Level::parse(level.as_str()), Some(level));
    }
}
