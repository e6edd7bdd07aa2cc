//! One watched folder: what was last seen of it, and what has changed since.
//!
//! The system's watcher only hints; a [`Folder`] looks for itself and compares with the [`Tree`](super::tree::Tree).
//! A hint too many costs a look, and a lost one is made good by the next look everywhere. `scan` looks at directories,
//! `renames` and `decide` say what happened to paths that have settled, `repositories` what happened in git, `root` what
//! became of the folder itself; this file is when each of them has its turn.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use kymo_event::{Event, Level};
use serde_json::json;

use super::{
    WatchError, WatchSettings, WatchStatus,
    allowance::Allowance,
    pending::Pending,
    report::Reporter,
    repositories::Followed,
    rules::Rules,
    scan::Mode,
    scratch::is_scratch,
    tree::{Memory, Tree},
};
use crate::{
    git::{Places, Repo},
    hearing::{Ears, HintBox, Hints, Link, Touch},
    stamp::Stamp,
};

/// Lines remembered of all files of a folder.
const MEMORY_BYTES_MAX: usize = 32 << 20;
/// Between looks for a folder that is gone.
const LOOK_FOR_ROOT: Duration = Duration::from_millis(250);

/// A folder under watch.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    pub(super) settings: Arc<WatchSettings>,
    pub(super) ears: Ears,
    pub(super) rules: Rules,
    pub(super) tree: Tree,
    pub(super) memory: Memory,
    pub(super) pending: Pending,
    pub(super) allowance: Allowance,
    pub(super) reporter: Reporter,
    /// Work trees that have a `.git` which is no repository yet, with the second it was first seen.
    pub(super) becoming: Vec<(PathBuf, i64)>,
    pub(super) repos: Vec<Followed>,
    pub(super) others: Vec<PathBuf>,
    pub(super) root_stamp: Option<Stamp>,
    pub(super) root_touched: bool,
    overflowed: bool,
    pub(super) limited: Option<(usize, Instant)>,
    pub(super) failed: Option<String>,
    next_round: Instant,
    pub(super) next_heartbeat: Instant,
    pub(super) events_since_heartbeat: u64,
    pub(super) events: u64,
    out: Vec<Event<'static>>,
}

impl Folder {
    /// Listens, looks at everything once, and says what is there. `others` are folders inside that are watched by
    /// themselves.
    pub(super) fn open(
        root: &Path,
        others: Vec<PathBuf>,
        settings: Arc<WatchSettings>,
        hints: Arc<HintBox>,
    ) -> Result<Self, WatchError> {
        let now = Instant::now();
        let mut folder = Self {
            ears: Ears::new(hints, settings.directories_max).map_err(WatchError::Watcher)?,
            rules: Rules::new(root, &settings.ignore, others.clone()),
            tree: Tree::default(),
            memory: Memory::new(MEMORY_BYTES_MAX),
            pending: Pending::new(Duration::from_millis(settings.settle_ms)),
            allowance: Allowance::new(now),
            reporter: Reporter::new(&settings.source, root),
            becoming: Vec::new(),
            repos: Vec::new(),
            others,
            root_stamp: Stamp::look(root),
            root_touched: false,
            overflowed: false,
            limited: None,
            failed: None,
            next_round: now,
            next_heartbeat: now + Duration::from_secs(settings.heartbeat_s.max(1)),
            events_since_heartbeat: 0,
            events: 0,
            out: Vec::new(),
            root: root.to_owned(),
            settings,
        };
        // First, so that a limit on directories costs files and not commits.
        if let Some(places) = Places::around(root) {
            folder.add_repo(Repo::open(places));
        }
        folder.look_at_all(Mode::Quiet, now);
        folder.remember_newest();
        folder.say_started();
        folder.say_limits(now);
        Ok(folder)
    }

    /// What happened, to be handed on.
    pub(super) fn take_events(&mut self) -> Vec<Event<'static>> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn status(&self) -> WatchStatus {
        WatchStatus {
            folder: self.root.clone(),
            directories: self.ears.listening(),
            unwatched: self.ears.deaf().len(),
            problem: self.failed.clone().or_else(|| self.ears.problem()),
            events: self.events,
        }
    }

    /// Takes hints in.
    pub(super) fn hear(&mut self, hints: Hints, now: Instant) {
        for problem in hints.problems {
            self.say("watch.failed", Level::Error, json!({"message": problem}));
        }
        self.overflowed |= hints.overflowed;
        let mut soonest = now + self.pending.settle();
        for (path, touch) in hints.touches {
            if touch.directory {
                soonest = now; // what happens in it is not heard before we listen
            }
            self.hear_of(path, touch);
        }
        for link in hints.links {
            self.hear_link(&link);
        }
        if self.overflowed || self.root_touched {
            soonest = now;
        }
        self.next_round = self.next_round.min(soonest);
    }

    fn hear_of(&mut self, path: PathBuf, mut touch: Touch) {
        if self.hear_of_repo(&path, &touch) {
            return;
        }
        let Ok(inside) = path.strip_prefix(&self.root) else {
            return;
        };
        if inside.as_os_str().is_empty() {
            self.root_touched = true;
            return;
        }
        if let Some(dot_git) = path
            .ancestors()
            .find(|above| above.file_name().is_some_and(|name| name == ".git"))
        {
            let work = dot_git.parent().unwrap_or(&self.root).to_owned();
            self.expect_repo(work);
            return;
        }
        let is_dir = self.tree.get(inside).map_or_else(
            || touch.directory && path.is_dir(),
            |entry| entry.stamp.is_directory(),
        );
        if !is_scratch(&name_of(inside)) && !self.rules.leave_out(&path, is_dir) {
            if touch.open == Some(true) && is_linked(&path) {
                touch.open = None; // came to be without being written: no close will follow
            }
            self.pending.touch(inside.to_owned(), touch);
        }
    }

    fn hear_link(&mut self, link: &Link) {
        let inside = |path: &Path| path.strip_prefix(&self.root).ok().map(Path::to_owned);
        let (Some(from), Some(to)) = (inside(&link.from), inside(&link.to)) else {
            return;
        };
        if is_scratch(&name_of(&to)) {
            self.pending.put_aside(&from);
        } else if self.pending.contains(&from) && self.pending.contains(&to) {
            self.pending.link(Link { from, to });
        }
    }

    /// When there is something to do without a new hint.
    pub(super) fn next(&self) -> Instant {
        self.next_round.min(self.next_heartbeat)
    }

    /// Does what is due.
    pub(super) fn work(&mut self, now: Instant) {
        if now >= self.next_heartbeat {
            self.next_heartbeat = now + Duration::from_secs(self.settings.heartbeat_s.max(1));
            self.root_touched = true;
            self.try_deaf_again(now);
            self.heartbeat();
        }
        if now < self.next_round {
            return;
        }
        self.check_root(now);
        if self.failed.is_none() {
            if std::mem::take(&mut self.overflowed) {
                self.look_again_everywhere(now);
            }
            self.enter_new_directories(now);
            let (due, links) = self.pending.take_due(now);
            self.decide(due, links, now);
            self.refresh_repos(now, false);
            self.say_limits(now);
        }
        self.sum_up_burst(now, false);
        self.plan(now);
    }

    fn plan(&mut self, now: Instant) {
        let settle = self.pending.settle();
        // Not for every path by itself: deciding looks at all that is pending.
        let pending = self.pending.next().map(|at| at.max(now + settle / 2));
        let repos = self
            .repos
            .iter()
            .filter_map(|followed| followed.due(settle))
            .min();
        let becoming = (!self.becoming.is_empty()).then(|| now + settle);
        let root = self.failed.is_some().then(|| now + LOOK_FOR_ROOT);
        let moments = [pending, repos, becoming, root, self.allowance.due()];
        self.next_round = moments.into_iter().flatten().min().unwrap_or(self.next_heartbeat);
    }

    /// Decides everything that is pending, and says goodbye.
    pub(super) fn close(&mut self) {
        let now = Instant::now();
        if self.failed.is_none() {
            self.enter_new_directories(now);
            let (due, links) = self.pending.take_all();
            self.decide(due, links, now + super::pending::HOLD);
            let (due, links) = self.pending.take_all();
            self.decide(due, links, now + super::pending::HOLD);
            self.refresh_repos(now, true);
        }
        self.sum_up_burst(now, true);
        self.say("watch.stopped", Level::Info, json!({"events": self.events}));
    }

    /// Directories that could not be watched: perhaps they can now. If not, this is when what happened in them is
    /// noticed.
    fn try_deaf_again(&mut self, now: Instant) {
        let deaf = self.ears.take_deaf();
        let tops = deaf
            .iter()
            .filter(|path| !path.parent().is_some_and(|above| deaf.contains(above)));
        for directory in tops {
            match directory.strip_prefix(&self.root) {
                Ok(inside) => _ = self.look_at(inside, Mode::Report, now),
                Err(_) => _ = self.ears.listen(directory),
            }
        }
    }

    pub(super) fn push(&mut self, event: Event<'static>) {
        self.events += 1;
        self.events_since_heartbeat += 1;
        self.out.push(event);
    }

    /// Whether a path is left out, given that its parent is not.
    pub(super) fn leave_out(&self, inside: &Path, is_dir: bool) -> bool {
        self.rules.leave_out(&self.root.join(inside), is_dir)
    }
}

/// Whether this is a symbolic link, or another name of a file.
fn is_linked(path: &Path) -> bool {
    let Ok(metadata) = path.symlink_metadata() else {
        return false;
    };
    #[cfg(unix)]
    let names = std::os::unix::fs::MetadataExt::nlink(&metadata);
    #[cfg(not(unix))]
    let names = 1;
    metadata.is_symlink() || names > 1
}

/// The last name of a path, as far as it is text.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder whose watcher is not listened to: it hears only what the test says.
    fn quiet_folder(root: &Path) -> Folder {
        let mut folder = Folder::open(root, vec![], Arc::default(), Arc::default()).unwrap();
        folder.take_events();
        folder
    }

    fn told(folder: &mut Folder) -> Vec<String> {
        let tell = |event: Event<'static>| {
            let data: serde_json::Value = serde_json::from_str(event.data.as_deref().unwrap()).unwrap();
            let text = |key: &str| data[key].as_str().unwrap_or("").to_owned();
            format!("{} {}{}", event.kind, text("from"), text("path"))
        };
        let mut told: Vec<String> = folder.take_events().into_iter().map(tell).collect();
        told.sort();
        told
    }

    #[test]
    fn after_lost_hints_everything_that_differs_is_found_and_it_is_said_that_hints_were_lost() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        for name in ["same", "changed", "gone", "moved", "dir/in", "old/deep/file"] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), name).unwrap();
        }
        let mut folder = quiet_folder(&root);
        fs::write(root.join("changed"), "otherwise").unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        fs::rename(root.join("moved"), root.join("dir/moved")).unwrap();
        fs::rename(root.join("old"), root.join("dir/old")).unwrap();
        fs::create_dir_all(root.join("new/er")).unwrap();
        fs::write(root.join("new/er/file"), "x").unwrap();

        let now = Instant::now();
        folder.hear(
            Hints {
                overflowed: true,
                ..Hints::default()
            },
            now,
        );
        folder.work(now);
        let settled = now + folder.pending.settle() + Duration::from_millis(1);
        folder.work(settled);
        assert_eq!(
            told(&mut folder),
            [
                "file.created new/er/file",
                "file.modified changed",
                "file.removed gone",
                "file.renamed moveddir/moved",
                "file.renamed olddir/old",
                "watch.overflowed ",
            ]
        );
        folder.hear(
            Hints {
                overflowed: true,
                ..Hints::default()
            },
            settled,
        );
        folder.work(settled);
        folder.work(settled + super::super::pending::HOLD);
        assert_eq!(
            told(&mut folder),
            ["watch.overflowed "],
            "what was found once is known"
        );
    }

    #[test]
    fn what_the_watcher_cannot_do_is_said() {
        let temp = tempfile::tempdir().unwrap();
        let mut folder = quiet_folder(&temp.path().canonicalize().unwrap());
        folder.hear(
            Hints {
                problems: vec!["the device is gone".into()],
                ..Hints::default()
            },
            Instant::now(),
        );
        let event = folder.take_events().remove(0);
        assert_eq!((&*event.kind, event.level), ("watch.failed", Level::Error));
        assert!(event.data.unwrap().contains("the device is gone"));
    }
}
