//! Names of files and folders, and which of them are on the disk for good.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{Leaves, content::Content, dice::Dice};

/// A file, whatever it is called.
pub(super) type File = Arc<Mutex<Content>>;

#[derive(Clone, Default)]
struct Entries {
    files: BTreeMap<PathBuf, File>,
    folders: BTreeSet<PathBuf>,
}

/// What is called what, now and after a power cut.
#[derive(Default)]
pub(super) struct Names {
    now: Entries,
    durable: Entries,
    unsynced: Vec<NameChange>,
}

/// One change; a power cut leaves all of it or nothing.
#[derive(Clone)]
pub(super) enum NameChange {
    Folder(PathBuf),
    Put(PathBuf, File),
    Remove(PathBuf),
    Move(PathBuf, PathBuf, File),
}

impl NameChange {
    fn apply(self, entries: &mut Entries) {
        match self {
            Self::Folder(path) => drop(entries.folders.insert(path)),
            Self::Put(path, file) => drop(entries.files.insert(path, file)),
            Self::Remove(path) => drop(entries.files.remove(&path)),
            Self::Move(from, to, file) => {
                entries.files.insert(to, file);
                entries.files.remove(&from);
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let inside = |path: &Path| path.parent() == Some(folder);
        match self {
            Self::Folder(path) | Self::Put(path, _) | Self::Remove(path) => inside(path),
            Self::Move(from, to, _) => inside(from) || inside(to),
        }
    }
}

impl Names {
    pub(super) fn change(&mut self, change: NameChange) {
        change.clone().apply(&mut self.now);
        self.unsynced.push(change);
    }

    /// Makes a folder and those above it.
    pub(super) fn make_folder(&mut self, folder: &Path) {
        let above: Vec<_> = folder
            .ancestors()
            .filter(|above| above.parent().is_some())
            .collect();
        for folder in above.into_iter().rev() {
            if !self.now.folders.contains(folder) {
                self.change(NameChange::Folder(folder.to_owned()));
            }
        }
    }

    pub(super) fn get(&self, path: &Path) -> io::Result<File> {
        let file = self.now.files.get(path).cloned();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.now.files.contains_key(path)
    }

    pub(super) fn files(&self) -> &BTreeMap<PathBuf, File> {
        &self.now.files
    }

    /// Makes the names in `folder` durable.
    pub(super) fn sync(&mut self, folder: &Path) {
        let (synced, unsynced) = std::mem::take(&mut self.unsynced)
            .into_iter()
            .partition(|change| change.is_in(folder));
        self.unsynced = unsynced;
        let synced: Vec<NameChange> = synced;
        synced
            .into_iter()
            .for_each(|change| change.apply(&mut self.durable));
    }

    /// Takes back what was not synced, but for what `leaves` says: of any choice each change alone or, as a journal
    /// does it, all up to one.
    pub(super) fn cut_power(&mut self, leaves: Leaves, dice: &mut Dice) {
        if leaves == Leaves::Everything {
            return;
        }
        let unsynced = std::mem::take(&mut self.unsynced);
        let upto = match leaves {
            Leaves::Any(_) if dice.below(3) == 0 => Some(dice.below(unsynced.len() as u64 + 1)),
            _ => None,
        };
        let mut left = std::mem::take(&mut self.durable);
        for (change, place) in unsynced.into_iter().zip(0..) {
            let stays = match (leaves, upto) {
                (Leaves::Any(_), Some(upto)) => place < upto,
                (Leaves::Any(_), None) => dice.below(2) == 0,
                _ => false,
            };
            if stays {
                change.apply(&mut left);
            }
        }
        let (made, kept) = (std::mem::take(&mut self.now.folders), &left.folders);
        let lost = |path: &Path| made.contains(path) && !kept.contains(path);
        left.files.retain(|path, _| !path.ancestors().skip(1).any(lost));
        left.folders = kept
            .iter()
            .filter(|path| !path.ancestors().any(lost))
            .cloned()
            .collect();
        for file in left.files.values() {
            file.lock().cut_power(leaves, dice);
        }
        self.durable = left.clone();
        self.now = left;
    }
}
