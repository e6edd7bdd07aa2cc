//! What a ledger tells its owner: groups as they become durable, and what it did or found by itself.
//!
//! Damage is told once per place, however many readers come by.

use std::{collections::HashSet, path::PathBuf};

use kymo_event::Seq;
use parking_lot::Mutex;

use crate::Lines;

/// Called on the thread that writes after each durable group, before the acks of that group; must be quick.
pub type OnCommit = Box<dyn Fn(&Lines) + Send>;

/// Something the ledger did or found that its owner should record as an event (`kymo.segment.sealed`, …). Called on
/// whichever thread noticed; must be quick.
pub type OnNotice = Box<dyn Fn(Notice) + Send + Sync>;

/// What happened inside.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A segment is complete.
    Sealed {
        /// Its first seq.
        first: Seq,
        /// Its last seq.
        last: Seq,
        /// Its size.
        bytes: u64,
    },
    /// A segment was compressed.
    Compressed {
        /// Its first seq.
        first: Seq,
        /// Size before.
        bytes_before: u64,
        /// Size after.
        bytes_after: u64,
    },
    /// Segments were removed by retention; the first seq is now `first`.
    Retired {
        /// The oldest event still here.
        first: Seq,
        /// How many went.
        events: u64,
        /// Bytes freed.
        bytes: u64,
    },
    /// The unfinished tail was cut into quarantine on open.
    TailCut {
        /// First seq of the segment.
        segment: Seq,
        /// Bytes cut.
        bytes: u64,
        /// Where they are kept.
        quarantine: PathBuf,
    },
    /// Damage was found.
    Damaged(Damage),
    /// The machine's clock stepped back by this much.
    ClockStepped {
        /// How far, as a positive number.
        micros: i64,
    },
    /// Writing failed; nothing of the group was acknowledged.
    WriteFailed {
        /// What the system said.
        message: String,
    },
    /// Accepting resumed.
    WriteResumed,
    /// A stored cursor was ahead of the recovered head, so the ledger goes on under a new id.
    Renamed {
        /// The id until now.
        former: String,
        /// The id from now on.
        id: String,
    },
}

/// A named hole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
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

/// Passes notices on, each damage once.
pub(crate) struct Notices {
    tell: OnNotice,
    known: Mutex<HashSet<(String, u64, Seq)>>,
}

impl Notices {
    pub(crate) fn new(tell: OnNotice) -> Self {
        Self {
            tell,
            known: Mutex::default(),
        }
    }

    pub(crate) fn silent() -> Self {
        Self::new(Box::new(|_| {}))
    }

    pub(crate) fn tell(&self, notice: Notice) {
        (self.tell)(notice);
    }

    pub(crate) fn damaged(&self, damage: Damage) {
        let place = (damage.file.clone(), damage.byte, damage.first);
        if self.known.lock().insert(place) {
            tracing::warn!(file = damage.file, byte = damage.byte, first = %damage.first, last = %damage.last, "damage in the ledger");
            self.tell(Notice::Damaged(damage));
        }
    }
}
