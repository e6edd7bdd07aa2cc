//! A disk in memory that fails on demand: for the tests of everything that stands on a ledger.
//!
//! It forgets on a power cut what was not synced (all of it, none, or any part, page by page), runs full at a chosen
//! byte, refuses a chosen write or sync, takes only part of a write. Directory entries are durable after
//! [`Disk::sync_dir`] and not before; a name change is lost together with all later ones, as journals do it.

mod content;
mod dice;
mod faults;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::disk::{Access, Disk, DiskFile, FileEntry, in_memory};
use content::Content;
use dice::Dice;
use faults::{Faults, count_down, input_output};

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
    /// All of it.
    Everything,
    /// Any part, by this seed.
    Any(u64),
}

type File = Arc<Mutex<Content>>;

#[derive(Default)]
struct State {
    names: BTreeMap<PathBuf, File>,
    durable: BTreeMap<PathBuf, File>,
    unsynced: Vec<NameChange>,
    locks: HashSet<PathBuf>,
    /// Handles of before the last power cut are dead.
    power: u64,
    faults: Faults,
}

#[derive(Clone)]
enum NameChange {
    Put(PathBuf, File),
    Remove(PathBuf),
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

    /// The write after `good` good ones fails with an input/output error, once; `None`: none does.
    pub fn fail_write(&self, good: Option<u64>) {
        self.state.lock().faults.writes_until_error = good;
    }

    /// The sync after `good` good ones fails with an input/output error, once; what it was to make durable never is.
    pub fn fail_sync(&self, good: Option<u64>) {
        self.state.lock().faults.syncs_until_error = good;
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

    /// How many syncs of files there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state.lock().faults.syncs
    }

    /// The power goes and comes back: open files are dead, locks are free, unsynced bytes and names are forgotten but
    /// for what `leaves` says.
    pub fn cut_power(&self, leaves: Leaves) {
        let mut dice = Dice(match leaves {
            Leaves::Any(seed) => seed,
            _ => 0,
        });
        let mut state = self.state.lock();
        state.power += 1;
        state.locks.clear();
        let kept = match leaves {
            Leaves::Nothing => 0,
            Leaves::Everything => state.unsynced.len(),
            Leaves::Any(_) => in_memory(dice.below(state.unsynced.len() as u64 + 1)),
        };
        let mut names = state.durable.clone();
        state
            .unsynced
            .drain(..)
            .take(kept)
            .for_each(|change| change.apply(&mut names));
        for file in names.values() {
            file.lock().cut_power(leaves, &mut dice);
        }
        state.durable = names.clone();
        state.names = names;
    }

    /// The bytes of a file.
    #[must_use]
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.state
            .lock()
            .names
            .get(path)
            .map(|file| file.lock().bytes.clone())
    }

    /// Puts bytes in place of a file's, durably, as damage does.
    pub fn spoil(&self, path: &Path, bytes: Vec<u8>) {
        if let Some(file) = self.state.lock().names.get(path) {
            *file.lock() = Content::durable(bytes);
        }
    }

    /// Puts a file there, durably, as if it had always been.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let file = File::new(Mutex::new(Content::durable(bytes)));
        let mut state = self.state.lock();
        state.names.insert(path.to_owned(), file.clone());
        state.durable.insert(path.to_owned(), file);
    }

    /// All files there are.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.state.lock().names.keys().cloned().collect()
    }
}

impl State {
    fn change(&mut self, change: NameChange) -> io::Result<()> {
        self.faults.may_change()?;
        change.clone().apply(&mut self.names);
        self.unsynced.push(change);
        Ok(())
    }

    fn get(&self, path: &Path) -> io::Result<File> {
        self.names
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<PathBuf, File>) {
        match self {
            Self::Put(path, file) => names.insert(path, file),
            Self::Remove(path) => names.remove(&path),
        };
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, _folder: &Path) -> io::Result<()> {
        self.state.lock().faults.may_change()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<FileEntry>> {
        let state = self.state.lock();
        let inside = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder));
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
        if access != Access::Read {
            state.faults.may_change()?;
        } else if state.faults.unreadable.contains(path) {
            return Err(input_output());
        }
        let file = match access {
            Access::New if state.names.contains_key(path) => return Err(io::ErrorKind::AlreadyExists.into()),
            Access::New => {
                let file = File::default();
                state.change(NameChange::Put(path.to_owned(), file.clone()))?;
                file
            }
            _ => state.get(path)?,
        };
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            power: state.power,
            file,
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.get(path)?;
        state.change(NameChange::Remove(path.to_owned()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let file = state.get(from)?;
        state.change(NameChange::Put(to.to_owned(), file))?;
        state.change(NameChange::Remove(from.to_owned()))
    }

    fn sync_dir(&self, _folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if count_down(&mut state.faults.syncs_until_error) {
            return Err(input_output());
        }
        state.durable = state.names.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let mut state = self.state.lock();
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
}

impl DiskFile for FaultyFile {
    fn read_at(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        self.alive(&self.disk.state.lock())?;
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
        let taken = state.faults.take(bytes.len())?;
        self.file.lock().write(
            usize::try_from(offset).map_err(io::Error::other)?,
            &bytes[..taken],
        );
        Ok(taken)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        self.alive(&state)?;
        state.faults.syncs += 1;
        let fails = count_down(&mut state.faults.syncs_until_error);
        self.file.lock().sync(fails);
        match fails {
            true => Err(input_output()),
            false => Ok(()),
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let state = self.disk.state.lock();
        self.alive(&state)?;
        state.faults.may_change()?;
        self.file
            .lock()
            .set_len(usize::try_from(bytes).map_err(io::Error::other)?);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.alive(&self.disk.state.lock())?;
        Ok(self.file.lock().bytes.len() as u64)
    }
}
