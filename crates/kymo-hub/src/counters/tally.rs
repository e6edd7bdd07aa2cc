//! What the events of one batch are, noted while they pass: a few bytes each, no allocation for a name seen before.

use std::collections::HashMap;

use kymo_event::Level;

use super::names::OTHERS;

/// Names told apart within one batch.
const NAMES_MAX: usize = 1_000;

/// Type, source and level of every event of a batch.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    types: Interned,
    sources: Interned,
    events: Vec<Noted>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    kind: u16,
    source: u16,
    level: Level,
}

/// A tally by name.
pub(super) struct Sums<'t> {
    pub(super) events: u64,
    pub(super) levels: [u32; 5],
    pub(super) types: Vec<(&'t str, u32)>,
    pub(super) sources: Vec<(&'t str, u32)>,
}

impl Tally {
    pub(crate) fn add(&mut self, kind: &str, source: &str, level: Level) {
        let noted = Noted {
            kind: self.types.number(kind),
            source: self.sources.number(source),
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

    pub(super) fn sums(&self) -> Sums<'_> {
        let mut levels = [0; 5];
        let mut types = vec![0; self.types.names.len()];
        let mut sources = vec![0; self.sources.names.len()];
        for noted in &self.events {
            levels[noted.level as usize] += 1;
            types[usize::from(noted.kind)] += 1;
            sources[usize::from(noted.source)] += 1;
        }
        Sums {
            events: self.events.len() as u64,
            levels,
            types: self.types.named(types),
            sources: self.sources.named(sources),
        }
    }
}

/// Names by number. Neighbours usually have the same one; few are looked through, many are looked up.
#[derive(Default, Debug)]
struct Interned {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u16>,
    last: u16,
}

/// Up to here looking through the names is quicker than hashing.
const LOOKED_THROUGH_MAX: usize = 16;

impl Interned {
    fn number(&mut self, name: &str) -> u16 {
        if self
            .names
            .get(usize::from(self.last))
            .is_some_and(|last| **last == *name)
        {
            return self.last;
        }
        self.last = match self.find(name) {
            Some(number) => number,
            None if self.names.len() < NAMES_MAX => self.add(name),
            None => self.find(OTHERS).unwrap_or_else(|| self.add(OTHERS)),
        };
        self.last
    }

    fn find(&self, name: &str) -> Option<u16> {
        if self.names.len() > LOOKED_THROUGH_MAX {
            return self.numbers.get(name).copied();
        }
        self.names.iter().position(|known| **known == *name).map(narrow)
    }

    fn add(&mut self, name: &str) -> u16 {
        let number = narrow(self.names.len());
        self.names.push(name.into());
        if self.names.len() > LOOKED_THROUGH_MAX {
            let unhashed = self.numbers.len()..self.names.len();
            let hashed = unhashed.map(|number| (self.names[number].clone(), narrow(number)));
            self.numbers.extend(hashed.collect::<Vec<_>>());
        }
        number
    }

    fn named(&self, counts: Vec<u32>) -> Vec<(&str, u32)> {
        let named = self.names.iter().map(|name| &**name).zip(counts);
        named.filter(|(_, count)| *count > 0).collect()
    }
}

fn narrow(number: usize) -> u16 {
    u16::try_from(number).expect("bounded by NAMES_MAX")
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
        let sums = tally.sums();
        assert_eq!(sums.events, 2);
        assert_eq!(sums.levels, [0, 1, 0, 1, 0]);
        assert_eq!(sums.types, [("a", 1), ("b", 1)]);
        assert_eq!(sums.sources, [("x", 1), ("y", 1)]);
    }

    #[test]
    fn a_batch_of_countless_types_is_counted_in_bounded_memory() {
        let mut tally = Tally::default();
        for number in 0..5_000 {
            tally.add(&format!("t{number}"), "s", Level::Info);
        }
        assert_eq!(tally.types.names.len(), NAMES_MAX + 1);
        assert_eq!(tally.sums().types.last(), Some(&(OTHERS, 4_000)));
    }
}
