//! One line of the ledger: written once, read by position of its keys.
use std::borrow::Cow;

use crate::{Event, Level, Micros, Seq};

/// Appends `{"seq":…,"recorded":"…"<body>,"crc":"…"}` and a line feed to `out`.
///
/// The checksum is CRC-32C over the line's bytes before `,"crc"`.
pub fn write_line(out: &mut Vec<u8>, seq: Seq, recorded: &[u8; Micros::TEXT_LEN], body: &[u8]) {
    todo!("{out:?}{seq}{recorded:?}{body:?}")
}

/// Whether the line (without its line feed) ends in the checksum of its own bytes.
#[must_use]
pub fn check_crc(line: &[u8]) -> bool {
    todo!("{line:?}")
}

/// What is wrong with a line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Does not have the form that [`write_line`] gives.
    #[error("not a ledger line: {0}")]
    Form(&'static str),
    /// The checksum does not fit the bytes.
    #[error("checksum does not match")]
    Checksum,
}

/// A ledger line read by position: spans of its envelope keys, nothing copied. Cheap to make (one pass over the
/// envelope, `data` is skipped from its end), so readers make one per line and filter.
#[derive(Clone, Debug)]
pub struct LineView<'a> {
    line: &'a [u8],
}

impl<'a> LineView<'a> {
    /// Reads a line without its line feed. Does not check the checksum (see [`check_crc`]).
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        todo!("{line:?}")
    }
    /// The whole line, without its line feed.
    #[must_use]
    pub fn line(&self) -> &'a [u8] {
        self.line
    }
    /// Position.
    #[must_use]
    pub fn seq(&self) -> Seq {
        todo!()
    }
    /// Time of commit.
    #[must_use]
    pub fn recorded(&self) -> Micros {
        todo!()
    }
    /// From the comma after `recorded` up to `,"crc"`: what [`crate::Batch::push`] wrote.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        todo!()
    }
    /// `id`
    #[must_use]
    pub fn id(&self) -> Option<Cow<'a, str>> {
        todo!()
    }
    /// `time`, or `recorded` where the emitter gave none.
    #[must_use]
    pub fn time(&self) -> Micros {
        todo!()
    }
    /// `type`
    #[must_use]
    pub fn kind(&self) -> Cow<'a, str> {
        todo!()
    }
    /// `source`
    #[must_use]
    pub fn source(&self) -> Cow<'a, str> {
        todo!()
    }
    /// `level`
    #[must_use]
    pub fn level(&self) -> Level {
        todo!()
    }
    /// Any optional string key of the envelope (`id`, `agent`, `session`, `task`, `trace`, `span`, `parent`, `user`, `tier`, `dialect`).
    #[must_use]
    pub fn key(&self, key: crate::filter::Key) -> Option<Cow<'a, str>> {
        todo!("{key:?}")
    }
    /// `data`, as JSON text.
    #[must_use]
    pub fn data(&self) -> Option<&'a str> {
        todo!()
    }
    /// `ext`, as JSON text of an object.
    #[must_use]
    pub fn ext(&self) -> Option<&'a str> {
        todo!()
    }
    /// Whether this is the imported past.
    #[must_use]
    pub fn backfill(&self) -> bool {
        todo!()
    }
    /// The event as it was before it had a place.
    #[must_use]
    pub fn to_event(&self) -> Event<'a> {
        todo!()
    }
}
