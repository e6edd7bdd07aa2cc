//! Which opens, writes and syncs fail, and how much room is left.

use std::{collections::HashSet, io, path::PathBuf};

use super::dice::Dice;
use crate::disk::in_memory;

#[derive(Default)]
pub(super) struct Faults {
    pub(super) space: Option<u64>,
    pub(super) writes_until_error: Option<u64>,
    pub(super) syncs_until_error: Option<u64>,
    pub(super) short_writes: Option<Dice>,
    pub(super) read_only: bool,
    pub(super) unreadable: HashSet<PathBuf>,
    pub(super) syncs: u64,
}

impl Faults {
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
        if count_down(&mut self.writes_until_error) {
            return Err(input_output());
        }
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
pub(super) fn count_down(counter: &mut Option<u64>) -> bool {
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
