//! The envelope keys the index knows by hash: one byte per event, and a bloom filter per block.

use std::{
    borrow::Cow,
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

use kymo_event::{LineView, filter::Key};
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

/// The hash of a key of a line.
pub(crate) fn hash_in(view: &LineView<'_>, key: Key) -> Option<u64> {
    let value = match key {
        Key::Dialect => dialect(view),
        _ => view.key(key),
    };
    value.map(|value| hash_of(&value))
}

/// The dialect of a line. It stands behind `data`, which would have to be searched for it; but where it is there, the
/// line's own part ends in its closing quote, or in `enc`, which is short.
pub(crate) fn dialect<'a>(view: &LineView<'a>) -> Option<Cow<'a, str>> {
    const ENC_BYTES_MAX: usize = 1 << 10;
    static ENC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b",\"enc\":"));
    let body = view.body();
    let end = &body[body.len().saturating_sub(ENC_BYTES_MAX)..];
    let may_be = body.ends_with(b"\"") || ENC.find(end).is_some();
    may_be.then(|| view.key(Key::Dialect)).flatten()
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
