//! Tells which messages of channels are in a stream, too: v5 publishes every event and adds the very same text to a stream.
//! Pure: told what was heard, what was read, and the time.
//!
//! Each entry of a stream is an event of its own; a message is one where no entry has its text. So a message is held until
//! an entry with its text was read, which takes its place, or until everything that was in the streams a while after
//! it came was read, and there was none: then it was only published. An entry that comes first waits as long for its
//! message. They are counted against each other one by one, so that equal events stay as many as there were.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// Between publishing and adding, a publisher takes no longer than this.
pub(super) const APART: Duration = Duration::from_secs(1);

/// Messages that wait for their entries, and entries that wait for their messages.
#[derive(Debug)]
pub(super) struct Pairs<M> {
    messages: Waiting<M>,
    entries: Waiting<()>,
}

impl<M> Default for Pairs<M> {
    fn default() -> Self {
        Self {
            messages: Waiting::default(),
            entries: Waiting::default(),
        }
    }
}

impl<M> Pairs<M> {
    /// A message was heard; true if its entry was read before.
    pub(super) fn hear(&mut self, text: &[u8], message: M, at: Instant) -> bool {
        let text = xxh3_128(text);
        let is_read = self.entries.take(text).is_some();
        if !is_read {
            self.messages.wait(text, message, at);
        }
        is_read
    }

    /// An entry was read; gives the message whose place it takes.
    pub(super) fn read(&mut self, text: &[u8], at: Instant) -> Option<M> {
        let text = xxh3_128(text);
        let message = self.messages.take(text);
        if message.is_none() {
            self.entries.wait(text, (), at);
        }
        message
    }

    /// Everything that was in the streams at this moment was read: gives the messages that have no entry.
    pub(super) fn caught_up(&mut self, at: Instant) -> Vec<M> {
        self.entries.give_up(at);
        self.messages.give_up(at)
    }

    /// The message that is held longest.
    pub(super) fn oldest(&self) -> Option<&M> {
        let (_, (_, _, message)) = self.messages.all.first_key_value()?;
        Some(message)
    }
}

/// Those that came and wait, by number.
#[derive(Debug)]
struct Waiting<T> {
    all: BTreeMap<u64, (Instant, u128, T)>,
    by_text: HashMap<u128, VecDeque<u64>>,
    next: u64,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            by_text: HashMap::new(),
            next: 0,
        }
    }
}

impl<T> Waiting<T> {
    fn wait(&mut self, text: u128, one: T, at: Instant) {
        self.all.insert(self.next, (at, text, one));
        self.by_text.entry(text).or_default().push_back(self.next);
        self.next += 1;
    }

    /// The oldest of this text.
    fn take(&mut self, text: u128) -> Option<T> {
        let numbers = self.by_text.get_mut(&text)?;
        let number = numbers.pop_front()?;
        if numbers.is_empty() {
            self.by_text.remove(&text);
        }
        self.all.remove(&number).map(|(_, _, one)| one)
    }

    /// Those that have waited long enough at this moment, oldest first.
    fn give_up(&mut self, at: Instant) -> Vec<T> {
        let mut over = Vec::new();
        while let Some((_, &(since, text, _))) = self.all.first_key_value()
            && since + APART <= at
        {
            // The oldest of all is the oldest of its text.
            over.extend(self.take(text));
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_an_event_of_its_own_only_where_no_entry_has_its_text() {
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        let mut pairs = Pairs::default();
        assert!(!pairs.hear(b"a", 1, at(0)));
        assert_eq!(pairs.read(b"a", at(1)), Some(1));
        assert_eq!(pairs.read(b"b", at(2)), None);
        assert!(pairs.hear(b"b", 2, at(3)), "the other way round");
        assert!(!pairs.hear(b"c", 3, at(4)));
        assert_eq!(
            pairs.caught_up(at(1_003)),
            [] as [i32; 0],
            "its entry may still come"
        );
        assert_eq!(pairs.caught_up(at(1_004)), [3]);
        assert_eq!(pairs.read(b"d", at(2_000)), None);
        assert_eq!(pairs.caught_up(at(3_000)), [] as [i32; 0]);
        assert!(!pairs.hear(b"d", 4, at(3_001)), "of a time when nobody listened");
        assert_eq!(pairs.oldest(), Some(&4));
    }

    proptest! {
        /// Whatever is equal, and in whatever order the two ways bring it: of a text as many events are stored as it was
        /// published, where each was added too or not.
        #[test]
        fn as_many_are_stored_as_were_published(
            published in prop::collection::vec((0_u8..4, any::<bool>()), 0..60),
        ) {
            let begin = Instant::now();
            let mut pairs = Pairs::default();
            let mut stored = HashMap::<u8, usize>::new();
            let mut expected = HashMap::<u8, usize>::new();
            // A text comes by both ways each time, or by the channel alone each time.
            for (step, (text, is_late)) in published.iter().enumerate() {
                let at = begin + Duration::from_millis(step as u64);
                let is_added = text % 2 == 0;
                *expected.entry(*text).or_default() += 1;
                let bytes = [*text];
                if is_added && *is_late {
                    pairs.read(&bytes, at);
                    *stored.entry(*text).or_default() += 1;
                }
                pairs.hear(&bytes, *text, at);
                if is_added && !is_late {
                    pairs.read(&bytes, at);
                    *stored.entry(*text).or_default() += 1;
                }
            }
            for alone in pairs.caught_up(begin + Duration::from_secs(10)) {
                *stored.entry(alone).or_default() += 1;
            }
            prop_assert_eq!(stored, expected);
            prop_assert_eq!(pairs.oldest(), None);
        }
    }
}
