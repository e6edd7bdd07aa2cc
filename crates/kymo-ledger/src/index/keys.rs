//! The envelope keys the index knows by hash: one byte per event, and a bloom filter per block.

use kymo_event::{LineView, filter::Key};
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
    view.key(key).map(|value| hash_of(&value))
}
