//! A disk in memory that fails on demand: for the tests of everything that stands on a ledger.
//!
//! It forgets on a power cut what was not synced (all of it, none, or any part: sector by sector, page by page, name by
//! name), runs full at a chosen byte, refuses a chosen operation, takes only part of a write, loses its power at a
//! chosen operation. Names are durable after [`Disk::sync_dir`] of their folder and not before.

mod content;
mod dice;
mod faults;
mod names;

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

pub use self::faults::Operation;
use self::{
    content::Content,
    dice::Dice,
    faults::{Faults, input_output},
    names::{File, NameChange, Names},
};
use crate::disk::{Access, Disk, DiskFile, FileEntry};

/// The disk; clones are the same one.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing.
    Nothing,
    /// All of it: what the end of a process is. It is not durable for that.
    Everything,
    /// Any part, by this seed.
    Any(u64),
}

/// Called around each sync of a file: what somebody sees at that moment must be there afterwards.
pub type Onlooker = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    names: Names,
    locks: HashSet<PathBuf>,
    /// Handles of before the last power cut are dead.
    power: u64,
    faults: Faults,
    operations: u64,
    syncs: u64,
    written: u64,
    onlooker: Option<Onlooker>,
}

impl State {
    fn meet(&mut self, operation: Operation) -> io::Result<()> {
        self.operations += 1;
        self.faults.meet(operation)
    }

    fn change(&mut self, change: NameChange) -> io::Result<()> {
        self.faults.may_change()?;
        self.names.change(change);
        Ok(())
    }
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl FaultyDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
        }
    }

    /// So many bytes can still be written; `None`: no limit.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.state.lock().faults.space = bytes;
    }

    /// The operation of this kind after `good` good ones fails with an input/output error, once; `None`: none does.
    pub fn fail(&self, operation: Operation, good: Option<u64>) {
        self.state.lock().faults.until_error[operation as usize] = good;
    }

    /// The same for a write.
    pub fn fail_write(&self, good: Option<u64>) {
        self.fail(Operation::Write, good);
    }

    /// The same for a sync; what it was to make durable never is.
    pub fn fail_sync(&self, good: Option<u64>) {
        self.fail(Operation::Sync, good);
    }

    /// The same for an operation of any kind.
    pub fn fail_any(&self, good: Option<u64>) {
        self.state.lock().faults.until_any_error = good;
    }

    /// The power goes after so many operations: from then on all fail, until [`FaultyDisk::cut_power`].
    pub fn lose_power_after(&self, operations: Option<u64>) {
        self.state.lock().faults.until_cut = operations;
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state.lock().faults.off
    }

    /// Writes take only a part, by this seed; `None`: all of it.
    pub fn short_writes(&self, seed: Option<u64>) {
        self.state.lock().faults.short_writes = seed.map(Dice);
    }

    /// Opening this file to read it fails with an input/output error from now on.
    pub fn fail_open(&self, path: &Path) {
        self.state.lock().faults.unreadable.insert(path.to_owned());
    }

    /// Whether nothing can be changed any more, as on a disk mounted read-only.
    pub fn set_read_only(&self, read_only: bool) {
        self.state.lock().faults.read_only = read_only;
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        self.state.lock().faults = Faults::default();
    }

    /// Who is called around each sync of a file.
    pub fn set_onlooker(&self, onlooker: Option<Onlooker>) {
        self.state.lock().onlooker = onlooker;
    }

    /// How many syncs of files there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// How many bytes were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.state.lock().written
    }

    /// The power goes (if it is still there) and comes back: open files are dead, locks are free, unsynced bytes and
    /// names are forgotten but for what `leaves` says. Faults that were set are gone.
    pub fn cut_power(&self, leaves: Leaves) {
        let mut dice = Dice(match leaves {
            Leaves::Any(seed) => seed,
            _ => 0,
        });
        let mut state = self.state.lock();
        state.power += 1;
        state.locks.clear();
        state.faults = Faults::default();
        state.names.cut_power(leaves, &mut dice);
    }

    /// The bytes of a file.
    #[must_use]
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let file = self.state.lock().names.get(path).ok()?;
        let bytes = file.lock().bytes.clone();
        Some(bytes)
    }

    /// Puts bytes in place of a file's, durably, as damage does.
    pub fn spoil(&self, path: &Path, bytes: Vec<u8>) {
        if let Ok(file) = self.state.lock().names.get(path) {
            *file.lock() = Content::durable(bytes);
        }
    }

    /// Puts a file there, durably, as somebody else does.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let file = File::new(Mutex::new(Content::durable(bytes)));
        let mut state = self.state.lock();
        state.names.change(NameChange::Put(path.to_owned(), file));
        state.names.sync(path.parent().unwrap_or(path));
    }

    /// Takes a file away, durably, as somebody else does.
    pub fn take_away(&self, path: &Path) {
        let mut state = self.state.lock();
        state.names.change(NameChange::Remove(path.to_owned()));
        state.names.sync(path.parent().unwrap_or(path));
    }

    /// All files there are.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.state.lock().names.files().keys().cloned().collect()
    }

    /// Another disk with the same files, all of them durable, and no faults.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        for (path, file) in self.state.lock().names.files() {
            copy.put(path, file.lock().bytes.clone());
        }
        copy
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.meet(Operation::Name)?;
        state.faults.may_change()?;
        state.names.make_folder(folder);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<FileEntry>> {
        let mut state = self.state.lock();
        state.meet(Operation::Name)?;
        let files = state.names.files().iter();
        let inside = files.filter(|(path, _)| path.parent() == Some(folder));
        let entry = |(path, file): (&PathBuf, &File)| {
            Some(FileEntry {
                name: path.file_name()?.to_str()?.to_owned(),
                bytes: file.lock().bytes.len() as u64,
            })
        };
        Ok(inside.filter_map(entry).collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.meet(Operation::Name)?;
        if access != Access::Read {
            state.faults.may_change()?;
        } else if state.faults.unreadable.contains(path) {
            return Err(input_output());
        }
        let file = match access {
            Access::New if state.names.has(path) => return Err(io::ErrorKind::AlreadyExists.into()),
            Access::New => {
                let file = File::default();
                state.change(NameChange::Put(path.to_owned(), file.clone()))?;
                file
            }
            _ => state.names.get(path)?,
        };
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            power: state.power,
            file,
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.meet(Operation::Name)?;
        state.names.get(path)?;
        state.change(NameChange::Remove(path.to_owned()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.meet(Operation::Name)?;
        let file = state.names.get(from)?;
        state.change(NameChange::Move(from.to_owned(), to.to_owned(), file))
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.meet(Operation::Sync)?;
        state.names.sync(folder);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let mut state = self.state.lock();
        state.meet(Operation::Name)?;
        state.faults.may_change()?;
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Held {
            disk: self.clone(),
            path: path.to_owned(),
            power: state.power,
        })))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().locks.contains(path))
    }

    // Always of the same length, so that a run can be repeated to the byte.
    fn process(&self) -> u32 {
        12_345
    }
}

struct Held {
    disk: FaultyDisk,
    path: PathBuf,
    power: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.power == self.power {
            state.locks.remove(&self.path);
        }
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    power: u64,
    file: File,
}

impl FaultyFile {
    /// Fails when the power was cut since the file was opened.
    fn alive(&self, state: &State) -> io::Result<()> {
        match state.power == self.power {
            true => Ok(()),
            false => Err(input_output()),
        }
    }

    fn looked_at(&self) {
        let onlooker = self.disk.state.lock().onlooker.clone();
        if let Some(look) = onlooker {
            look();
        }
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        self.alive(&state)?;
        state.meet(Operation::Read)?;
        let content = self.file.lock();
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(content.bytes.len());
        let to = from.saturating_add(bytes).min(content.bytes.len());
        into.extend_from_slice(&content.bytes[from..to]);
        Ok(to - from)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        self.alive(&state)?;
        state.operations += 1;
        let taken = state.faults.take(bytes.len())?;
        state.written += taken as u64;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.file.lock().write(offset, &bytes[..taken]);
        Ok(taken)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.looked_at();
        let result = {
            let mut state = self.disk.state.lock();
            self.alive(&state)?;
            state.syncs += 1;
            let result = state.meet(Operation::Sync);
            self.file.lock().sync(result.is_err());
            result
        };
        self.looked_at();
        result
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        self.alive(&state)?;
        state.meet(Operation::Write)?;
        state.faults.may_change()?;
        self.file
            .lock()
            .set_len(usize::try_from(bytes).map_err(io::Error::other)?);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state.lock();
        self.alive(&state)?;
        state.meet(Operation::Read)?;
        Ok(self.file.lock().bytes.len() as u64)
    }
}
