//! What became of a file: for people, and for programs with `--json`.
use std::collections::BTreeMap;

use indicatif::HumanCount;
use kymo_event::{Micros, dialects::UNRECOGNISED};

use super::load::Note;
use crate::printer::{DIM, Printer};

/// Different types that are counted by name; the rest is counted together.
const TYPES_MAX: usize = 10_000;
/// Types that people are shown.
const TYPES_SHOWN: usize = 8;

/// What became of a file.
#[derive(Default, serde::Serialize)]
pub(super) struct Summary {
    /// Lines of the file; 0 where it is one array.
    pub(super) lines: u64,
    /// Events that are new.
    pub(super) stored: u64,
    /// Events that were there before.
    pub(super) known: u64,
    /// Records that are none, or could not be stored.
    refused: u64,
    refused_by_reason: BTreeMap<String, u64>,
    /// Among the events, those that say nowhere what they are.
    unrecognised: u64,
    types: BTreeMap<String, u64>,
    /// Events of still other types.
    other_types: u64,
    first_time: Option<String>,
    last_time: Option<String>,
    /// Events whose time had no zone and was taken as UTC.
    times_inferred: u64,
    /// Events that say no time.
    times_missing: u64,
    #[serde(skip)]
    times: Option<(Micros, Micros)>,
}

impl Summary {
    /// Notes an event that is stored now, or was.
    pub(super) fn took(&mut self, taken: &Note) {
        self.unrecognised += u64::from(&*taken.kind == UNRECOGNISED);
        if let Some(count) = self.types.get_mut(&*taken.kind) {
            *count += 1;
        } else if self.types.len() < TYPES_MAX {
            self.types.insert(taken.kind.to_string(), 1);
        } else {
            self.other_types += 1;
        }
        self.times_inferred += u64::from(taken.inferred);
        let Some(time) = taken.time else {
            self.times_missing += 1;
            return;
        };
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }

    pub(super) fn refused(&mut self, code: &str) {
        self.refused += 1;
        *self.refused_by_reason.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) const fn is_all_taken(&self) -> bool {
        self.refused == 0
    }

    pub(super) const fn total(&self) -> u64 {
        self.stored + self.known + self.refused
    }

    pub(super) fn print(mut self, json: bool, seconds: f64) {
        let mut printer = Printer::new();
        (self.first_time, self.last_time) = match self.times {
            Some((first, last)) => (Some(first.to_string()), Some(last.to_string())),
            None => (None, None),
        };
        if json {
            printer.json(&self);
            return;
        }
        printer.line(self.headline(seconds));
        let details = [
            ("types", self.kinds()),
            ("times", self.span()),
            ("refused", self.reasons()),
        ];
        for (name, text) in details {
            if let Some(text) = text {
                printer.line(format!("{DIM}{name:>8}{DIM:#}  {text}"));
            }
        }
    }

    fn headline(&self, seconds: f64) -> String {
        let mut parts = vec![format!("stored {}", HumanCount(self.stored))];
        if self.known > 0 {
            parts.push(format!("known already {}", HumanCount(self.known)));
        }
        if self.unrecognised > 0 {
            parts.push(format!("unrecognised {}", HumanCount(self.unrecognised)));
        }
        if self.refused > 0 {
            parts.push(format!("refused {}", HumanCount(self.refused)));
        }
        let of = match self.lines {
            0 => String::new(),
            lines => format!(" of {} lines", HumanCount(lines)),
        };
        format!("{}{of} in {seconds:.1} s", parts.join(", "))
    }

    /// The most frequent types, and how many others there are.
    fn kinds(&self) -> Option<String> {
        let mut kinds: Vec<_> = self.types.iter().collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), *kind));
        let shown: Vec<_> = kinds
            .iter()
            .take(TYPES_SHOWN)
            .map(|(kind, count)| format!("{kind} {}", HumanCount(**count)))
            .collect();
        if shown.is_empty() {
            return None;
        }
        let more = kinds.len() - shown.len();
        let others = if more > 0 {
            format!(", and {} more", HumanCount(more as u64))
        } else {
            String::new()
        };
        Some(shown.join(", ") + &others)
    }

    fn span(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let (Some(first), Some(last)) = (&self.first_time, &self.last_time) {
            parts.push(format!("{first} to {last}"));
        }
        if self.times_inferred > 0 {
            parts.push(format!(
                "{} without a zone, taken as UTC",
                HumanCount(self.times_inferred)
            ));
        }
        if self.times_missing > 0 {
            parts.push(format!("{} events say none", HumanCount(self.times_missing)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn reasons(&self) -> Option<String> {
        let reasons: Vec<_> = self
            .refused_by_reason
            .iter()
            .map(|(code, count)| format!("{code} {}", HumanCount(*count)))
            .collect();
        (!reasons.is_empty()).then(|| reasons.join(", "))
    }
}
