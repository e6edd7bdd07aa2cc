//! One watched folder: what was last seen of it, and what has changed since.
//!
//! The system's watcher only hints; a [`Folder`] looks for itself and compares with the [`Tree`](super::tree::Tree).
//! A hint too many costs a look, and a lost one is made good by the next look everywhere. `scan` looks at directories,
//! `decide` says what happened to paths that have settled; this file is the life of the whole.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use kymo_event::{Event, Level};
use serde_json::{Map, Value, json};

use super::{
    WatchError, WatchSettings, WatchStatus,
    allowance::Allowance,
    ears::Ears,
    hints::{Evidence, HintBox, Hints, Link, Touch},
    pending::Pending,
    report::{FileData, Reporter, path_text},
    rules::Rules,
    scan::Mode,
    scratch::is_scratch,
    tree::{Kind, Memory, Stamp, Tree},
};
use crate::git::{Places, Repo};

/// Of so many files, the most recently changed ones, the state at start is reported one by one.
const FOUND_MAX: usize = 20;
/// Lines remembered of all files of a folder.
const MEMORY_BYTES_MAX: usize = 32 << 20;
/// Repositories followed within one folder.
const REPOS_MAX: usize = 32;
/// Between looks for a folder that is gone.
const LOOK_FOR_ROOT: Duration = Duration::from_millis(250);
/// Between two reports of directories that cannot be watched.
const LIMITED_AGAIN: Duration = Duration::from_secs(10);
/// Directories named in such a report.
const NAMED_MAX: usize = 20;

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
    repos: Vec<(Repo, Option<Touch>)>,
    others: Vec<PathBuf>,
    root_stamp: Option<Stamp>,
    root_touched: bool,
    overflowed: bool,
    limited: Option<(usize, Instant)>,
    failed: Option<String>,
    next_round: Instant,
    next_heartbeat: Instant,
    events_since_heartbeat: u64,
    events: u64,
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
            ears: Ears::new(hints, settings.directories_max)?,
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

    fn hear_of(&mut self, path: PathBuf, touch: Touch) {
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
            self.pending.touch(inside.to_owned(), touch);
        }
    }

    /// Whether the path is a repository's own.
    fn hear_of_repo(&mut self, path: &Path, touch: &Touch) -> bool {
        let mut own = false;
        for (repo, dirty) in &mut self.repos {
            if !repo.places().holds(path) {
                continue;
            }
            own = true;
            if path == repo.places().common.join("info/exclude") {
                self.rules.load_exclude(repo.places());
                let top = repo
                    .places()
                    .work
                    .strip_prefix(&self.root)
                    .unwrap_or(Path::new(""))
                    .to_owned();
                let touch = Touch {
                    directory: true,
                    ..touch.clone()
                };
                self.pending.touch(top.join(".gitignore"), touch);
            } else if repo.places().is_telling(path) || path == repo.places().gitdir {
                match dirty {
                    Some(dirty) => dirty.merge(touch.clone()),
                    None => *dirty = Some(touch.clone()),
                }
            }
        }
        own
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
        let pending = self.pending.next().map(|at| at.max(now + settle / 4));
        let repos = self
            .repos
            .iter()
            .filter_map(|(_, dirty)| dirty.as_ref())
            .map(|touch| touch.last + settle)
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

    // The root.

    fn check_root(&mut self, now: Instant) {
        if !std::mem::take(&mut self.root_touched) && self.failed.is_none() {
            return;
        }
        let stamp = Stamp::look(&self.root).filter(Stamp::is_directory);
        let identity = |stamp: Option<Stamp>| stamp.and_then(|stamp| stamp.identity);
        match (&self.failed, stamp) {
            (None, None) => self.lose_root(now),
            (None, Some(_)) if identity(stamp) != identity(self.root_stamp) => {
                self.lose_root(now);
                self.regain_root(stamp, now);
            }
            (Some(_), Some(_)) => self.regain_root(stamp, now),
            _ => {}
        }
    }

    fn lose_root(&mut self, now: Instant) {
        let message = format!(
            "the folder {} is gone: nothing is watched until it is back",
            self.reporter.folder()
        );
        for (path, entry) in self.tree.take_subtree(Path::new("")) {
            if !entry.stamp.is_directory() {
                self.say_removed(&path, &entry, now);
            }
            self.memory.forget(entry.slot);
        }
        self.pending.take_all();
        self.repos.clear();
        self.becoming.clear();
        self.ears.unlisten(&self.root.clone());
        self.say("watch.failed", Level::Error, json!({"message": message}));
        self.failed = Some(message);
    }

    fn regain_root(&mut self, stamp: Option<Stamp>, now: Instant) {
        self.failed = None;
        self.root_stamp = stamp;
        self.rules = Rules::new(&self.root, &self.settings.ignore, self.others.clone());
        let message = format!("the folder {} is back", self.reporter.folder());
        self.say("watch.recovered", Level::Info, json!({"message": message}));
        if let Some(places) = Places::around(&self.root) {
            self.add_repo(Repo::open(places));
        }
        self.look_at_all(Mode::Report, now);
    }

    /// The system dropped hints.
    fn look_again_everywhere(&mut self, now: Instant) {
        let differences = self.look_at_all(Mode::Report, now);
        for (_, dirty) in &mut self.repos {
            dirty.get_or_insert_with(|| Touch::new(now, Evidence::Touched));
        }
        let message = "the system reported more changes at once than it could queue; the folder was looked through again \
                       and nothing but intermediate states is lost. If this happens often, raise it: \
                       sudo sysctl -w fs.inotify.max_queued_events=131072";
        self.say(
            "watch.overflowed",
            Level::Warn,
            json!({"message": message, "differences": differences}),
        );
    }

    fn try_deaf_again(&mut self, now: Instant) {
        for directory in self.ears.to_try_again() {
            if let Ok(inside) = directory.strip_prefix(&self.root).map(Path::to_owned)
                && self.ears.listen(&directory)
            {
                self.look_at(&inside, Mode::Report, now);
            }
        }
    }

    // Repositories.

    pub(super) fn expect_repo(&mut self, work: PathBuf) {
        let known = self.repos.iter().any(|(repo, _)| repo.places().work == work);
        if known && !work.join(".git").exists() {
            self.repos.retain(|(repo, _)| repo.places().work != work);
        } else if !known && !self.becoming.iter().any(|(path, _)| *path == work) {
            self.becoming.push((work, seconds_now() - 2));
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
                None if work.join(".git").exists() && seconds_now() - since < 60 => {
                    self.becoming.push((work, since))
                }
                None => {}
            }
        }
    }

    fn add_repo(&mut self, repo: Repo) {
        if self
            .repos
            .iter()
            .any(|(known, _)| known.places().work == repo.places().work)
        {
            return;
        }
        self.rules.load_exclude(repo.places());
        for folder in repo.places().to_watch() {
            self.ears.listen(&folder);
        }
        // What happened between opening and listening.
        self.repos
            .push((repo, Some(Touch::new(Instant::now(), Evidence::Touched))));
    }

    fn refresh_repos(&mut self, now: Instant, all: bool) {
        self.open_repos(true);
        let settle = self.pending.settle();
        for index in 0..self.repos.len() {
            let (repo, dirty) = &mut self.repos[index];
            if !dirty
                .as_ref()
                .is_some_and(|touch| all || touch.last + settle <= now)
            {
                continue;
            }
            *dirty = None;
            for folder in repo.places().to_watch() {
                self.ears.listen(&folder);
            }
            let (changes, again) = repo.refresh();
            if again {
                *dirty = Some(Touch::new(now, Evidence::Touched));
            }
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
        let work = &self.repos[index].0.places().work;
        match work.strip_prefix(&self.root) {
            Ok(inside) if inside.as_os_str().is_empty() => ".".into(),
            Ok(inside) => path_text(inside).0,
            Err(_) => path_text(work).0,
        }
    }

    // What is said of the whole.

    fn say_started(&mut self) {
        let mut languages = std::collections::BTreeMap::<&str, u64>::new();
        for (path, entry) in self
            .tree
            .iter()
            .filter(|(_, entry)| entry.stamp.kind == Kind::File)
        {
            let known = super::language::by_name(&name_of(path)).or(entry.language);
            *languages.entry(known.unwrap_or("other")).or_default() += 1;
        }
        let git = self
            .repos
            .iter()
            .find(|(repo, _)| self.root.starts_with(&repo.places().work));
        let data = json!({
            "files": self.tree.files(),
            "directories": self.tree.directories() + 1,
            "languages": languages,
            "git": git.map(|(repo, _)| repo.summary()),
        });
        self.say("watch.started", Level::Info, data);
        for path in self.newest(FOUND_MAX) {
            self.say_found(&path);
        }
    }

    /// The most recently changed files, newest first.
    pub(super) fn newest(&self, count: usize) -> Vec<PathBuf> {
        let mut files: Vec<_> = self
            .tree
            .iter()
            .filter(|(_, entry)| entry.stamp.kind == Kind::File)
            .collect();
        files.sort_by(|(a, a_entry), (b, b_entry)| {
            b_entry.stamp.modified.cmp(&a_entry.stamp.modified).then(a.cmp(b))
        });
        files
            .into_iter()
            .take(count)
            .map(|(path, _)| path.to_owned())
            .collect()
    }

    fn say_found(&mut self, path: &Path) {
        let Some(entry) = self.tree.get(path) else { return };
        let (text, lossy) = path_text(path);
        let data = FileData {
            path: text,
            folder: self.reporter.folder(),
            language: entry.language,
            size: Some(entry.stamp.size),
            lines: entry.lines,
            binary: entry.binary,
            modified: entry
                .stamp
                .modified
                .map(|at| crate::clock::micros(at).to_string()),
            lossy,
            ..FileData::default()
        };
        let event = self.reporter.file("file.found", &data, SystemTime::now());
        self.push(event);
    }

    fn heartbeat(&mut self) {
        let data = json!({
            "files": self.tree.files(),
            "directories": self.ears.listening(),
            "unwatched": self.ears.deaf().len(),
            "events": std::mem::take(&mut self.events_since_heartbeat),
            "problem": self.status().problem,
        });
        self.say("watch.heartbeat", Level::Debug, data);
    }

    /// Directories that are not watched: said when there are more of them than were said before, and when all is well
    /// again.
    fn say_limits(&mut self, now: Instant) {
        let count = self.ears.deaf().len();
        match (&self.limited, self.ears.problem()) {
            (Some((said, at)), Some(_)) if count <= *said || now < *at + LIMITED_AGAIN => {}
            (_, Some(message)) => {
                let named: Vec<String> = self
                    .ears
                    .deaf()
                    .keys()
                    .take(NAMED_MAX)
                    .map(|path| self.name_directory(path))
                    .collect();
                let data = json!({
                    "message": message, "watched": self.ears.listening(), "unwatched": count, "directories": named,
                });
                self.limited = Some((count, now));
                self.say("watch.limited", Level::Error, data);
            }
            (Some(_), None) => {
                self.limited = None;
                self.say(
                    "watch.recovered",
                    Level::Info,
                    json!({"message": "every directory is watched again"}),
                );
            }
            (None, None) => {}
        }
    }

    fn name_directory(&self, path: &Path) -> String {
        path_text(path.strip_prefix(&self.root).unwrap_or(path)).0
    }

    fn sum_up_burst(&mut self, now: Instant, all: bool) {
        if !self.allowance.due().is_some_and(|due| all || due <= now) {
            return;
        }
        if let Some((shown, left_out)) = self.allowance.sum_up() {
            let mut data = json!(left_out);
            data["shown"] = shown.into();
            data["left_out"] = left_out.total().into();
            self.say("file.burst", Level::Info, data);
        }
    }

    fn say(&mut self, kind: &'static str, level: Level, data: Value) {
        let Value::Object(data) = data else {
            unreachable!("the data of a watch event is an object")
        };
        self.out_other(kind, level, data);
    }

    fn out_other(&mut self, kind: &'static str, level: Level, data: Map<String, Value>) {
        let event = self.reporter.other(kind, level, data);
        self.push(event);
    }

    pub(super) fn push(&mut self, event: Event<'static>) {
        self.events += 1;
        self.events_since_heartbeat += 1;
        self.out.push(event);
    }

    /// Names directly in the folder's tree that another watch looks after, or that are gone, are not ours.
    pub(super) fn leave_out(&self, inside: &Path, is_dir: bool) -> bool {
        self.rules.leave_out(&self.root.join(inside), is_dir)
    }
}

/// The last name of a path, as far as it is text.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn seconds_now() -> i64 {
    crate::clock::now().0 / 1_000_000
}
