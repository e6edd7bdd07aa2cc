//! How a ledger writes, divides and forgets.
//!
//! The defaults need no file; the program's settings layer fills in what a person chose.

use std::time::Duration;

/// How a ledger writes, divides and forgets.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerSettings {
    /// A segment is sealed on the first block end at or above this size (4 GiB at most).
    pub segment_bytes_max: u64,
    /// Bytes of bodies that may wait for the writer before `busy`.
    pub queue_bytes_max: usize,
    /// `fsync` (default) or `relaxed`.
    pub durability: Durability,
    /// Sealed segments older than this are compressed; absent = never.
    #[serde(default)]
    pub compress_after_s: Option<u64>,
    /// Sealed segments whose newest event is older than this are removed; absent = never.
    pub retain_s: Option<u64>,
    /// Oldest sealed segments are removed while the ledger is larger than this; absent = never.
    pub retain_bytes: Option<u64>,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            segment_bytes_max: 128 << 20,
            queue_bytes_max: 64 << 20,
            durability: Durability::Fsync,
            compress_after_s: None,
            retain_s: None,
            retain_bytes: None,
        }
    }
}

// The index numbers the blocks of a segment with 16 bits.
const SEGMENT_BYTES_MAX: u64 = 4 << 30;

impl LedgerSettings {
    pub(crate) fn within_bounds(mut self) -> Self {
        self.segment_bytes_max = self.segment_bytes_max.min(SEGMENT_BYTES_MAX);
        self
    }
}

/// What an ack means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// On disk (fdatasync) before ack and before any reader.
    Fsync,
    /// With the operating system before ack; synced within a second. Survives a crash of the program, not of the
    /// machine.
    Relaxed,
}

impl Durability {
    /// The word of the wire and of settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fsync => "fsync",
            Self::Relaxed => "relaxed",
        }
    }
}

/// The smallest wait for stragglers when a group had several events.
pub const GATHER: Duration = Duration::from_micros(50);

/// How long relaxed durability may leave events unsynced.
pub(crate) const RELAXED_SYNC: Duration = Duration::from_secs(1);

/// Events per block: the unit of the index and of the hash chain.
pub(crate) const BLOCK_EVENTS: u64 = 1024;
