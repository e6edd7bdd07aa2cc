//! What must be true of a run, decided from the ledger's own lines after the server has ended.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{
    arena::{Arena, FILTERS, Seen},
    readers::Stretch,
};
use crate::support::Home;

/// Everything that was ever stored, by seq.
#[derive(Default)]
pub(super) struct Truth {
    events: BTreeMap<u64, Seen>,
    exported: u64,
}

impl Truth {
    /// Reads on in the ledger. Called where no server runs, it shows what the next one finds: that is there for good.
    pub(super) fn learn(&mut self, home: &Home) {
        for seen in self.export(home, self.exported + 1) {
            self.exported = seen.seq;
            self.events.insert(seen.seq, seen);
        }
    }

    fn export(&self, home: &Home, from: u64) -> Vec<Seen> {
        let path = home.project().join("export.jsonl");
        let path = path.to_str().expect("UTF-8");
        home.kymo(&["export", "--from", &from.to_string(), "--output", path])
            .good();
        let text = fs::read_to_string(path).expect("it was exported");
        let event = |line| serde_json::from_str::<Value>(line).expect("JSON");
        text.lines().map(|line| Seen::from_line(&event(line))).collect()
    }

    /// What is in the ledger at the end is what was there before, and nothing is missing in between. Answers with the
    /// first seq that is left.
    pub(super) fn is_still_there(&mut self, home: &Home) -> u64 {
        self.learn(home);
        let left = self.export(home, 1);
        let first = left.first().expect("something is left").seq;
        let known: Vec<&Seen> = self.events.range(first..).map(|(_, seen)| seen).collect();
        assert_eq!(left.iter().collect::<Vec<_>>(), known);
        let head = left.last().expect("something is left").seq;
        assert_eq!(self.events.len() as u64, head, "seqs have no holes");
        first
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Of events that say which they are, each is there once.
    pub(super) fn check_once(&self) {
        let mut places = BTreeMap::new();
        for event in self.events.values().filter(|event| event.n != u64::MAX) {
            let name = (&event.source, event.writer, event.n);
            if let Some(before) = places.insert(name, event.seq) {
                panic!("{name:?} stands at {before} and {}", event.seq);
            }
        }
    }

    /// Where the numbered events of a writer are, in the order of its numbers.
    pub(super) fn seqs_of(&self, source: &str, writer: u64) -> BTreeMap<u64, u64> {
        let events = self.events.values();
        events
            .filter(|event| event.source == source && event.writer == writer)
            .map(|event| (event.n, event.seq))
            .collect()
    }

    pub(super) fn check_acknowledged(&self, arena: &Arena) {
        let acknowledged = arena.acknowledged.lock().expect("no writer panicked");
        for (seq, expected) in &*acknowledged {
            let stored = self.events.get(seq).map(|seen| (seen.writer, seen.n));
            assert_eq!(stored, Some(*expected), "acknowledged as {seq}");
        }
    }

    /// Exactly what matches and was not told to be gone, in order, once.
    pub(super) fn check_stretch(&self, stretch: &Stretch) {
        let (filter, matches) = FILTERS[stretch.filter];
        let is_gone = |seq: u64| {
            stretch
                .gone
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&seq))
        };
        let expected: Vec<&Seen> = self
            .events
            .range(stretch.from..stretch.to + 1)
            .map(|(_, seen)| seen)
            .filter(|seen| !is_gone(seen.seq) && matches(seen))
            .collect();
        let got: Vec<&Seen> = stretch.seen.iter().collect();
        if got != expected {
            let at = got
                .iter()
                .zip(&expected)
                .take_while(|(got, expected)| got == expected)
                .count();
            panic!(
                "`{filter}` from {} to {}: {} events came, {} match; the first difference is at {at}: {:?} came, {:?} matches",
                stretch.from,
                stretch.to,
                got.len(),
                expected.len(),
                got.get(at),
                expected.get(at)
            );
        }
    }
}
