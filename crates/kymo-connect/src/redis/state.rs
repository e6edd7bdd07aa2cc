//! Where a group is in its stream, and what the stream removed before the group read it. Pure: told what the server says.

use std::collections::BTreeMap;

use redis::Value;

use super::entry::{EntryId, pairs, text};

/// What a stream says of itself (XINFO STREAM).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamState {
    pub(super) length: u64,
    /// The newest id it ever gave.
    pub(super) newest: EntryId,
    /// The oldest entry that is there.
    pub(super) first: Option<EntryId>,
    /// Entries that were ever added, where the server counts them (7.0).
    pub(super) added: Option<u64>,
}

/// What a group says of itself (XINFO GROUPS).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupState {
    /// The last entry given to a consumer.
    pub(super) given: EntryId,
    /// Entries given, where the server counts them (7.0).
    pub(super) read: Option<u64>,
    /// Entries that wait, where the server knows (7.0).
    pub(super) lag: Option<u64>,
}

/// What is remembered of a stream between looks, and between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct StreamPlace {
    /// The newest entry that is in the ledger.
    pub(super) last: String,
    /// So many entries had come before the place the group was at when it was looked last.
    passed: Option<u64>,
    /// What the group's own count was then.
    read: Option<u64>,
    /// The place of the group then.
    #[serde(skip)]
    looked: Option<EntryId>,
    /// Where a removal was said that nobody can count.
    #[serde(skip)]
    said: Option<EntryId>,
}

/// Entries that were removed before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Removed {
    /// After this one.
    pub(super) after: EntryId,
    /// Before this one, which is there.
    pub(super) before: EntryId,
    /// How many, where that can be told.
    pub(super) count: Option<u64>,
}

impl StreamState {
    pub(super) fn read(answer: Value) -> Self {
        let said: BTreeMap<String, Value> = named(answer);
        let id = |value: Option<&Value>| text(value?)?.parse().ok();
        let first = said.get("first-entry").cloned();
        Self {
            length: number(said.get("length")).unwrap_or(0),
            newest: id(said.get("last-generated-id")).unwrap_or_default(),
            first: first.and_then(|entry| id(pairs(entry).next().map(|(id, _)| id).as_ref())),
            added: number(said.get("entries-added")),
        }
    }

    /// Whether the entry is, or was, in this stream, and not in one of its name that is gone.
    pub(super) fn knows(&self, last: EntryId) -> bool {
        last <= self.newest && self.first.is_some_and(|first| first <= last)
    }

    /// Entries that are not there any more.
    fn gone(&self) -> Option<u64> {
        self.added?.checked_sub(self.length)
    }
}

impl GroupState {
    /// The group of this name among all.
    pub(super) fn read(answer: Value, group: &str) -> Option<Self> {
        let Value::Array(groups) = answer else {
            return None;
        };
        let mut groups = groups.into_iter().map(named);
        let said = groups.find(|said| said.get("name").and_then(text).as_deref() == Some(group))?;
        Some(Self {
            given: text(said.get("last-delivered-id")?)?.parse().ok()?,
            read: number(said.get("entries-read")),
            lag: number(said.get("lag")),
        })
    }
}

impl StreamPlace {
    /// Looks at both, the stream first; says what was removed before the group read it.
    pub(super) fn look(&mut self, stream: &StreamState, group: &GroupState) -> Option<Removed> {
        if group.given > stream.newest {
            // It went on between the two answers: they cannot be counted together.
            return None;
        }
        let before = self.passed(group);
        let is_all = group.given == stream.newest;
        let removed = match stream.first.filter(|first| *first > group.given) {
            Some(first) => self.ahead(first, stream, group, before),
            // So many came, and so many were read: the others were removed between.
            None if is_all => {
                let count = before.and_then(|passed| stream.added?.checked_sub(passed));
                let count = count.filter(|count| *count > 0);
                count.map(|count| Removed {
                    after: self.looked.unwrap_or(group.given),
                    before: group.given,
                    count: Some(count),
                })
            }
            None => None,
        };
        self.read = group.read;
        self.looked = Some(group.given);
        self.passed = match removed {
            _ if is_all => stream.added,
            Some(_) => stream.gone(),
            None if group.given == EntryId::ZERO => stream.gone(),
            None => before,
        };
        removed
    }

    /// What was removed between the place of the group and the oldest entry that is there.
    fn ahead(
        &mut self,
        first: EntryId,
        stream: &StreamState,
        group: &GroupState,
        before: Option<u64>,
    ) -> Option<Removed> {
        let count = match (stream.gone(), before) {
            (Some(gone), Some(passed)) => Some(gone.saturating_sub(passed)),
            // A new group on a stream that was never whole.
            _ if group.given == EntryId::ZERO => Some(0),
            _ if self.said == Some(group.given) => Some(0),
            // All that was read is gone, too, and nobody knows whether more is.
            _ => {
                self.said = Some(group.given);
                None
            }
        };
        (count != Some(0)).then_some(Removed {
            after: group.given,
            before: first,
            count,
        })
    }

    /// How many entries came before the place of the group.
    fn passed(&self, group: &GroupState) -> Option<u64> {
        match (self.passed, self.read, group.read) {
            (Some(passed), Some(before), Some(now)) => Some(passed + now.saturating_sub(before)),
            // Nothing was given since.
            (Some(passed), None, None) => Some(passed),
            _ => None,
        }
    }
}

fn named(answer: Value) -> BTreeMap<String, Value> {
    pairs(answer)
        .filter_map(|(name, value)| Some((text(&name)?, value)))
        .collect()
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> EntryId {
        format!("{number}-0").parse().expect("an id")
    }

    /// A stream of entries 1 to `added` that kept those from `first` on.
    fn stream(first: u64, added: u64) -> StreamState {
        StreamState {
            length: added + 1 - first,
            newest: id(added),
            first: (first <= added).then(|| id(first)),
            added: Some(added),
        }
    }

    fn group(given: u64, read: u64) -> GroupState {
        GroupState {
            given: id(given),
            read: Some(read),
            lag: None,
        }
    }

    #[test]
    fn what_was_removed_unread_is_counted_once_and_what_was_read_is_not() {
        let mut place = StreamPlace::default();
        assert_eq!(place.look(&stream(1, 10), &group(0, 0)), None, "nothing is gone");
        assert_eq!(place.look(&stream(1, 10), &group(4, 4)), None);
        assert_eq!(
            place.look(&stream(4, 12), &group(5, 5)),
            None,
            "what is gone was read"
        );
        let removed = place.look(&stream(9, 20), &group(5, 5));
        let expected = Removed {
            after: id(5),
            before: id(9),
            count: Some(3),
        };
        assert_eq!(removed, Some(expected));
        assert_eq!(place.look(&stream(9, 20), &group(5, 5)), None, "said once");
        let more = place.look(&stream(11, 20), &group(5, 5)).expect("two more");
        assert_eq!(more.count, Some(2));
        // Of what is removed between, the server does not count that it was passed.
        assert_eq!(place.look(&stream(11, 20), &group(20, 15)), None);
        assert_eq!(
            place.look(&stream(21, 20), &group(20, 15)),
            None,
            "all of it was read"
        );
        assert_eq!(
            place.look(&stream(25, 25), &group(20, 15)).expect("four").count,
            Some(4)
        );
    }

    #[test]
    fn what_was_removed_between_two_looks_is_missing_in_the_count() {
        let mut place = StreamPlace::default();
        assert_eq!(place.look(&stream(1, 10), &group(10, 10)), None);
        // Of the 90 that came since, 60 were read before the others were removed.
        let removed = place.look(&stream(95, 100), &group(100, 70)).expect("30");
        assert_eq!((removed.after, removed.count), (id(10), Some(30)));
        assert_eq!(place.look(&stream(95, 100), &group(100, 70)), None);
        // The second answer may be newer than the first.
        assert_eq!(place.look(&stream(95, 100), &group(102, 72)), None);
        assert_eq!(place.look(&stream(95, 102), &group(102, 72)), None);
    }

    #[test]
    fn a_group_that_is_new_missed_nothing() {
        let mut place = StreamPlace::default();
        assert_eq!(place.look(&stream(500, 600), &group(0, 0)), None);
        assert_eq!(
            place.look(&stream(510, 610), &group(0, 0)).expect("ten").count,
            Some(10),
            "from now on"
        );
    }

    #[test]
    fn a_server_that_counts_nothing_cannot_say_how_many() {
        let old = |first: u64, newest: u64| StreamState {
            added: None,
            ..stream(first, newest)
        };
        let at = |given: u64| GroupState {
            read: None,
            ..group(given, 0)
        };
        let mut place = StreamPlace::default();
        assert_eq!(place.look(&old(1, 10), &at(5)), None);
        assert_eq!(place.look(&old(8, 10), &at(5)).expect("some").count, None);
        assert_eq!(place.look(&old(9, 11), &at(5)), None, "said once");
        assert_eq!(place.look(&old(30, 31), &at(20)).expect("again").count, None);
    }

    #[test]
    fn a_stream_that_was_made_anew_does_not_know_what_was_read() {
        assert!(stream(1, 10).knows(id(10)) && stream(3, 10).knows(id(3)));
        assert!(!stream(1, 10).knows(id(11)), "ids went backwards");
        assert!(!stream(5, 10).knows(id(4)), "its entries are all newer");
        assert!(!StreamState::default().knows(id(4)));
    }
}
