//! The folder as last seen: every file that is not left out, with what tells versions apart.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::{Path, PathBuf},
};

use crate::stamp::{Identity, Stamp};

/// A path as last seen.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    /// Of the content, where it was read.
    pub(super) hash: Option<u64>,
    /// Number of lines, where they were counted.
    pub(super) lines: Option<u64>,
    pub(super) binary: bool,
    pub(super) language: Option<&'static str>,
    /// Its lines in [`Memory`].
    pub(super) slot: Option<Slot>,
}

impl Entry {
    pub(super) fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            hash: None,
            lines: None,
            binary: false,
            language: None,
            slot: None,
        }
    }
}

/// All paths, relative to the folder, in an order that keeps a directory and what is in it together.
#[derive(Default)]
pub(super) struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
    files: usize,
    /// So that a directory is recognised in its new place.
    directories: HashMap<Identity, PathBuf>,
}

impl Tree {
    pub(super) fn get(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.entries.contains_key(path)
    }

    /// Puts an entry in place of what was there.
    pub(super) fn set(&mut self, path: PathBuf, entry: Entry) {
        self.remove(&path);
        match entry.stamp.identity {
            Some(identity) if entry.stamp.is_directory() => {
                _ = self.directories.insert(identity, path.clone())
            }
            _ => {}
        }
        self.files += usize::from(!entry.stamp.is_directory());
        self.entries.insert(path, entry);
    }

    pub(super) fn remove(&mut self, path: &Path) -> Option<Entry> {
        let entry = self.entries.remove(path)?;
        self.files -= usize::from(!entry.stamp.is_directory());
        if let Some(identity) = entry.stamp.identity
            && self.directories.get(&identity).is_some_and(|known| known == path)
        {
            self.directories.remove(&identity);
        }
        Some(entry)
    }

    /// Where a directory was last seen.
    pub(super) fn directory_of(&self, stamp: &Stamp) -> Option<&Path> {
        self.directories.get(&stamp.identity?).map(PathBuf::as_path)
    }

    /// What is directly in a directory.
    pub(super) fn children<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Entry)> {
        self.below(directory)
            .filter(move |(path, _)| path.parent() == Some(directory))
    }

    /// What is below a directory, without itself.
    pub(super) fn below<'a>(&'a self, directory: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Entry)> {
        let from = self.entries.range(directory.to_owned()..);
        let below = from.take_while(move |(path, _)| path.starts_with(directory));
        below
            .filter(move |(path, _)| *path != directory)
            .map(|(path, entry)| (path.as_path(), entry))
    }

    /// Takes a directory's content out, itself included.
    pub(super) fn take_subtree(&mut self, directory: &Path) -> Vec<(PathBuf, Entry)> {
        let mut paths: Vec<PathBuf> = self.below(directory).map(|(path, _)| path.to_owned()).collect();
        if self.contains(directory) {
            paths.insert(0, directory.to_owned());
        }
        paths
            .into_iter()
            .filter_map(|path| Some((path.clone(), self.remove(&path)?)))
            .collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_path(), entry))
    }

    pub(super) fn files(&self) -> usize {
        self.files
    }

    pub(super) fn directories(&self) -> usize {
        self.entries.len() - self.files
    }
}

/// Names one remembered list of lines.
pub(super) type Slot = u64;

/// The lines of files, within a budget: what was remembered first is forgotten first, and the next change of such a
/// file is reported without the number of lines added and removed.
pub(super) struct Memory {
    lines: HashMap<Slot, Box<[u64]>>,
    order: VecDeque<Slot>,
    bytes: usize,
    bytes_max: usize,
    next: Slot,
}

impl Memory {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            lines: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
            next: 0,
        }
    }

    pub(super) fn get(&self, slot: Option<Slot>) -> Option<&[u64]> {
        self.lines.get(&slot?).map(|lines| &**lines)
    }

    pub(super) fn remember(&mut self, lines: Vec<u64>) -> Slot {
        self.next += 1;
        self.bytes += cost(&lines);
        self.lines.insert(self.next, lines.into());
        self.order.push_back(self.next);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(Some(oldest));
        }
        if self.order.len() > 2 * self.lines.len() + 1_024 {
            self.order.retain(|slot| self.lines.contains_key(slot));
        }
        self.next
    }

    pub(super) fn forget(&mut self, slot: Option<Slot>) {
        if let Some(lines) = slot.and_then(|slot| self.lines.remove(&slot)) {
            self.bytes -= cost(&lines);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }
}

/// With what the bookkeeping takes.
fn cost(lines: &[u64]) -> usize {
    size_of_val(lines) + 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Kind;

    fn entry(kind: Kind) -> Entry {
        Entry::new(Stamp {
            kind,
            identity: None,
            modified: None,
            size: 0,
        })
    }

    #[test]
    fn a_directory_is_taken_with_what_is_in_it_and_nothing_else() {
        let mut tree = Tree::default();
        for (path, kind) in [
            ("a", Kind::Directory),
            ("a/b", Kind::File),
            ("a-b", Kind::File),
            ("a/c/d", Kind::File),
        ] {
            tree.set(path.into(), entry(kind));
        }
        assert_eq!((tree.files(), tree.directories()), (3, 1));
        let taken: Vec<_> = tree
            .take_subtree(Path::new("a"))
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(taken, [Path::new("a"), Path::new("a/b"), Path::new("a/c/d")]);
        assert_eq!((tree.files(), tree.directories()), (1, 0));
    }

    #[test]
    fn memory_stays_within_its_budget_and_forgets_the_oldest() {
        let mut memory = Memory::new(3 * cost(&[0; 10]));
        let slots: Vec<Slot> = (0..5).map(|_| memory.remember(vec![0; 10])).collect();
        let known: Vec<bool> = slots
            .iter()
            .map(|slot| memory.get(Some(*slot)).is_some())
            .collect();
        assert_eq!(known, [false, false, true, true, true]);
        memory.forget(Some(slots[2]));
        memory.remember(vec![0; 10]);
        assert!(memory.get(Some(slots[3])).is_some() && memory.bytes <= memory.bytes_max);
    }
}
