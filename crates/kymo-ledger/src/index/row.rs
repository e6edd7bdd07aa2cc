//! What the index takes of a line, whether its writer noted where that stands or the line is read for it.

use kymo_event::{BodyKeys, IdKey, Level, LineView, Micros, Seq, filter::Key, parts_of};

use super::{
    ids,
    keys::{HASHED, raw_in},
};

/// A line by the keys the index knows, each as it stands there: escapes are still escapes.
pub(crate) struct Row<'a> {
    recorded: &'a [u8],
    pub(crate) kind: &'a [u8],
    pub(crate) source: &'a [u8],
    pub(crate) level: Level,
    pub(crate) backfill: bool,
    /// In the order of [`HASHED`].
    pub(crate) hashed: [Option<&'a [u8]>; HASHED.len()],
}

impl<'a> Row<'a> {
    /// Reads a line without its line feed; `None` where it is none.
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        let view = LineView::parse(line).ok()?;
        let raw = |key| view.raw_key(key).unwrap_or_default().as_bytes();
        Some(Self {
            recorded: view.recorded_text().as_bytes(),
            kind: raw(Key::Type),
            source: raw(Key::Source),
            level: view.level(),
            backfill: view.backfill(),
            hashed: HASHED.map(|key| raw_in(&view, key).map(str::as_bytes)),
        })
    }

    /// Takes what the writer of line `seq` noted.
    pub(crate) fn noted(line: &'a [u8], seq: Seq, keys: &BodyKeys) -> Self {
        let (recorded, body) = parts_of(line, seq);
        Self {
            recorded,
            kind: keys.raw(Key::Type, body).unwrap_or_default(),
            source: keys.raw(Key::Source, body).unwrap_or_default(),
            level: keys.level,
            backfill: keys.backfill,
            hashed: HASHED.map(|key| keys.raw(key, body)),
        }
    }

    /// Time of commit, as it stands there.
    pub(crate) fn recorded_text(&self) -> &'a [u8] {
        self.recorded
    }

    /// Time of commit.
    pub(crate) fn recorded(&self) -> Micros {
        Micros::parse_canonical(self.recorded).unwrap_or(Micros::MIN)
    }

    /// The idempotency key.
    pub(crate) fn id_key(&self) -> Option<IdKey> {
        ids::key_from(self.hashed[ID]?, self.source, self.hashed[DIALECT])
    }
}

const DIALECT: usize = 6;
const ID: usize = 7;
const _: () = assert!(matches!(HASHED[DIALECT], Key::Dialect) && matches!(HASHED[ID], Key::Id));
