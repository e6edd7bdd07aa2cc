//! Looks at directories: listens to them, and compares what is in them with what was last seen.
//!
//! Listening comes before looking, so that nothing falls between the two; what is then both seen and heard is one
//! change, because a change is decided by comparing.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    content::{self, Content},
    folder::{Folder, name_of},
    scratch::is_scratch,
    tree::Entry,
};
use crate::{
    hearing::{Evidence, Link, Touch},
    stamp::{Kind, Stamp},
};

/// Content read at start, most recently changed files first.
const READ_BYTES_MAX: u64 = 64 << 20;

/// What becomes of a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is how things are: at start, and what a change of rules brings to light.
    Quiet,
    /// It happened: it will be decided and reported.
    Report,
}

impl Folder {
    /// Everything, and the repositories in it.
    pub(super) fn look_at_all(&mut self, mode: Mode, now: Instant) -> usize {
        let differences = self.look_at(Path::new(""), mode, now);
        self.open_repos(mode == Mode::Report);
        differences
    }

    /// A directory and all below; how many differences there were. Breadth first: if not everything can be listened
    /// to, it is the depths that are missing.
    pub(super) fn look_at(&mut self, top: &Path, mode: Mode, now: Instant) -> usize {
        let mut differences = 0;
        let mut next = std::collections::VecDeque::from([top.to_owned()]);
        while let Some(directory) = next.pop_front() {
            differences += self.look_into(&directory, mode, now, &mut next);
        }
        differences
    }

    fn look_into(
        &mut self,
        directory: &Path,
        mode: Mode,
        now: Instant,
        next: &mut std::collections::VecDeque<PathBuf>,
    ) -> usize {
        let path = self.absolute(directory);
        let Some(stamp) = Stamp::look(&path).filter(Stamp::is_directory) else {
            return 0;
        };
        if !directory.as_os_str().is_empty() {
            self.tree.set(directory.to_owned(), Entry::new(stamp));
        }
        self.rules.load(&path);
        self.ears.listen(&path);
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            Err(error) => {
                self.ears.cannot(&path, &error);
                return 0;
            }
        };
        let mut differences = 0;
        let mut seen = HashSet::new();
        for entry in listing.flatten() {
            let name = entry.file_name();
            if name == ".git" {
                self.expect_repo(path.clone());
                continue;
            }
            let inside = directory.join(&name);
            let Some(stamp) = entry.metadata().ok().and_then(|metadata| Stamp::of(&metadata)) else {
                continue;
            };
            if self.is_ours(&inside, &stamp) {
                seen.insert(name);
                differences += self.compare(inside, stamp, mode, now, next);
            }
        }
        differences + self.miss(directory, &seen, mode, now)
    }

    fn is_ours(&self, inside: &Path, stamp: &Stamp) -> bool {
        let scratch = !stamp.is_directory() && is_scratch(&name_of(inside));
        !scratch && !self.leave_out(inside, stamp.is_directory())
    }

    fn compare(
        &mut self,
        inside: PathBuf,
        stamp: Stamp,
        mode: Mode,
        now: Instant,
        next: &mut std::collections::VecDeque<PathBuf>,
    ) -> usize {
        let known = self.tree.get(&inside).map(|entry| entry.stamp);
        if stamp.is_directory() {
            if known.is_none() && mode == Mode::Report && self.is_moved_directory(&inside, &stamp, now) {
                return 1;
            }
            if known.is_some_and(|known| !known.is_directory()) {
                self.pending.touch(
                    inside,
                    Touch {
                        directory: true,
                        ..Touch::new(now, Evidence::Differs)
                    },
                );
                return 1;
            }
            next.push_back(inside);
            return 0;
        }
        match mode {
            _ if known == Some(stamp) => 0,
            Mode::Quiet if known.is_none() && !self.pending.contains(&inside) => {
                self.tree.set(inside, Entry::new(stamp));
                0
            }
            _ => {
                self.pending.touch(inside, Touch::new(now, Evidence::Differs));
                1
            }
        }
    }

    /// A directory that was seen elsewhere and is not there any more came here: that is one rename.
    fn is_moved_directory(&mut self, inside: &Path, stamp: &Stamp, now: Instant) -> bool {
        let Some(from) = self.tree.directory_of(stamp).map(Path::to_owned) else {
            return false;
        };
        if inside.starts_with(&from) || Stamp::look(&self.absolute(&from)).is_some() {
            return false;
        }
        self.pending.touch(from.clone(), gone(now));
        self.pending
            .touch(inside.to_owned(), Touch::new(now, Evidence::Differs));
        self.pending.link(Link {
            from,
            to: inside.to_owned(),
        });
        true
    }

    /// What was in a directory and is not any more; what is only left out now goes without a word.
    fn miss(&mut self, directory: &Path, seen: &HashSet<OsString>, mode: Mode, now: Instant) -> usize {
        let children = self.tree.children(directory);
        let missing: Vec<_> = children
            .filter(|(path, _)| path.file_name().is_some_and(|name| !seen.contains(name)))
            .map(|(path, entry)| (path.to_owned(), entry.stamp.is_directory()))
            .collect();
        let mut differences = 0;
        for (path, is_dir) in missing {
            if mode == Mode::Quiet && self.leave_out(&path, is_dir) {
                self.drop_quietly(&path);
            } else {
                self.pending.touch(path, gone(now));
                differences += 1;
            }
        }
        differences
    }

    fn drop_quietly(&mut self, path: &Path) {
        let absolute = self.absolute(path);
        for (_, entry) in self.tree.take_subtree(path) {
            self.memory.forget(entry.slot);
        }
        self.rules.forget(&absolute);
        self.ears.unlisten(&absolute);
    }

    /// Directories that came to be are entered at once: what happens in them is heard only from then on.
    pub(super) fn enter_new_directories(&mut self, now: Instant) {
        for path in self.pending.take_directories() {
            let renamed = self
                .pending
                .came_from(&path)
                .is_some_and(|from| self.tree.contains(from));
            let absolute = self.absolute(&path);
            let Some(stamp) = Stamp::look(&absolute).filter(Stamp::is_directory) else {
                continue;
            };
            if renamed
                || self.leave_out(&path, true)
                || self
                    .tree
                    .get(&path)
                    .is_some_and(|entry| !entry.stamp.is_directory())
            {
                continue; // decided when it has settled
            }
            if !self.tree.contains(&path) && self.is_moved_directory(&path, &stamp, now) {
                continue;
            }
            self.pending.take(&path);
            self.look_at(&path, Mode::Report, now);
        }
    }

    /// The rules of a directory changed: what comes to light or goes out of sight did not happen.
    pub(super) fn apply_rules(&mut self, directory: &Path, now: Instant) {
        let known: HashSet<PathBuf> = self
            .tree
            .below(directory)
            .map(|(path, _)| path.to_owned())
            .collect();
        self.rules.load(&self.absolute(directory));
        self.look_at(directory, Mode::Quiet, now);
        let fresh: Vec<PathBuf> = self
            .tree
            .below(directory)
            .map(|(path, _)| path.to_owned())
            .filter(|path| !known.contains(path))
            .collect();
        self.remember(fresh);
    }

    /// Reads the newest files, so that their first change can be compared line by line.
    pub(super) fn remember_newest(&mut self) {
        self.remember(self.newest(usize::MAX));
    }

    fn remember(&mut self, newest_first: Vec<PathBuf>) {
        let mut left = READ_BYTES_MAX;
        for path in newest_first {
            let Some(size) = self
                .tree
                .get(&path)
                .filter(|entry| !entry.stamp.is_directory())
                .map(|entry| entry.stamp.size)
            else {
                continue;
            };
            let cost = size.min(self.settings.content_bytes_max);
            if self.memory.is_full() || cost > left {
                return;
            }
            left -= cost;
            self.read(&path);
        }
    }

    /// Reads a file and keeps what tells its next version apart; gives the content back without its lines.
    pub(super) fn read(&mut self, path: &Path) -> Option<()> {
        let stamp = Stamp::look(&self.absolute(path))?;
        let content = if stamp.kind == Kind::File {
            content::read(&self.absolute(path), self.settings.content_bytes_max).ok()?
        } else {
            Content::default()
        };
        self.keep(path, stamp, content);
        Some(())
    }

    /// Puts a version of a file in place of the one before.
    pub(super) fn keep(&mut self, path: &Path, stamp: Stamp, content: Content) {
        if let Some(before) = self.tree.remove(path) {
            self.memory.forget(before.slot);
        }
        let lines = content.line_count();
        let entry = Entry {
            stamp: content.stamp.unwrap_or(stamp),
            hash: content.hash,
            lines,
            binary: content.binary,
            language: content.language,
            slot: lines.map(|_| self.memory.remember(content.lines)),
        };
        self.tree.set(path.to_owned(), entry);
    }

    pub(super) fn absolute(&self, inside: &Path) -> PathBuf {
        self.root.join(inside)
    }
}

/// A going that was seen.
fn gone(now: Instant) -> Touch {
    Touch {
        gone: Some(true),
        ..Touch::new(now, Evidence::Differs)
    }
}
