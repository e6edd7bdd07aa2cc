//! Which operations fail, when the power goes, and how much room is left.

use std::{collections::HashSet, io, path::PathBuf};

use super::dice::Dice;
use crate::disk::in_memory;

/// What is asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes or the size of a file.
    Read,
    /// A write or a cut.
    Write,
    /// Of a file or of a folder.
    Sync,
    /// Names of files are looked up or changed.
    Name,
}

#[derive(Default)]
pub(super) struct Faults {
    pub(super) space: Option<u64>,
    pub(super) until_error: [Option<u64>; 4],
    pub(super) until_any_error: Option<u64>,
    pub(super) until_cut: Option<u64>,
    /// The power is off until it is cut and comes back.
    pub(super) off: bool,
    pub(super) short_writes: Option<Dice>,
    pub(super) read_only: bool,
    pub(super) unreadable: HashSet<PathBuf>,
}

impl Faults {
    /// Fails if this is an operation that does.
    pub(super) fn meet(&mut self, operation: Operation) -> io::Result<()> {
        self.off |= count_down(&mut self.until_cut);
        let any = count_down(&mut self.until_any_error);
        let this = count_down(&mut self.until_error[operation as usize]);
        match self.off || any || this {
            true => Err(input_output()),
            false => Ok(()),
        }
    }

    /// Whether anything may be changed.
    pub(super) fn may_change(&self) -> io::Result<()> {
        match self.read_only {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }

    /// How many of `bytes` a write takes.
    pub(super) fn take(&mut self, bytes: usize) -> io::Result<usize> {
        self.may_change()?;
        self.meet(Operation::Write)?;
        let mut taken = bytes;
        if let Some(dice) = &mut self.short_writes {
            taken = 1 + in_memory(dice.below(bytes as u64));
        }
        if let Some(space) = &mut self.space {
            if *space == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            taken = taken.min(usize::try_from(*space).unwrap_or(usize::MAX));
            *space -= taken as u64;
        }
        Ok(taken)
    }
}

/// Whether this is the one that fails: the counter has come to its end.
fn count_down(counter: &mut Option<u64>) -> bool {
    match counter {
        Some(0) => {
            *counter = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

/// What a failing device answers.
pub(super) fn input_output() -> io::Error {
    io::Error::other("input/output error")
}
