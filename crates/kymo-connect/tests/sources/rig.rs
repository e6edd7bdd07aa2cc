//! A folder with a watch on it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use kymo_connect::{Watch, WatchSettings, WatchStatus};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::collector::{Collector, Seen};

/// Longer than by default: what a test does in one go is one change even where the machine is busy.
const SETTLE_MS: u64 = 120;

/// A folder before it is watched.
pub(crate) struct Ground {
    pub(crate) dir: TempDir,
    pub(crate) root: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("kymo-watch-").tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("work");
        fs::create_dir(&root).unwrap();
        Self { dir, root }
    }

    /// With these files, each of one line.
    pub(crate) fn with(files: &[&str]) -> Self {
        let ground = Self::new();
        for file in files {
            ground.write(file, "one\n");
        }
        ground
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    pub(crate) fn write(&self, inside: &str, text: impl AsRef<[u8]>) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn mkdir(&self, inside: &str) {
        fs::create_dir_all(self.path(inside)).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) fn remove(&self, inside: &str) {
        fs::remove_file(self.path(inside)).unwrap();
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.root, args)
    }

    /// A repository whose first commit is made.
    pub(crate) fn repository(&self) {
        self.git(&["init", "-q", "-b", "main"]);
        self.write("README.md", "# One\n");
        self.commit("Begin");
    }

    pub(crate) fn commit(&self, subject: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", subject]);
    }

    pub(crate) fn watch(self) -> Rig {
        self.watch_with(|_| ())
    }

    pub(crate) fn watch_with(self, change: impl FnOnce(&mut WatchSettings)) -> Rig {
        let mut settings = WatchSettings {
            folders: vec![self.root.clone()],
            settle_ms: SETTLE_MS,
            ..WatchSettings::default()
        };
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::new(Collector::default());
        let stop = CancellationToken::new();
        let watch = runtime
            .block_on(Watch::start(settings, seen.clone(), stop.clone()))
            .unwrap();
        let rig = Rig {
            ground: self,
            seen,
            stop,
            watch: Some(watch),
            runtime,
        };
        rig.until("watch.started", |seen| seen.kind == "watch.started");
        rig
    }
}

/// Runs git as nobody in particular, whatever the machine's own settings are, and also where a hook of git runs the
/// tests and names its repository in the environment.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "core.editor=true", "-c", "commit.gpgsign=false"])
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([
            ("GIT_AUTHOR_NAME", "Ada"),
            ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ])
        .envs([
            ("GIT_COMMITTER_NAME", "Ada"),
            ("GIT_COMMITTER_EMAIL", "ada@example.org"),
        ])
        .output()
        .expect("git is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A watched folder.
pub(crate) struct Rig {
    pub(crate) ground: Ground,
    pub(crate) seen: Arc<Collector>,
    stop: CancellationToken,
    watch: Option<Watch>,
    runtime: tokio::runtime::Runtime,
}

impl std::ops::Deref for Rig {
    type Target = Ground;
    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl Rig {
    /// Waits for an event.
    pub(crate) fn until(&self, what: &str, mut is: impl FnMut(&Seen) -> bool) -> Seen {
        self.seen
            .until(what, |seen| seen.iter().find(|one| is(one)).cloned())
    }

    /// Waits for an event told in these words.
    pub(crate) fn until_told(&self, words: &str) -> Seen {
        self.until(words, |seen| seen.told() == words)
    }

    pub(crate) fn status(&self) -> WatchStatus {
        self.watch.as_ref().unwrap().status().remove(0)
    }

    /// Waits until everything done so far was seen: events come in order, and this is the last.
    pub(crate) fn settle(&self, marker: &str) {
        self.write(marker, "");
        self.until(marker, |seen| {
            seen.text("path") == marker && seen.kind == "file.created"
        });
    }

    /// Stops and gives everything that was reported.
    pub(crate) fn end(self) -> Vec<Seen> {
        self.end_with(|| ()).0
    }

    /// The same, and what something says of the folder at the end.
    pub(crate) fn end_with<T>(mut self, look: impl FnOnce() -> T) -> (Vec<Seen>, T) {
        if self.root.exists() {
            self.settle("zz-end");
        }
        self.stop.cancel();
        self.runtime.block_on(self.watch.take().unwrap().finished());
        let seen = self.seen.seen();
        let ids: std::collections::HashSet<_> = seen.iter().map(|seen| &seen.id).collect();
        assert_eq!(ids.len(), seen.len(), "every event has an id of its own");
        for one in &seen {
            let known =
                kymo_event::catalogue::lookup(&one.kind).unwrap_or_else(|| panic!("{} is known", one.kind));
            assert_eq!(known.level, one.level, "{}", one.kind);
        }
        (seen, look())
    }

    /// Stops and tells what happened to files and in git, in order.
    pub(crate) fn story(self) -> Vec<String> {
        let told = |seen: &Seen| {
            let counts = seen.kind.starts_with("file.")
                && seen.kind != "file.found"
                && !seen.text("path").starts_with("zz-");
            (counts || seen.kind.starts_with("git.")).then(|| seen.told())
        };
        self.end().iter().filter_map(told).collect()
    }
}
