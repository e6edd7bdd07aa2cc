//! The append-only log: segments of JSON lines, an index beside each, one writer, any number of readers.
//!
//! A [`Ledger`] is the only writer of its folder. A reader sees an event once its group is durable, never earlier:
//! that promise is what lets a subscription resume after a crash. It knows lines and columns; it does not know who
//! reads (that is `kymo-hub`) nor what events mean.

mod aging;
mod buffers;
mod build;
mod chain;
mod chains;
mod clock;
mod compress;
mod core;
pub mod disk;
mod errors;
mod find_ids;
mod folder;
mod gaps;
mod group;
mod index;
mod indexer;
mod ledger;
mod lines;
mod lock;
mod lookups;
mod notices;
mod open;
mod queue;
mod read_only;
mod reader;
mod recover;
mod retention;
mod scan;
mod seat;
mod segment;
mod segments;
mod settings;
mod snapshots;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
mod verify;
mod walk;
mod writer;

pub use chain::{ChainHead, ChainHeadError};
pub use clock::{Clock, SystemClock};
pub use errors::{AppendError, OpenError, ReadError};
pub use gaps::{Gap, GapReason};
pub use ledger::{Ground, Ledger};
pub use lines::{Appended, Lines, MatchedLines};
pub use lock::{LockState, lock_state};
pub use notices::{Damage, Notice, OnCommit, OnNotice};
pub use queue::Done;
pub use read_only::ReadOnly;
pub use reader::{Chunk, Reader};
pub use settings::{Durability, GATHER, LedgerSettings};
pub use snapshots::{Snapshot, Snapshots};
pub use verify::VerifyReport;
