//! Records that go together, on their way from the file to where they are stored.
use std::sync::Arc;

use kymo_event::Micros;
use kymo_hub::Intake;

use crate::receipt::Rejected;

/// Records that go together.
pub(super) struct Load {
    pub(super) pack: Pack,
    /// What the summary says of each record that is packed.
    pub(super) notes: Vec<Note>,
    /// Records that are none, or are not taken.
    pub(super) refused: Vec<Refused>,
    /// How far into the file they reach, in bytes.
    pub(super) position: u64,
}

/// The records themselves.
pub(super) enum Pack {
    /// Native JSON, for a server.
    Texts(Texts),
    /// Judged and ready to be stored, for a hub in this process.
    Batch(Box<Intake>),
}

/// Native JSON, one record a line.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// What the summary says of a record.
pub(super) struct Note {
    pub(super) line: u64,
    pub(super) kind: Arc<str>,
    pub(super) time: Option<Micros>,
    /// The time had no zone and was taken as UTC.
    pub(super) inferred: bool,
}

/// A record that is not stored, and why.
pub(super) struct Refused {
    pub(super) line: u64,
    pub(super) code: String,
    pub(super) message: String,
    /// How it begins, as far as that can be shown.
    pub(super) excerpt: String,
}

impl Texts {
    /// Adds what is written.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Each record.
    pub(super) fn records(&self) -> Vec<&str> {
        (0..self.ends.len()).map(|index| self.record(index)).collect()
    }

    fn record(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        std::str::from_utf8(&self.bytes[start..self.ends[index]]).expect("JSON is written as UTF-8")
    }
}

impl Load {
    /// Takes the records that a server refused out of the notes, and among the refused.
    pub(super) fn reject(&mut self, rejected: &[Rejected]) {
        if rejected.is_empty() {
            return;
        }
        let mut taken = vec![true; self.notes.len()];
        for why in rejected {
            let Some(note) = self.notes.get(why.index) else {
                continue;
            };
            taken[why.index] = false;
            let text = match &self.pack {
                Pack::Texts(texts) => texts.record(why.index),
                Pack::Batch(_) => "",
            };
            self.refused.push(Refused {
                line: note.line,
                code: why.code.clone(),
                message: why.message.clone(),
                excerpt: kymo_connect::excerpt(text.as_bytes()),
            });
        }
        self.refused.sort_by_key(|refused| refused.line);
        let mut taken = taken.into_iter();
        self.notes.retain(|_| taken.next().unwrap_or(true));
    }
}
