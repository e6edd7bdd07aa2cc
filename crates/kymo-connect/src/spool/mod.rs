//! Spools: what emitters wrote down while no server answered, and how it arrives later, once.
//!
//! The protocol is plain enough for a shell script. A spool is `<data>/spool/<name>.jsonl`, one native event per line.
//!
//! - **To write**: open for appending (create where absent), take an exclusive advisory lock where the language has
//!   one, look that the path still is the file that was opened (else open again), write whole lines at once, close.
//!   A writer that cannot lock has [`taking::MOMENT`] between opening and closing.
//! - **To take**: rename to `<name>.<unique>.taking`, lock, emit the lines in order, wait until the moment since the
//!   renaming is over, emit what a late writer still added, remove.
//!
//! A line without an id gets one made of the claim's name and its line number, so that a crash between emitting and
//! removing repeats nothing. What cannot be read or is refused is kept in `<data>/quarantine/` and reported.

mod claims;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod taking;
mod writer;

pub use taking::take_up_spools;
pub use writer::SpoolWriter;
