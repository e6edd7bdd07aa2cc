//! What the events of one batch are, noted while they pass: a few bytes each, no allocation for a name seen before.
//!
//! Most batches are one event with one type and one source: those two names cost one allocation together.

use std::collections::HashMap;

use kymo_event::Level;
use smallvec::SmallVec;

use super::names::OTHERS;

/// Names told apart within one batch.
const NAMES_MAX: usize = 1_000;

/// Type, source and level of every event of a batch.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    // All names, end to end.
    text: String,
    types: Interned,
    sources: Interned,
    events: SmallVec<[Noted; 4]>,
}

/// How much a tally held at some moment.
pub(crate) struct Mark {
    text: usize,
    types: usize,
    sources: usize,
    events: usize,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    kind: u16,
    source: u16,
    level: Level,
}

impl Tally {
    pub(crate) fn add(&mut self, kind: &str, source: &str, level: Level) {
        if self.text.is_empty() {
            self.text.reserve(kind.len() + source.len());
        }
        let noted = Noted {
            kind: self.types.number(kind, &mut self.text),
            source: self.sources.number(source, &mut self.text),
            level,
        };
        self.events.push(noted);
    }

    /// Keeps the events whose position in the batch passes.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut position = 0;
        self.events.retain(|_| {
            position += 1;
            keep(position - 1)
        });
    }

    /// What there is now, to come [back to](Self::back_to).
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            text: self.text.len(),
            types: self.types.spans.len(),
            sources: self.sources.spans.len(),
            events: self.events.len(),
        }
    }

    /// Forgets what was added since, names and all.
    pub(crate) fn back_to(&mut self, mark: &Mark) {
        self.text.truncate(mark.text);
        self.types.truncate(mark.types);
        self.sources.truncate(mark.sources);
        self.events.truncate(mark.events);
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        self.events.len() as u64
    }

    /// How many of each level, in rising order.
    pub(super) fn levels(&self) -> [u32; 5] {
        let mut levels = [0; 5];
        for noted in &self.events {
            levels[noted.level as usize] += 1;
        }
        levels
    }

    /// How many of each type.
    pub(super) fn types(&self) -> impl Iterator<Item = (&str, u32)> {
        self.types
            .counts(&self.text, self.events.iter().map(|noted| noted.kind))
    }

    /// How many of each source.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, u32)> {
        self.sources
            .counts(&self.text, self.events.iter().map(|noted| noted.source))
    }
}

/// Names by number. Neighbours usually have the same one; few are looked through, many are looked up.
#[derive(Default, Debug)]
struct Interned {
    // Where in the text each name begins and ends.
    spans: SmallVec<[(u32, u32); 2]>,
    // Almost no batch needs it.
    numbers: Option<HashMap<Box<str>, u16>>,
    last: u16,
}

/// Up to here looking through the names is quicker than hashing.
const LOOKED_THROUGH_MAX: usize = 16;

impl Interned {
    fn number(&mut self, name: &str, text: &mut String) -> u16 {
        let last = self.spans.get(usize::from(self.last));
        if last.is_some_and(|span| cut(text, *span) == name) {
            return self.last;
        }
        self.last = match self.find(name, text) {
            Some(number) => number,
            None if self.spans.len() < NAMES_MAX => self.add(name, text),
            None => self.find(OTHERS, text).unwrap_or_else(|| self.add(OTHERS, text)),
        };
        self.last
    }

    fn find(&self, name: &str, text: &str) -> Option<u16> {
        match &self.numbers {
            Some(numbers) => numbers.get(name).copied(),
            None => self
                .spans
                .iter()
                .position(|span| cut(text, *span) == name)
                .map(narrow),
        }
    }

    fn add(&mut self, name: &str, text: &mut String) -> u16 {
        let number = narrow(self.spans.len());
        let start = text.len();
        text.push_str(name);
        self.spans.push((offset(start), offset(text.len())));
        if let Some(numbers) = &mut self.numbers {
            numbers.insert(name.into(), number);
        } else if self.spans.len() > LOOKED_THROUGH_MAX {
            let names = self.spans.iter().map(|span| cut(text, *span).into());
            self.numbers = Some(names.zip(0..).collect());
        }
        number
    }

    /// Forgets all names but the first so many.
    fn truncate(&mut self, count: usize) {
        if count < self.spans.len() {
            self.spans.truncate(count);
            if let Some(numbers) = &mut self.numbers {
                numbers.retain(|_, number| usize::from(*number) < count);
            }
        }
    }

    /// Each name that occurs among `numbers`, and how often.
    fn counts<'t>(
        &'t self,
        text: &'t str,
        numbers: impl Iterator<Item = u16>,
    ) -> impl Iterator<Item = (&'t str, u32)> {
        let mut counts: SmallVec<[u32; 4]> = SmallVec::from_elem(0, self.spans.len());
        for number in numbers {
            counts[usize::from(number)] += 1;
        }
        let names = self.spans.iter().map(move |span| cut(text, *span));
        names.zip(counts).filter(|(_, count)| *count > 0)
    }
}

fn cut(text: &str, span: (u32, u32)) -> &str {
    &text[span.0 as usize..span.1 as usize]
}

fn narrow(number: usize) -> u16 {
    u16::try_from(number).expect("bounded by NAMES_MAX")
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a batch is bounded far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_summed_by_type_source_and_level() {
        let mut tally = Tally::default();
        tally.add("a", "x", Level::Info);
        tally.add("b", "x", Level::Error);
        tally.add("a", "y", Level::Info);
        tally.retain(|position| position != 0);
        assert_eq!(tally.events(), 2);
        assert_eq!(tally.levels(), [0, 1, 0, 1, 0]);
        assert_eq!(tally.types().collect::<Vec<_>>(), [("a", 1), ("b", 1)]);
        assert_eq!(tally.sources().collect::<Vec<_>>(), [("x", 1), ("y", 1)]);
    }

    #[test]
    fn what_is_taken_back_leaves_no_name_behind() {
        let mut tally = Tally::default();
        tally.add("a", "x", Level::Info);
        for round in 0..2_000 {
            let mark = tally.mark();
            for name in 0..1 + round % 40 {
                tally.add(
                    &format!("t{round}-{name}"),
                    &format!("s{round}-{name}"),
                    Level::Warn,
                );
            }
            tally.back_to(&mark);
        }
        assert_eq!(tally.text, "ax");
        tally.add("b", "x", Level::Info);
        tally.add("t7-0", "y", Level::Info);
        assert_eq!(
            tally.types().collect::<Vec<_>>(),
            [("a", 1), ("b", 1), ("t7-0", 1)]
        );
        assert_eq!(tally.sources().collect::<Vec<_>>(), [("x", 2), ("y", 1)]);
        assert_eq!(tally.levels(), [0, 3, 0, 0, 0]);
    }

    #[test]
    fn a_batch_of_countless_types_is_counted_in_bounded_memory() {
        let mut tally = Tally::default();
        for number in 0..5_000 {
            tally.add(&format!("t{number}"), "s", Level::Info);
        }
        assert_eq!(tally.types.spans.len(), NAMES_MAX + 1);
        assert_eq!(tally.types().last(), Some((OTHERS, 4_000)));
        assert_eq!(tally.types().map(|(_, count)| count).sum::<u32>(), 5_000);
        assert_eq!(tally.sources().collect::<Vec<_>>(), [("s", 5_000)]);
    }
}
