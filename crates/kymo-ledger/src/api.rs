//! SKELETON of the public surface; the real crate splits this over its rooms.
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use kymo_event::{Batch, Filter, LedgerId, Micros, Seq};

/// How a ledger writes, divides and forgets.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerSettings {
    /// A segment is sealed on the first block end at or above this size.
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

/// What an ack means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// On disk (fdatasync) before ack and before any reader.
    Fsync,
    /// With the operating system before ack; synced within a second. Survives a crash of the program, not of the machine.
    Relaxed,
}

/// Committed events: the very bytes of their lines, each ending in a line feed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Seq of the first line.
    pub first: Seq,
    /// The lines.
    pub bytes: Bytes,
    /// End offset of each line, behind its line feed.
    pub ends: Arc<[u32]>,
}
impl Lines {
    /// Number of lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
    /// Seq of the last line.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.first.plus(self.ends.len() as u64 - 1)
    }
    /// Line `index` without its line feed.
    #[must_use]
    pub fn line(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        &self.bytes[start..self.ends[index] as usize - 1]
    }
}

/// The answer to an append: seqs `first ..= last` are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Seq of the first event of the batch.
    pub first: Seq,
    /// Seq of the last one.
    pub last: Seq,
    /// Level reached.
    pub durability: Durability,
}

/// Why a batch was not appended. Nothing of it is in the ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: try again later.
    #[error("the writer's queue is full")]
    Busy,
    /// The disk is full.
    #[error("no space left on the ledger's disk")]
    DiskFull,
    /// The disk failed.
    #[error("the ledger could not be written")]
    Write(#[source] Arc<io::Error>),
    /// The ledger is closing.
    #[error("the ledger is closed")]
    Closed,
}

/// Why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes here.
    #[error("another process{} is using {}", pid.map(|p| format!(" (pid {p})")).unwrap_or_default(), folder.display())]
    Locked { folder: PathBuf, pid: Option<u32> },
    /// Made by a newer version.
    #[error("{} has format {found}, this program knows {known}", folder.display())]
    Format { folder: PathBuf, found: u32, known: u32 },
    /// The disk said no.
    #[error("{} could not be opened", path.display())]
    Io {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// Called on the writer's thread after each durable group, before the acks of that group; must be quick.
pub type OnCommit = Box<dyn Fn(&Lines) + Send>;
/// Something the ledger did or found that its owner should record as an event (`kymo.segment.sealed`, …).
pub type OnNotice = Box<dyn Fn(Notice) + Send + Sync>;
/// What happened inside.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A segment is complete.
    Sealed { first: Seq, last: Seq, bytes: u64 },
    /// A segment was compressed.
    Compressed {
        first: Seq,
        bytes_before: u64,
        bytes_after: u64,
    },
    /// Segments were removed by retention; the first seq is now `first`.
    Retired { first: Seq, events: u64, bytes: u64 },
    /// The unfinished tail was cut into quarantine on open.
    TailCut {
        segment: Seq,
        bytes: u64,
        quarantine: PathBuf,
    },
    /// Damage was found.
    Damaged(Damage),
    /// The machine's clock stepped back by this much.
    ClockStepped { micros: i64 },
    /// Writing failed / works again.
    WriteFailed { message: String },
    /// Accepting resumed.
    WriteResumed,
}
/// A named hole.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// File name within the ledger folder.
    pub file: String,
    /// First byte.
    pub byte: u64,
    /// Number of bytes.
    pub bytes: u64,
    /// First lost seq.
    pub first: Seq,
    /// Last lost seq.
    pub last: Seq,
    /// In words.
    pub reason: String,
}

/// The log of one folder. Clones share it; the writer stops when [`Ledger::close`] is called.
#[derive(Clone)]
pub struct Ledger {
    _private: Arc<()>,
}

impl Ledger {
    /// Opens (or creates) `<data>/ledger`, recovers the tail, and starts the writer thread.
    pub fn open(data: &Path, settings: LedgerSettings, on_notice: OnNotice) -> Result<Self, OpenError> {
        todo!("{data:?}{settings:?}{}", on_notice(Notice::WriteResumed) == ())
    }
    /// Sets who is told of each durable group. Once, before the first append.
    pub fn on_commit(&self, _observer: OnCommit) {
        todo!()
    }
    /// Which ledger this is.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        todo!()
    }
    /// Seq of the newest durable event; `None` while empty.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        todo!()
    }
    /// Seq of the oldest event still here; `head + 1` while there is none.
    #[must_use]
    pub fn first(&self) -> Seq {
        todo!()
    }
    /// Bytes on disk (segments and sidecars).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// Hands a batch to the writer; never blocks. `done` is called once, on the writer's thread, when it is durable
    /// or has failed (also inside this call, for `Busy` and `Closed`).
    pub fn append(&self, batch: Batch, done: Box<dyn FnOnce(Result<Appended, AppendError>) + Send>) {
        let _ = (batch, done);
        todo!()
    }
    /// A reader from `from` (blocking calls: use a blocking thread). Lines that `filter` cannot match are skipped by
    /// the index; lines returned match it exactly.
    #[must_use]
    pub fn read(&self, from: Seq, filter: &Filter) -> Reader {
        todo!("{from}{filter:?}")
    }
    /// The same, backwards from `from` downwards, newest first.
    #[must_use]
    pub fn read_back(&self, from: Seq, filter: &Filter) -> Reader {
        todo!("{from}{filter:?}")
    }
    /// The first seq recorded at or after `time`; `head + 1` if none.
    pub fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        todo!("{time}")
    }
    /// Newest `count` idempotency keys with their seqs, from the sidecars (plus the unindexed tail), oldest first.
    #[must_use]
    pub fn recent_ids(&self, count: usize) -> Vec<(kymo_event::IdKey, Seq)> {
        todo!("{count}")
    }
    /// Seqs below `before` whose sidecar says the key may be there (confirm by reading the line). Blocking.
    #[must_use]
    pub fn find_id(&self, key: kymo_event::IdKey, before: Seq) -> Vec<Seq> {
        todo!("{key:?}{before}")
    }
    /// Head seq and chain hash up to the last complete block, and the hash including the partial block.
    pub fn chain_head(&self) -> Result<ChainHead, ReadError> {
        todo!()
    }
    /// Runs retention and compression now (the owner calls this every minute).
    pub fn maintain(&self) -> io::Result<()> {
        todo!()
    }
    /// Writes what is queued, syncs, writes the sidecar, releases the lock. Blocking.
    pub fn close(&self) {
        todo!()
    }
}

/// What is known of the whole ledger at one seq. Text form: `<seq>:<64 hex digits>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Up to and including this event.
    pub seq: Seq,
    /// The hash.
    pub chain: [u8; 32],
}

/// Reads a folder that may or may not be in use, without lock and without changing it.
pub struct ReadOnly {
    _private: (),
}
impl ReadOnly {
    /// Looks at `<data>/ledger`.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        todo!("{data:?}")
    }
    /// Which ledger this is.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        todo!()
    }
    /// First seq still here.
    #[must_use]
    pub fn first(&self) -> Seq {
        todo!()
    }
    /// Last whole line.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        todo!()
    }
    /// As [`Ledger::read`].
    #[must_use]
    pub fn read(&self, from: Seq, filter: &Filter) -> Reader {
        todo!("{from}{filter:?}")
    }
    /// As [`Ledger::read_back`].
    #[must_use]
    pub fn read_back(&self, from: Seq, filter: &Filter) -> Reader {
        todo!("{from}{filter:?}")
    }
    /// As [`Ledger::seq_at`].
    pub fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        todo!("{time}")
    }
    /// As [`Ledger::chain_head`].
    pub fn chain_head(&self) -> Result<ChainHead, ReadError> {
        todo!()
    }
    /// Checks every line, sidecar and the chain; `against` proves that everything up to a head kept elsewhere is unchanged.
    /// `progress` is told (bytes done, bytes in all).
    pub fn verify(
        &self,
        against: Option<&ChainHead>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport, ReadError> {
        let _ = (against, progress);
        todo!()
    }
}

/// What `verify` found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Events read and good.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// First seq.
    pub first: Option<Seq>,
    /// Head seq.
    pub head: Option<Seq>,
    /// Chain at the head, hex.
    pub chain: String,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
    /// `Some(false)`: the ledger differs from the head kept elsewhere.
    pub matches: Option<bool>,
}

/// Why a read could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk said no.
    #[error("{} could not be read", path.display())]
    Io {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// One step of a [`Reader`].
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Events that match, in the reader's order. `scanned_to`: every match up to there (forward) or down to there
    /// (backward) has been returned. With a filter the lines need not be contiguous, so each carries its seq inside.
    Events { lines: MatchedLines, scanned_to: Seq },
    /// Events that are gone.
    Gap(Gap),
    /// Nothing more up to the durable head at this moment; read again later from `next`.
    End { next: Seq },
}
/// Lines that need not be contiguous.
#[derive(Clone, Debug, Default)]
pub struct MatchedLines {
    /// The lines, each ending in a line feed.
    pub bytes: Bytes,
    /// End offset of each line, behind its line feed.
    pub ends: Vec<u32>,
}
/// Why events are missing, in the words of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// removed by age or size
    Retention,
    /// unreadable
    Damaged,
    /// removed on purpose
    Erased,
    /// the cursor is of another ledger
    OtherLedger,
    /// the cursor is beyond the head
    AheadOfLedger,
}
/// A declared hole.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// What was asked.
    pub asked: Seq,
    /// The first that is there.
    pub first: Seq,
    /// How many are lost.
    pub lost: u64,
    /// Why.
    pub reason: GapReason,
}

/// A cursor over the ledger. Never passes the durable head.
pub struct Reader {
    _private: (),
}
impl Reader {
    /// The next chunk, about `bytes_max` of lines at most (at least one line). Looks at no more than a few blocks per
    /// call, so that a filtered read can be cancelled and its cursor moves.
    pub fn next_chunk(&mut self, bytes_max: usize) -> Result<Chunk, ReadError> {
        todo!("{bytes_max}")
    }
    /// Where the next chunk begins.
    #[must_use]
    pub fn position(&self) -> Seq {
        todo!()
    }
}

/// The smallest wait for stragglers when a group had several events.
pub const GATHER: Duration = Duration::from_micros(50);
