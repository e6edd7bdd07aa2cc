//! Reads one record of a file: whatever dialect, made native, marked as the past, and given an id that is the same
//! the next time.
use kymo_connect::{FileRecords, excerpt};
use kymo_event::{Event, Micros, RawJson, Refusal, dialects::Dialect, salvage::Found};

use crate::native;

/// A record and where it stands.
pub(super) struct Record {
    /// Line in the file, from 1.
    pub(super) line: u64,
    /// What it says; or why it says nothing, and how it begins, as far as that can be shown.
    pub(super) event: Result<Taken, (Refusal, String)>,
}

/// An event on its way, and what the summary says of it.
pub(super) struct Taken {
    /// Native JSON.
    pub(super) text: String,
    pub(super) kind: String,
    pub(super) time: Option<Micros>,
    /// The time had no zone and was taken as UTC.
    pub(super) inferred: bool,
}

/// How records of one file are read.
pub(super) struct Reading {
    records: FileRecords,
}

impl Reading {
    pub(super) fn new(known_as: &str, dialect: Option<&'static dyn Dialect>, source: Option<String>) -> Self {
        Self {
            records: FileRecords::new("import", known_as.as_bytes(), dialect, source),
        }
    }

    /// Reads what was found in a file of lines.
    pub(super) fn found(&self, found: Found<'_>) -> Record {
        let read = found.record.and_then(|json| self.read(json, found.at));
        Record {
            line: found.line,
            event: read.map_err(|refusal| (refusal, excerpt(found.bytes))),
        }
    }

    /// Reads a value of an array, which begins at `byte` of the file and on this line.
    pub(super) fn element(&self, json: Result<RawJson<'_>, Refusal>, byte: u64, line: u64) -> Record {
        let event = match json {
            Ok(json) => self
                .read(json, byte)
                .map_err(|refusal| (refusal, excerpt(json.as_str().as_bytes()))),
            Err(refusal) => Err((refusal, String::new())),
        };
        Record { line, event }
    }

    fn read(&self, json: RawJson<'_>, byte: u64) -> Result<Taken, Refusal> {
        let mut event = self.records.read(json, byte)?;
        event.backfill = true;
        Ok(Taken {
            text: native::json(&event),
            kind: event.kind.to_string(),
            time: event.time,
            inferred: is_inferred(&event),
        })
    }
}

/// Whether the dialect says that it took the time for UTC.
fn is_inferred(event: &Event<'_>) -> bool {
    let zone = event
        .ext("kymo")
        .and_then(|notes| RawJson::trusted(notes).get("zone"));
    zone.is_some_and(|zone| zone.as_str() == "\"inferred\"")
}
