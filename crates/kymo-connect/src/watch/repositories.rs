//! The repositories of a watched folder: the one it lies in, and those inside it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kymo_event::Level;

use super::{folder::Folder, pending::HOLD, report::path_text};
use crate::{
    git::{Places, Repo},
    hearing::{Evidence, Touch},
};

/// Repositories followed within one folder.
const REPOS_MAX: usize = 32;
/// What was done in a repository so shortly before it was found is news, not history.
const FRESH_S: i64 = 2;
/// So long a `.git` may take to become a repository.
const BECOMING_S: i64 = 60;

/// A repository, and what was heard of it since it was last looked at.
pub(super) struct Followed {
    repo: Repo,
    heard: Option<Touch>,
    again: Option<Instant>,
}

impl Followed {
    /// Something may have happened.
    pub(super) fn hear(&mut self, touch: Touch) {
        match &mut self.heard {
            Some(heard) => heard.merge(touch),
            None => self.heard = Some(touch),
        }
    }

    /// When to look.
    pub(super) fn due(&self, settle: Duration) -> Option<Instant> {
        let quiet = self
            .heard
            .as_ref()
            .map(|heard| (heard.last + settle).min(heard.first + HOLD));
        quiet.into_iter().chain(self.again).min()
    }

    pub(super) fn repo(&self) -> &Repo {
        &self.repo
    }

    fn work(&self) -> &Path {
        &self.repo.places().work
    }
}

impl Folder {
    /// Whether the path is a repository's own.
    pub(super) fn hear_of_repo(&mut self, path: &Path, touch: &Touch) -> bool {
        let mut own = false;
        for followed in &mut self.repos {
            let places = followed.repo.places();
            if !places.holds(path) {
                continue;
            }
            own = true;
            if path == places.common.join("info/exclude") {
                self.rules.load_exclude(places);
                // As if the top's own rules had changed.
                let top = places.work.strip_prefix(&self.root).unwrap_or(Path::new(""));
                self.pending.touch(top.join(".gitignore"), touch.clone());
            } else if places.is_telling(path) || path == places.gitdir {
                followed.hear(touch.clone());
            }
        }
        own
    }

    pub(super) fn expect_repo(&mut self, work: PathBuf) {
        let known = self.repos.iter().any(|followed| followed.work() == work);
        if known && !work.join(".git").exists() {
            self.repos.retain(|followed| followed.work() != work);
        } else if !known && !self.becoming.iter().any(|(path, _)| *path == work) {
            self.becoming.push((work, seconds_now() - FRESH_S));
        }
    }

    /// Opens the repositories that were found; `fresh`: what was done in them until now is news.
    pub(super) fn open_repos(&mut self, fresh: bool) {
        for (work, since) in std::mem::take(&mut self.becoming) {
            match Places::at(&work) {
                Some(_) if self.repos.len() >= REPOS_MAX => {
                    tracing::warn!(work = %work.display(), "too many repositories in one folder; this one is not followed");
                }
                Some(places) if fresh => self.add_repo(Repo::appeared(places, since)),
                Some(places) => self.add_repo(Repo::open(places)),
                None if work.join(".git").exists() && seconds_now() - since < BECOMING_S => {
                    self.becoming.push((work, since))
                }
                None => {}
            }
        }
    }

    pub(super) fn add_repo(&mut self, repo: Repo) {
        if self.repos.iter().any(|known| known.work() == repo.places().work) {
            return;
        }
        self.rules.load_exclude(repo.places());
        for folder in repo.places().to_watch() {
            self.ears.listen(&folder);
        }
        // What happened between opening and listening.
        let heard = Some(Touch::new(Instant::now(), Evidence::Touched));
        self.repos.push(Followed {
            repo,
            heard,
            again: None,
        });
    }

    /// Says what happened in repositories that have been quiet long enough, or in all that something was heard of.
    pub(super) fn refresh_repos(&mut self, now: Instant, all: bool) {
        self.open_repos(true);
        let settle = self.pending.settle();
        self.repos
            .retain(|followed| followed.due(settle).is_none() || Places::at(followed.work()).is_some());
        for index in 0..self.repos.len() {
            let followed = &mut self.repos[index];
            if !followed.due(settle).is_some_and(|due| all || due <= now) {
                continue;
            }
            for folder in followed.repo.places().to_watch() {
                self.ears.listen(&folder);
            }
            followed.heard = None;
            let (changes, again) = followed.repo.refresh(now);
            followed.again = again.map(|again| now + again);
            let name = self.repo_name(index);
            for change in changes {
                let mut data = change.data;
                data.insert("repo".into(), name.as_str().into());
                self.out_other(change.kind, Level::Info, data);
            }
        }
    }

    /// The work tree as seen from the folder; `.` is the folder itself.
    fn repo_name(&self, index: usize) -> String {
        let work = self.repos[index].work();
        match work.strip_prefix(&self.root) {
            Ok(inside) if inside.as_os_str().is_empty() => ".".into(),
            Ok(inside) => path_text(inside).0,
            Err(_) => path_text(work).0,
        }
    }
}

fn seconds_now() -> i64 {
    crate::clock::now().0 / 1_000_000
}
