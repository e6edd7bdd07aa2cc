//! Makes events of what is found in a file: by its first record it is known whose content it is, and so what the ids of
//! all others are.

use std::path::Path;

use kymo_event::{Event, salvage::Found};

use super::{
    TailSettings,
    following::Mark,
    generation::{Begun, Generation, fingerprint},
};
use crate::{FileRecords, excerpt};

/// What was read of a file at once.
pub(super) struct Piece {
    pub(super) events: Vec<Event<'static>>,
    /// Where each event stands: line and byte.
    pub(super) places: Vec<(u64, u64)>,
    pub(super) refused: Vec<RefusedRecord>,
    pub(super) bytes: u64,
    /// How far it was read with it.
    pub(super) mark: Mark,
    /// Its content is known by a generation that was not written down yet.
    pub(super) is_new: bool,
    /// Bytes that are gone for good.
    pub(super) lost: Option<(u64, u64)>,
}

/// What is no event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedRecord {
    pub(super) line: u64,
    pub(super) byte: u64,
    pub(super) code: String,
    pub(super) message: String,
    /// How it begins.
    pub(super) text: String,
}

/// What is the same for all files of a source.
pub(super) struct Source<'a> {
    /// As the settings name it.
    pub(super) name: &'a str,
    pub(super) settings: &'a TailSettings,
}

impl Source<'_> {
    fn records(&self, generation: &Generation) -> FileRecords {
        let Generation { name, first, number } = generation;
        let known_as = format!("{}\0{name}\0{first:016x}\0{number}", self.name);
        let source = self.settings.source.clone().unwrap_or_else(|| name.clone());
        let dialect = self.settings.dialect.map(|name| name.dialect());
        FileRecords::new("tail", known_as.as_bytes(), dialect, Some(source))
    }
}

/// Makes events of what is found.
pub(super) struct Taking<'a> {
    pub(super) before: Option<&'a Generation>,
    pub(super) generation: Option<Generation>,
    pub(super) path: &'a Path,
    pub(super) past: u64,
    pub(super) source: &'a Source<'a>,
    pub(super) begun: &'a mut Begun,
    pub(super) records: Option<FileRecords>,
    pub(super) missed: &'a mut Option<(u64, u64)>,
    pub(super) piece: Piece,
}

impl Taking<'_> {
    /// What was found next.
    pub(super) fn found(&mut self, found: Found<'_>) {
        if self.generation.is_none() {
            self.generation = Some(self.known_or_new(&found));
        }
        let generation = self.generation.as_ref().expect("it was given above");
        let records = self
            .records
            .get_or_insert_with(|| self.source.records(generation));
        match found.record.and_then(|record| records.read(record, found.at)) {
            Ok(mut event) => {
                event.backfill |= found.at < self.past;
                self.piece.events.push(event.into_owned());
                self.piece.places.push((found.line, found.at));
            }
            Err(refusal) => self.piece.refused.push(RefusedRecord {
                line: found.line,
                byte: found.at,
                code: refusal.code.to_owned(),
                message: refusal.message,
                text: excerpt(found.bytes),
            }),
        }
    }

    /// Whose content this is, by its first record.
    fn known_or_new(&mut self, found: &Found<'_>) -> Generation {
        let first = fingerprint(found.at, found.bytes);
        match self.before {
            Some(before) if before.first == first => {
                *self.missed = None;
                before.clone()
            }
            _ => {
                self.piece.lost = self.missed.take();
                self.piece.is_new = true;
                self.begun.begin(self.path, first)
            }
        }
    }
}
