//! The envelope keys the index knows by hash: one byte per event, and a bloom filter per block.

use std::{
    borrow::Cow,
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

use kymo_event::{LineView, filter::Key, json};
use memchr::memmem::Finder;
use xxhash_rust::xxh3::xxh3_64;

/// Keys with a column of one-byte hashes, in the order of the columns and of the bloom filters.
pub(crate) const HASHED: [Key; 8] = [
    Key::Agent,
    Key::Session,
    Key::Task,
    Key::Trace,
    Key::User,
    Key::Tier,
    Key::Dialect,
    Key::Id,
];

/// Which of [`HASHED`] a key is.
pub(crate) fn place_of(key: Key) -> Option<usize> {
    HASHED.iter().position(|&hashed| hashed == key)
}

/// The hash of a decoded value.
pub(crate) fn hash_of(value: &str) -> u64 {
    xxh3_64(value.as_bytes())
}

/// What a column holds for a value: never zero, which is an absent key.
pub(crate) fn short(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// A key of a line as it stands there.
pub(crate) fn raw_in<'a>(view: &LineView<'a>, key: Key) -> Option<&'a str> {
    match key {
        Key::Dialect => raw_dialect(view),
        _ => view.raw_key(key),
    }
}

/// What was made of the last value met. Runs of one value are the rule, and to compare two as they stand in their lines
/// is cheaper than to decode one and hash it.
#[derive(Default)]
pub(crate) struct Last<T> {
    raw: Vec<u8>,
    made: Option<T>,
}

impl<T: Copy> Last<T> {
    /// What `make` makes of a value, which depends on the value alone.
    #[inline]
    pub(crate) fn of(&mut self, raw: &[u8], make: impl FnOnce(&[u8]) -> T) -> T {
        if let Some(made) = self.made
            && self.raw == raw
        {
            return made;
        }
        let made = make(raw);
        self.raw.clear();
        self.raw.extend_from_slice(raw);
        self.made = Some(made);
        made
    }
}

/// The dialect of a line. It stands behind `data`, which would have to be searched for it; but where it is there, the
/// line's own part ends in its closing quote, or in `enc`, which is short.
fn raw_dialect<'a>(view: &LineView<'a>) -> Option<&'a str> {
    const ENC_BYTES_MAX: usize = 1 << 10;
    static ENC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b",\"enc\":"));
    let body = view.body();
    let end = &body[body.len().saturating_sub(ENC_BYTES_MAX)..];
    let may_be = body.ends_with(b"\"") || ENC.find(end).is_some();
    may_be.then(|| view.raw_key(Key::Dialect)).flatten()
}

/// What a key says, from how it stands in its line.
pub(crate) fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    json::decode(std::str::from_utf8(raw).ok()?)
}

/// For maps whose keys are hashes already.
pub(crate) type HashIsKey = BuildHasherDefault<Unhashed>;

/// Takes the key as its hash.
#[derive(Default)]
pub(crate) struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
