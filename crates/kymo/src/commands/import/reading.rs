//! Reads one record of a file: whatever dialect, made native, marked as the past, and given an id that is the same
//! the next time.
use kymo_event::{
    Event, Limits, RawJson, Refusal,
    dialects::{self, Dialect},
};

use crate::{lines::Line, native};

/// A record and where it stands.
pub(super) struct Record {
    /// Line in the file, from 1.
    pub(super) line: usize,
    /// The event as native JSON text, or why there is none.
    pub(super) text: Result<String, Refusal>,
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

    /// Reads a line.
    pub(super) fn line(&self, line: &Line) -> Record {
        let text = native::text(line)
            .and_then(|text| RawJson::parse(text, self.limits.nesting_max))
            .and_then(|json| self.read(json, line.byte));
        Record {
            line: line.number,
            text,
        }
    }

    /// Reads a value that begins at `byte` of the file.
    pub(super) fn read(&self, json: RawJson<'_>, byte: u64) -> Result<String, Refusal> {
        let dialect = self.dialect.unwrap_or_else(|| dialects::detect(json));
        let mut event = dialect.read(json, &self.limits)?;
        self.complete(&mut event, json.as_str(), byte);
        Ok(native::json(&event))
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
