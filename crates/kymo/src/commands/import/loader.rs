//! Reads records of a file, whatever dialect, marks them as the past, gives them ids that are the same the next time,
//! and packs them to loads that are sent as they become full.
use std::{
    collections::HashSet,
    sync::{Arc, mpsc::SyncSender},
};

use kymo_connect::{FileRecords, excerpt};
use kymo_event::{Event, RawJson, Refusal, dialects::Dialect, salvage::Found};

use super::{
    destination::Packer,
    load::{Load, Note, Pack, Refused},
};

/// Different types that are kept for the next record of the same.
const KINDS_MAX: usize = 10_000;

/// Makes loads of records.
pub(super) struct Loader {
    records: FileRecords,
    packer: Packer,
    kinds: HashSet<Arc<str>>,
    load: Load,
    bytes: usize,
}

impl Loader {
    pub(super) fn new(
        known_as: &str,
        dialect: Option<&'static dyn Dialect>,
        source: Option<String>,
        packer: Packer,
    ) -> Self {
        Self {
            records: FileRecords::new("import", known_as.as_bytes(), dialect, source),
            load: packer.load(),
            packer,
            kinds: HashSet::new(),
            bytes: 0,
        }
    }

    /// The same, with somewhere to go.
    pub(super) fn sending(self, send: &SyncSender<Load>) -> Sending<'_> {
        Sending {
            loader: self,
            send,
            is_over: false,
        }
    }

    fn read(&mut self, json: RawJson<'_>, byte: u64, line: u64) -> Result<(), Refusal> {
        let mut event = self.records.read(json, byte)?;
        event.backfill = true;
        match &mut self.load.pack {
            Pack::Texts(texts) => texts.add(|text| event.to_json(text)),
            Pack::Batch(intake) => intake.try_event(self.load.notes.len(), &event)?,
        }
        let note = Note {
            line,
            kind: self.kind(&event.kind),
            time: event.time,
            inferred: is_inferred(&event),
        };
        self.load.notes.push(note);
        Ok(())
    }

    fn kind(&mut self, kind: &str) -> Arc<str> {
        if let Some(known) = self.kinds.get(kind) {
            return Arc::clone(known);
        }
        let kind: Arc<str> = kind.into();
        if self.kinds.len() < KINDS_MAX {
            self.kinds.insert(Arc::clone(&kind));
        }
        kind
    }
}

/// Makes loads, and sends them.
pub(super) struct Sending<'s> {
    loader: Loader,
    send: &'s SyncSender<Load>,
    is_over: bool,
}

impl Sending<'_> {
    /// Nobody takes what is read any more.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes what was found in a file of lines.
    pub(super) fn found(&mut self, found: Found<'_>) {
        self.record(found.record, found.bytes, found.at, found.line);
    }

    /// Takes a value of an array, which begins at `byte` of the file and on this line.
    pub(super) fn element(&mut self, json: Result<RawJson<'_>, Refusal>, byte: u64, line: u64) {
        let text = json.as_ref().map_or("", |json| json.as_str());
        self.record(json, text.as_bytes(), byte, line);
    }

    /// The file ends at this byte.
    pub(super) fn end(&mut self, byte: u64) {
        self.flush(byte);
    }

    fn record(&mut self, json: Result<RawJson<'_>, Refusal>, bytes: &[u8], byte: u64, line: u64) {
        if self
            .loader
            .packer
            .is_full(&self.loader.load, self.loader.bytes + bytes.len())
        {
            self.flush(byte);
        }
        self.loader.bytes += bytes.len();
        if let Err(refusal) = json.and_then(|json| self.loader.read(json, byte, line)) {
            self.loader.load.refused.push(Refused {
                line,
                code: refusal.code.to_owned(),
                message: refusal.message,
                excerpt: excerpt(bytes),
            });
        }
    }

    fn flush(&mut self, position: u64) {
        let fresh = self.loader.packer.load();
        let mut load = std::mem::replace(&mut self.loader.load, fresh);
        self.loader.bytes = 0;
        load.position = position;
        self.is_over |= self.send.send(load).is_err();
    }
}

/// Whether the dialect says that it took the time for UTC.
fn is_inferred(event: &Event<'_>) -> bool {
    let zone = event
        .ext("kymo")
        .and_then(|notes| RawJson::trusted(notes).get("zone"));
    zone.is_some_and(|zone| zone.as_str() == "\"inferred\"")
}
