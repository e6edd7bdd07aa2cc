//! Says what happened to paths that have settled, by comparing what is there with what was last seen.
//!
//! Renames come first, then what is left is created, modified or removed. A file that came and went in between never
//! was; a file whose name was taken by another one is modified: that is what makes an editor's save one change.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use super::{
    content::{self, Content, line_changes},
    folder::{Folder, name_of},
    pending::HOLD,
    report::{FileData, path_text},
    scan::Mode,
    scratch::may_be_temporary,
    tree::Entry,
};
use crate::{
    hearing::{Evidence, Link, Touch},
    stamp::{Kind, Stamp},
};

/// Paths that have settled, with what was heard of them.
pub(super) type Cases = BTreeMap<PathBuf, Touch>;

impl Folder {
    /// Decides these paths; those that must wait longer go back to pending.
    pub(super) fn decide(&mut self, due: Vec<(PathBuf, Touch)>, mut links: Vec<Link>, now: Instant) {
        if due.is_empty() {
            return;
        }
        let mut cases: Cases = due.into_iter().collect();
        self.wait_for_hints(&mut cases, &mut links, now);
        self.add_what_was_in_removed_directories(&mut cases);
        let mut renames = self.origins(&links);
        renames.extend(self.moves(&mut cases));
        for (from, to) in renames {
            self.rename(&from, &to, &mut cases, now);
        }
        let mut in_order: Vec<(PathBuf, Touch)> = cases.into_iter().collect();
        in_order.sort_by_key(|(_, touch)| touch.last);
        let rules: Vec<PathBuf> = in_order.iter().filter_map(|(path, _)| rules_of(path)).collect();
        for (path, touch) in in_order {
            self.decide_one(path, touch, now);
        }
        for directory in rules {
            self.apply_rules(&directory, now);
        }
    }

    /// What was heard of files in a directory that is gone belongs to its going.
    fn add_what_was_in_removed_directories(&mut self, cases: &mut Cases) {
        let gone: Vec<PathBuf> = cases
            .keys()
            .filter(|path| {
                self.tree
                    .get(path)
                    .is_some_and(|entry| entry.stamp.is_directory())
            })
            .filter(|path| Stamp::look(&self.absolute(path)).is_none())
            .cloned()
            .collect();
        for directory in gone {
            cases.extend(self.pending.take_below(&directory));
        }
    }

    fn decide_one(&mut self, path: PathBuf, touch: Touch, now: Instant) {
        let stamp =
            Stamp::look(&self.absolute(&path)).filter(|stamp| !self.leave_out(&path, stamp.is_directory()));
        let known = self.tree.get(&path).map(|entry| entry.stamp);
        match (known, stamp) {
            (None, None) => {}
            (None, Some(stamp)) if stamp.is_directory() => _ = self.look_at(&path, Mode::Report, now),
            (None, Some(stamp)) => self.appear(path, stamp, touch, now),
            (Some(_), None) => self.vanish(path, touch, now),
            (Some(known), Some(stamp)) if known.is_directory() != stamp.is_directory() => {
                self.remove(&path, touch.last);
                self.decide_one(path, touch, now);
            }
            (Some(known), Some(stamp)) if known.is_directory() => {
                // Made anew, or something else was here in between: what is in it is not what was.
                if known.identity != stamp.identity || touch.evidence == Evidence::Written {
                    self.look_at(&path, Mode::Report, now);
                }
            }
            (Some(known), Some(stamp)) => self.change(&path, &known, stamp, &touch),
        }
    }

    fn appear(&mut self, path: PathBuf, stamp: Stamp, mut touch: Touch, now: Instant) {
        let neighbour = |name: &str| self.tree.contains(&path.with_file_name(name));
        if now < touch.first + HOLD && may_be_temporary(&name_of(&path), neighbour) {
            touch.hold = Some(touch.first + HOLD);
            self.pending.touch(path, touch);
            return;
        }
        let content = self.content(&path, &stamp);
        let mut data = FileData::default();
        self.count_lines(&mut data, None, &content);
        self.keep(&path, stamp, content);
        self.say_file("file.created", &path, data, touch.last);
    }

    fn vanish(&mut self, path: PathBuf, mut touch: Touch, now: Instant) {
        if touch.aside && now < touch.first + HOLD {
            touch.hold = Some(touch.first + HOLD);
            self.pending.touch(path, touch);
            return;
        }
        self.remove(&path, touch.last);
    }

    pub(super) fn remove(&mut self, path: &Path, at: Instant) {
        let absolute = self.absolute(path);
        let mut removed = self.tree.take_subtree(path);
        removed.reverse();
        let mut directories = Vec::new();
        for (path, entry) in removed {
            self.memory.forget(entry.slot);
            if entry.stamp.is_directory() {
                directories.push(entry.stamp);
            } else {
                self.say_removed(&path, &entry, at);
            }
        }
        if !directories.is_empty() {
            self.rules.forget(&absolute);
            self.ears.forget(&absolute);
            self.hear_again(&directories);
        }
    }

    /// A directory that was found in its new place before its going was heard lost its registration with the going.
    fn hear_again(&mut self, gone: &[Stamp]) {
        let elsewhere: Vec<PathBuf> = gone
            .iter()
            .filter_map(|stamp| self.tree.directory_of(stamp))
            .map(Path::to_owned)
            .collect();
        for directory in elsewhere {
            self.look_at(&directory, Mode::Report, Instant::now());
        }
    }

    fn change(&mut self, path: &Path, known: &Stamp, stamp: Stamp, touch: &Touch) {
        if touch.evidence != Evidence::Written && *known == stamp {
            return;
        }
        let content = self.content(path, &stamp);
        let before = self.tree.get(path).expect("known above").clone();
        let written = touch.evidence == Evidence::Written && *known != content.stamp.unwrap_or(stamp);
        // A write without a close may be a mere change of times: the system reports both alike.
        let closed = touch.open != Some(true) || known.identity != stamp.identity;
        let changed = match (before.hash, content.hash) {
            (Some(old), Some(new)) => old != new || (written && closed),
            _ if known.kind == Kind::File && stamp.kind == Kind::File => written || known.size != stamp.size,
            _ => *known != stamp,
        };
        if !changed {
            self.keep(path, stamp, content);
            return;
        }
        let mut data = FileData::default();
        self.count_lines(&mut data, Some(&before), &content);
        self.keep(path, stamp, content);
        self.say_file("file.modified", path, data, touch.last);
    }

    pub(super) fn content(&self, path: &Path, stamp: &Stamp) -> Content {
        if stamp.kind != Kind::File {
            return Content::default();
        }
        // Unreadable for us, or gone this moment: its removal is on the way.
        content::read(&self.absolute(path), self.settings.content_bytes_max).unwrap_or_default()
    }

    /// Lines added and removed since `before` (`None`: there was nothing), where both versions are known.
    pub(super) fn count_lines(&self, data: &mut FileData<'_>, before: Option<&Entry>, content: &Content) {
        if content.line_count().is_none() {
            return;
        }
        let old = match before {
            None => Some(&[][..]),
            Some(before) => self.memory.get(before.slot),
        };
        if let Some(old) = old {
            let (added, removed) = line_changes(old, &content.lines);
            (data.added, data.removed) = (Some(added), Some(removed));
        }
    }

    pub(super) fn say_removed(&mut self, path: &Path, before: &Entry, at: Instant) {
        let mut data = FileData {
            removed: before.lines,
            added: before.lines.map(|_| 0),
            ..FileData::default()
        };
        fill(&mut data, before);
        self.say_file("file.removed", path, data, at);
    }

    /// Reports a change, if it is among those reported one by one.
    pub(super) fn say_file(&mut self, kind: &'static str, path: &Path, mut data: FileData<'_>, at: Instant) {
        if !self.allowance.take(kind, Instant::now()) {
            return;
        }
        if let Some(entry) = self.tree.get(path) {
            fill(&mut data, entry);
        }
        let (text, lossy) = path_text(path);
        (data.path, data.lossy) = (text, lossy);
        let folder = self.reporter.folder().to_owned();
        let data = FileData {
            folder: &folder,
            ..data
        };
        let event = self.reporter.file(kind, &data, SystemTime::now() - at.elapsed());
        self.push(event);
    }
}

/// What is known of a version.
pub(super) fn fill(data: &mut FileData<'_>, entry: &Entry) {
    if entry.stamp.is_directory() {
        return;
    }
    data.language = entry.language;
    data.size = Some(entry.stamp.size);
    data.lines = entry.lines;
    data.binary = entry.binary;
    data.symlink = entry.stamp.kind == Kind::Link;
}

/// The directory whose rules a path holds.
fn rules_of(path: &Path) -> Option<PathBuf> {
    (name_of(path) == ".gitignore").then(|| path.parent().unwrap_or(Path::new("")).to_owned())
}
