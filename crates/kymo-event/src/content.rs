//! What an event says, however it came: its body without the mark of the past.
//!
//! A file that is read again from its beginning may be the past by now, as far as it was live when it was read first.
//! Its events are the same, so whether one is a repeat is judged without `backfill`.
use std::hash::Hasher;

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

const MARK: &[u8] = b",\"backfill\":true";

/// The body of an event's line, its mark of the past left out.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    head: &'a [u8],
    /// What follows the mark; empty where there is none.
    tail: &'a [u8],
}

impl<'a> Content<'a> {
    /// Of a body; `is_past`: whether it has the mark.
    pub(crate) fn of(body: &'a [u8], is_past: bool) -> Self {
        // Within a string its quotes would be escaped, and what may hold objects comes behind it.
        let mark = is_past.then(|| memchr::memmem::find(body, MARK)).flatten();
        match mark {
            None => Self {
                head: body,
                tail: b"",
            },
            Some(at) => Self {
                head: &body[..at],
                tail: &body[at + MARK.len()..],
            },
        }
    }

    /// A hash of all of it.
    #[must_use]
    pub fn hash(&self, seed: u64) -> u64 {
        if self.tail.is_empty() {
            return xxh3_64_with_seed(self.head, seed);
        }
        let mut hash = Xxh3::with_seed(seed);
        hash.write(self.head);
        hash.write(self.tail);
        hash.finish()
    }

    const fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

impl PartialEq for Content<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let (long, short) = if self.head.len() >= other.head.len() {
            (self, other)
        } else {
            (other, self)
        };
        let (same, between) = long.head.split_at(short.head.len());
        let (under, rest) = short.tail.split_at(between.len());
        same == short.head && between == under && rest == long.tail
    }
}

impl Eq for Content<'_> {}

#[cfg(test)]
mod tests {
    use crate::{Batch, Event};

    fn batch(events: &[(bool, &str)]) -> Batch {
        let mut batch = Batch::default();
        for (backfill, data) in events {
            let mut event = Event::new("a,\"backfill\":true", "s");
            event.id = Some("1".into());
            event.backfill = *backfill;
            event.data = Some((*data).into());
            batch.push(&event);
        }
        batch
    }

    #[test]
    fn an_event_of_the_past_says_the_same_as_the_live_one() {
        let data = r#"{"a":1,"backfill":true}"#;
        let batch = batch(&[
            (false, data),
            (true, data),
            (true, r#"{"a":1}"#),
            (true, r#"{"a":2,"backfill":true}"#),
        ]);
        let content = |index| batch.content(index);
        assert_ne!(batch.body(0), batch.body(1));
        assert_eq!(content(0), content(1));
        assert_eq!(content(1), content(0));
        assert_eq!(content(1), content(1));
        assert_eq!(content(0).hash(7), content(1).hash(7));
        for other in [2, 3] {
            assert_ne!(content(0), content(other));
            assert_ne!(content(1), content(other));
            assert_ne!(content(1).hash(7), content(other).hash(7));
        }
    }

    #[test]
    fn where_nothing_is_marked_the_hash_is_that_of_the_body() {
        let batch = batch(&[(false, "1")]);
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(batch.body(0), 7);
        assert_eq!(batch.content(0).hash(7), hash);
    }
}
