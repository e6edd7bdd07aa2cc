//! What could not be read, told without becoming a flood: a few records by name, the rest by number.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kymo_event::{Event, Level};
use serde_json::json;

use super::{roster::Lost, taking::RefusedRecord};
use crate::note;

/// So many records are named at once.
const NAMED_MAX: usize = 10;
/// Between two reports.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is told at once.
pub(super) struct Told {
    pub(super) note: Event<'static>,
    /// Records that it is about.
    pub(super) count: u64,
    /// The first of them, in words.
    pub(super) first: String,
}

/// What was refused and not told yet.
pub(super) struct Refusals {
    source: String,
    named: Vec<(String, RefusedRecord)>,
    by_reason: BTreeMap<String, u64>,
    told: Option<Instant>,
}

impl Refusals {
    pub(super) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            named: Vec::new(),
            by_reason: BTreeMap::new(),
            told: None,
        }
    }

    pub(super) fn add(&mut self, file: &std::path::Path, refused: RefusedRecord) {
        *self.by_reason.entry(refused.code.clone()).or_default() += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push((file.display().to_string(), refused));
        }
    }

    /// What is to be told now; at the end whatever is left. The first is told at once.
    pub(super) fn tell(&mut self, now: Instant, is_end: bool) -> Option<Told> {
        let is_due = is_end || self.told.is_none_or(|told| now >= told + AGAIN_AFTER);
        if self.by_reason.is_empty() || !is_due {
            return None;
        }
        self.told = Some(now);
        let by_reason = std::mem::take(&mut self.by_reason);
        let count = by_reason.values().sum::<u64>();
        let named = std::mem::take(&mut self.named);
        let first = named.first().map_or(String::new(), |(file, refused)| {
            format!("{file}:{}: {} [{}]", refused.line, refused.message, refused.code)
        });
        let records: Vec<_> = named
            .into_iter()
            .map(|(file, refused)| {
                json!({
                    "file": file, "line": refused.line, "byte": refused.byte,
                    "code": refused.code, "message": refused.message, "text": refused.text,
                })
            })
            .collect();
        let data = json!({
            "door": "tail",
            "source": self.source,
            "refused": count,
            "reasons": by_reason,
            "records": records,
        });
        Some(Told {
            note: note("kymo.source.refused", Level::Warn, &data),
            count,
            first,
        })
    }
}

/// Bytes that are gone.
pub(super) fn lost(source: &str, lost: &Lost) -> Event<'static> {
    let data = json!({
        "source": source,
        "file": lost.file.display().to_string(),
        "from": lost.from,
        "to": lost.to,
        "message": "these bytes were removed before they could be read",
    });
    note("kymo.source.lost", Level::Warn, &data)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn refused(line: u64) -> RefusedRecord {
        RefusedRecord {
            line,
            byte: line * 8,
            code: if line.is_multiple_of(2) {
                "invalid_json"
            } else {
                "not_an_event"
            }
            .into(),
            message: "this is not JSON".into(),
            text: "garbage".into(),
        }
    }

    #[test]
    fn a_file_of_garbage_is_told_at_once_and_then_now_and_then() {
        let mut refusals = Refusals::new("logs");
        let began = Instant::now();
        let mut told = Vec::new();
        for second in 0..35 {
            for line in 0..1_000 {
                refusals.add(Path::new("a.jsonl"), refused(1 + second * 1_000 + line));
                told.extend(refusals.tell(began + Duration::from_secs(second), false));
            }
        }
        told.extend(refusals.tell(began + Duration::from_secs(35), true));
        let data: Vec<serde_json::Value> = told
            .iter()
            .map(|told| serde_json::from_str(told.note.data.as_deref().unwrap()).unwrap())
            .collect();
        assert_eq!(data.len(), 5);
        let all: u64 = data.iter().map(|data| data["refused"].as_u64().unwrap()).sum();
        assert_eq!(all, 35_000, "each is counted once");
        assert_eq!(told.iter().map(|told| told.count).sum::<u64>(), all);
        assert_eq!(told[0].first, "a.jsonl:1: this is not JSON [not_an_event]");
        assert_eq!(data[0]["records"][0]["line"], 1);
        assert_eq!(data[1]["records"].as_array().unwrap().len(), NAMED_MAX);
        assert_eq!(data[1]["reasons"]["invalid_json"], 5_000);
        assert!(refusals.tell(began + Duration::from_secs(99), true).is_none());
    }
}
