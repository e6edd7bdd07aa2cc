//! Reads one record of a file: whatever dialect, made native, marked as the past, and given an id that is the same
//! the next time.
use kymo_event::{
    Event, Limits, Micros, RawJson, Refusal,
    dialects::{self, Dialect},
    salvage::Found,
};

use crate::native;

/// So much of a refused record is shown.
const EXCERPT_CHARS: usize = 100;

/// A record and where it stands.
pub(super) struct Record {
    /// Line in the file, from 1.
    pub(super) line: u64,
    /// How it begins, as far as it can be shown.
    pub(super) excerpt: String,
    pub(super) event: Result<Taken, Refusal>,
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
    /// Seeded with the name the file is known by.
    ids: blake3::Hasher,
    dialect: Option<&'static dyn Dialect>,
    source: Option<String>,
    limits: Limits,
}

impl Reading {
    pub(super) fn new(known_as: &str, dialect: Option<&'static dyn Dialect>, source: Option<String>) -> Self {
        let mut ids = blake3::Hasher::new();
        ids.update(known_as.as_bytes());
        ids.update(b"\0");
        // The hub judges sizes by its own settings; here only what no JSON reader should walk into is refused.
        let limits = Limits {
            event_bytes_max: usize::MAX,
            ..Limits::default()
        };
        Self {
            ids,
            dialect,
            source,
            limits,
        }
    }

    /// Reads what was found in a file of lines.
    pub(super) fn found(&self, found: Found<'_>) -> Record {
        Record {
            line: found.line,
            excerpt: excerpt(found.bytes),
            event: found.record.and_then(|json| self.read(json, found.at)),
        }
    }

    /// Reads a value of an array, which begins at `byte` of the file and on this line.
    pub(super) fn element(&self, json: Result<RawJson<'_>, Refusal>, byte: u64, line: u64) -> Record {
        Record {
            line,
            excerpt: json
                .as_ref()
                .map_or_else(|_| String::new(), |json| excerpt(json.as_str().as_bytes())),
            event: json.and_then(|json| self.read(json, byte)),
        }
    }

    fn read(&self, json: RawJson<'_>, byte: u64) -> Result<Taken, Refusal> {
        let dialect = self.dialect.unwrap_or_else(|| dialects::detect(json));
        let mut event = dialect.read(json, &self.limits)?;
        self.complete(&mut event, json.as_str(), byte);
        Ok(Taken {
            text: native::json(&event),
            kind: event.kind.to_string(),
            time: event.time,
            inferred: is_inferred(&event),
        })
    }

    fn complete(&self, event: &mut Event<'_>, text: &str, byte: u64) {
        event.backfill = true;
        if event.id.is_none() {
            event.id = Some(self.id(text, byte).into());
        }
        if event.source == "unknown"
            && let Some(source) = &self.source
        {
            event.source = source.clone().into();
        }
    }

    /// From the file, the place and the record itself: a record that moved or changed is another one.
    fn id(&self, text: &str, byte: u64) -> String {
        let mut hash = self.ids.clone();
        hash.update(&byte.to_le_bytes());
        hash.update(text.as_bytes());
        format!("import-{}", &hash.finalize().to_hex()[..32])
    }
}

/// Whether the dialect says that it took the time for UTC.
fn is_inferred(event: &Event<'_>) -> bool {
    let zone = event
        .ext("kymo")
        .and_then(|notes| RawJson::trusted(notes).get("zone"));
    zone.is_some_and(|zone| zone.as_str() == "\"inferred\"")
}

/// The beginning of a record on one line, without what a terminal would obey.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(4 * EXCERPT_CHARS)];
    let shown: String = String::from_utf8_lossy(start)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(EXCERPT_CHARS)
        .collect();
    let is_all = shown.chars().count() < EXCERPT_CHARS && start.len() == bytes.len();
    shown.trim_end().to_owned() + if is_all { "" } else { "…" }
}
