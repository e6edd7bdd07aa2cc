//! One writer per folder: the lock, and who holds it.
//!
//! The lock is the operating system's (it goes with its process, however that ends); the holder's pid stands in a
//! file beside it, because a locked file cannot be read everywhere.

use std::{io, path::Path, time::Duration};

use crate::{
    OpenError,
    disk::{self, Access, Disk, RealDisk},
    folder::Folder,
};

/// Whether a process holds a folder's lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockState {
    /// Nobody writes there.
    Free,
    /// A process does.
    Held {
        /// Which one, where it could be read.
        pid: Option<u32>,
    },
}

/// Asks whether a process holds the lock of the data folder `data`, without taking it for good and without creating
/// anything. A folder that does not exist is free.
pub fn lock_state(data: &Path) -> io::Result<LockState> {
    state_of(&RealDisk, &Folder::new(data))
}

pub(crate) fn state_of(disk: &dyn Disk, folder: &Folder) -> io::Result<LockState> {
    Ok(match disk.is_locked(&folder.lock())? {
        false => LockState::Free,
        true => LockState::Held {
            pid: holder(disk, folder),
        },
    })
}

/// Held for the life of a writer.
pub(crate) struct Lock {
    _held: Box<dyn Send + Sync>,
}

// Asking for the state holds the lock for a moment, so one refusal is not yet an answer.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

pub(crate) fn take(disk: &dyn Disk, folder: &Folder) -> Result<Lock, OpenError> {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(BETWEEN_TRIES);
        }
        if let Some(held) = disk.lock(&folder.lock()).map_err(OpenError::io(folder.lock()))? {
            write_pid(disk, folder).map_err(OpenError::io(folder.pid()))?;
            return Ok(Lock { _held: held });
        }
    }
    Err(OpenError::Locked {
        folder: folder.data().to_owned(),
        pid: holder(disk, folder),
    })
}

// Not synced: after a crash of the machine nobody holds the lock. Written in place: a folder that does not change
// needs no time to be synced.
fn write_pid(disk: &dyn Disk, folder: &Folder) -> io::Result<()> {
    let path = folder.pid();
    let file = match disk.open(&path, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.open(&path, Access::New)?,
        file => file?,
    };
    file.set_len(0)?;
    disk::write_full(&*file, disk.process().to_string().as_bytes(), 0)
}

fn holder(disk: &dyn Disk, folder: &Folder) -> Option<u32> {
    let text = disk::read_all(disk, &folder.pid()).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}
