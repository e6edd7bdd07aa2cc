//! Which directories the system's watcher listens to, and which it could not be made to.
//!
//! On Linux each directory is registered by itself, so that folders that are left out cost nothing; where the system
//! watches whole trees the top is registered once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::hints::{Handler, HintBox};

const PER_DIRECTORY: bool = !cfg!(any(windows, target_os = "macos"));

/// Why a directory is not listened to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deaf {
    /// The system gives no more watches.
    System,
    /// The settings allow no more.
    Settings,
    /// Not readable for us.
    Denied,
    /// In the system's words.
    Other(String),
}

/// The registrations of one folder.
pub(crate) struct Ears {
    watcher: RecommendedWatcher,
    listening: BTreeSet<PathBuf>,
    /// How many of them are not git's own.
    peoples: usize,
    deaf: BTreeMap<PathBuf, Deaf>,
    max: usize,
    /// The system said "no more": asking for each further directory would only cost time.
    full: bool,
}

impl Ears {
    /// Nothing is listened to yet; at most `max` directories will be (0: no bound of our own). The error says what to do.
    pub(crate) fn new(hints: Arc<HintBox>, max: usize) -> Result<Self, String> {
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(Handler(hints), config).map_err(|error| explain(&error))?;
        Ok(Self {
            watcher,
            listening: BTreeSet::new(),
            peoples: 0,
            deaf: BTreeMap::new(),
            max: if max == 0 { usize::MAX } else { max },
            full: false,
        })
    }

    /// Listens to a directory (again: registrations follow what is at the path now); whether it does.
    pub(crate) fn listen(&mut self, directory: &Path) -> bool {
        let covered = !PER_DIRECTORY && self.listening.iter().any(|known| directory.starts_with(known));
        let result = if covered { Ok(()) } else { self.register(directory) };
        match result {
            Ok(()) => {
                self.deaf.remove(directory);
                self.add(directory);
                true
            }
            Err(None) => false, // gone meanwhile; its removal is heard from above
            Err(Some(reason)) => {
                self.remove(directory);
                self.deaf.insert(directory.to_owned(), reason);
                false
            }
        }
    }

    fn register(&mut self, directory: &Path) -> Result<(), Option<Deaf>> {
        if !self.listening.contains(directory) {
            if self.listening.len() >= self.max {
                return Err(Some(Deaf::Settings));
            }
            if self.full {
                return Err(Some(Deaf::System));
            }
        }
        let mode = if PER_DIRECTORY {
            RecursiveMode::NonRecursive
        } else {
            RecursiveMode::Recursive
        };
        self.watcher.watch(directory, mode).map_err(|error| {
            let reason = reason(&error.kind);
            self.full |= reason == Some(Deaf::System);
            reason
        })
    }

    /// A directory and what is below went away; the system's registrations went with it.
    pub(crate) fn forget(&mut self, directory: &Path) {
        for known in self.listening_below(directory) {
            self.remove(&known);
        }
        if !self.deaf.is_empty() {
            self.deaf.retain(|known, _| !known.starts_with(directory));
        }
        self.full = false;
    }

    /// In the set's order a directory and what is below it are neighbours.
    fn listening_below(&self, directory: &Path) -> Vec<PathBuf> {
        let from = self.listening.range(directory.to_owned()..);
        from.take_while(|known| known.starts_with(directory))
            .cloned()
            .collect()
    }

    /// A directory and what is below is still there and of no interest any more.
    pub(crate) fn unlisten(&mut self, directory: &Path) {
        if PER_DIRECTORY {
            for known in self.listening_below(directory) {
                self.watcher.unwatch(&known).ok(); // not registered is as good
            }
        }
        self.forget(directory);
    }

    /// Directories not listened to, to be tried again: perhaps the limit was raised.
    pub(crate) fn take_deaf(&mut self) -> BTreeSet<PathBuf> {
        self.full = false;
        self.deaf.keys().cloned().collect()
    }

    /// A directory that could not even be read.
    pub(crate) fn cannot(&mut self, directory: &Path, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => return,
            io::ErrorKind::PermissionDenied => Deaf::Denied,
            _ => Deaf::Other(error.to_string()),
        };
        self.deaf.insert(directory.to_owned(), reason);
    }

    /// Every directory that is listened to.
    pub(crate) fn heard(&self) -> impl Iterator<Item = &PathBuf> {
        self.listening.iter()
    }

    /// Directories listened to, those that git keeps for itself left out: they are no part of what people watch.
    pub(crate) const fn listening(&self) -> usize {
        self.peoples
    }

    fn add(&mut self, directory: &Path) {
        if self.listening.insert(directory.to_owned()) && !is_gits(directory) {
            self.peoples += 1;
        }
    }

    fn remove(&mut self, directory: &Path) {
        if self.listening.remove(directory) && !is_gits(directory) {
            self.peoples -= 1;
        }
    }

    pub(crate) fn deaf(&self) -> &BTreeMap<PathBuf, Deaf> {
        &self.deaf
    }

    /// What is wrong and what to do, in a sentence or two; `None` when every directory is listened to.
    pub(crate) fn problem(&self) -> Option<String> {
        let count = |reason: &Deaf| self.deaf.values().filter(|one| *one == reason).count();
        let all = self.deaf.len() + self.listening();
        let (system, settings, denied) = (count(&Deaf::System), count(&Deaf::Settings), count(&Deaf::Denied));
        let mut said = Vec::new();
        if system > 0 {
            said.push(format!(
                "{system} of {all} directories are not watched: the system's limit is reached. Raise it: {}",
                raise_limit()
            ));
        }
        if settings > 0 {
            said.push(format!(
                "{settings} of {all} directories are not watched: the setting directories_max is {}. Raise it or set 0",
                self.max
            ));
        }
        if denied > 0 {
            said.push(format!(
                "{denied} of {all} directories are not watched: permission denied"
            ));
        }
        said.extend(self.deaf.iter().find_map(|(path, reason)| match reason {
            Deaf::Other(words) => Some(format!("{} is not watched: {words}", path.display())),
            _ => None,
        }));
        if !said.is_empty() {
            said.push("What happens there is noticed only with a heartbeat".into());
        }
        (!said.is_empty()).then(|| said.join(". "))
    }
}

fn is_gits(directory: &Path) -> bool {
    directory.iter().any(|part| part == ".git")
}

fn reason(kind: &ErrorKind) -> Option<Deaf> {
    match kind {
        ErrorKind::MaxFilesWatch => Some(Deaf::System),
        ErrorKind::PathNotFound => None,
        ErrorKind::Io(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => None,
            io::ErrorKind::PermissionDenied => Some(Deaf::Denied),
            io::ErrorKind::StorageFull => Some(Deaf::System), // what inotify answers
            _ => Some(Deaf::Other(error.to_string())),
        },
        ErrorKind::Generic(words) => Some(Deaf::Other(words.clone())),
        other => Some(Deaf::Other(format!("{other:?}"))),
    }
}

/// The command that raises the limit, with a number that is enough for a while.
fn raise_limit() -> String {
    let now = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
    let now: u64 = now.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    format!(
        "sudo sysctl -w fs.inotify.max_user_watches={}",
        (now * 4).max(524_288)
    )
}

fn explain(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::Io(cause) if cfg!(target_os = "linux") => {
            format!(
                "{cause}. If other programs watch files too, raise it: sudo sysctl -w fs.inotify.max_user_instances=1024"
            )
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_system_a_locked_folder_and_a_vanished_one_are_told_apart() {
        let io = |kind| reason(&ErrorKind::Io(io::Error::from(kind)));
        assert_eq!(reason(&ErrorKind::MaxFilesWatch), Some(Deaf::System));
        assert_eq!(io(io::ErrorKind::StorageFull), Some(Deaf::System));
        assert_eq!(io(io::ErrorKind::PermissionDenied), Some(Deaf::Denied));
        assert_eq!(
            (reason(&ErrorKind::PathNotFound), io(io::ErrorKind::NotFound)),
            (None, None)
        );
    }

    #[test]
    fn the_message_says_how_many_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let mut ears = Ears::new(Arc::default(), 1).unwrap();
        assert!(ears.listen(folder.path()) && ears.problem().is_none());
        if PER_DIRECTORY {
            assert!(!ears.listen(&folder.path().join("other")));
            let problem = ears.problem().unwrap();
            assert!(
                problem.contains("1 of 2 directories") && problem.contains("directories_max is 1"),
                "{problem}"
            );
        }
        ears.cannot(
            &folder.path().join("locked"),
            &io::ErrorKind::PermissionDenied.into(),
        );
        assert!(ears.problem().unwrap().contains("permission denied"));
    }
}
