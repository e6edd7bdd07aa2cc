//! What is said of a watched folder as a whole: its state at start, that it is well, and what is wrong with it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use kymo_event::Level;
use serde_json::{Map, Value, json};

use super::{
    folder::{Folder, name_of},
    language,
    report::{FileData, path_text},
    repositories::Followed,
};
use crate::stamp::Kind;

/// Of so many files, the most recently changed ones, the state at start is reported one by one.
const FOUND_MAX: usize = 20;
/// Between two reports of directories that cannot be watched.
const LIMITED_AGAIN: Duration = Duration::from_secs(10);
/// Directories named in such a report.
const NAMED_MAX: usize = 20;

impl Folder {
    pub(super) fn say_started(&mut self) {
        let mut languages = BTreeMap::<&str, u64>::new();
        for (path, entry) in self
            .tree
            .iter()
            .filter(|(_, entry)| entry.stamp.kind == Kind::File)
        {
            let known = language::by_name(&name_of(path)).or(entry.language);
            *languages.entry(known.unwrap_or("other")).or_default() += 1;
        }
        let around = |followed: &&Followed| self.root.starts_with(&followed.repo().places().work);
        let git = self
            .repos
            .iter()
            .find(around)
            .map(|followed| followed.repo().summary());
        let data = json!({
            "files": self.tree.files(),
            "directories": self.tree.directories() + 1,
            "languages": languages,
            "git": git,
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

    pub(super) fn heartbeat(&mut self) {
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
    pub(super) fn say_limits(&mut self, now: Instant) {
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

    pub(super) fn sum_up_burst(&mut self, now: Instant, all: bool) {
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

    pub(super) fn say(&mut self, kind: &'static str, level: Level, data: Value) {
        let Value::Object(data) = data else {
            unreachable!("the data of a watch event is an object")
        };
        self.out_other(kind, level, data);
    }

    pub(super) fn out_other(&mut self, kind: &'static str, level: Level, data: Map<String, Value>) {
        let event = self.reporter.other(kind, level, data);
        self.push(event);
    }
}
