//! Reads the records of one file: in whatever dialect, with an id that is the same the next time.

use kymo_event::{
    Event, Limits, RawJson, Refusal,
    dialects::{self, Dialect},
};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// So much of a refused record is shown.
const EXCERPT_CHARS: usize = 100;
/// What a dialect puts as the source of a record that names none.
const NO_SOURCE: &str = "unknown";

/// How records of one file are read.
pub struct FileRecords {
    /// Who made the ids, before the hash.
    maker: &'static str,
    /// Made of what the file is known by.
    seed: u64,
    dialect: Option<&'static dyn Dialect>,
    source: Option<String>,
    limits: Limits,
}

impl FileRecords {
    /// Of the file that is known by `known_as`: the same name, place and text make the same id. Records are read in
    /// `dialect`, or each in the one it is recognised as; those that name no source come from `source`.
    #[must_use]
    pub fn new(
        maker: &'static str,
        known_as: &[u8],
        dialect: Option<&'static dyn Dialect>,
        source: Option<String>,
    ) -> Self {
        let hash = blake3::hash(known_as);
        let seed = u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"));
        // The hub judges sizes by its own settings; here only what no JSON reader should walk into is refused.
        let limits = Limits {
            event_bytes_max: usize::MAX,
            ..Limits::default()
        };
        Self {
            maker,
            seed,
            dialect,
            source,
            limits,
        }
    }

    /// Reads a record that begins at `byte` of the file. One that says nowhere what it is is kept as `unrecognised`.
    pub fn read<'a>(&self, record: RawJson<'a>, byte: u64) -> Result<Event<'a>, Refusal> {
        let mut event = match self.dialect {
            Some(dialect) => dialect.read(record, &self.limits)?,
            None => dialects::read_or_keep(record, &self.limits)?,
        };
        if event.id.is_none() {
            event.id = Some(self.id(record.as_str(), byte).into());
        }
        if event.source == NO_SOURCE
            && let Some(source) = &self.source
        {
            event.source = source.clone().into();
        }
        Ok(event)
    }

    /// From the file, the place and the record itself: a record that moved or changed is another one. 128 bits of a fast
    /// hash are enough: who could make two records at one place of a file alike could as well leave one out.
    fn id(&self, text: &str, byte: u64) -> String {
        let seed = xxh3_64_with_seed(&byte.to_le_bytes(), self.seed);
        format!(
            "{}-{:032x}",
            self.maker,
            xxh3_128_with_seed(text.as_bytes(), seed)
        )
    }
}

/// The beginning of a record on one line, without what a terminal would obey.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(4 * EXCERPT_CHARS)];
    let shown: String = String::from_utf8_lossy(start)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(EXCERPT_CHARS)
        .collect();
    let is_all = shown.chars().count() < EXCERPT_CHARS && start.len() == bytes.len();
    shown.trim_end().to_owned() + if is_all { "" } else { "…" }
}
