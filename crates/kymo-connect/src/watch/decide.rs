//! Says what happened to paths that have settled, by comparing what is there with what was last seen.
//!
//! Renames come first, then what is left is created, modified or removed. A file that came and went in between never
//! was; a file whose name was taken by another one is modified: that is what makes an editor's save one change.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use super::{
    content::{self, Content, line_changes},
    folder::{Folder, name_of},
    hints::{Evidence, Link, Touch},
    pending::HOLD,
    report::{FileData, path_text},
    scan::Mode,
    scratch::may_be_temporary,
    tree::{Entry, Identity, Kind, Stamp},
};

/// Paths not yet due that are looked at to find the other half of a move.
const PARTNERS_MAX: usize = 10_000;

type Cases = BTreeMap<PathBuf, Touch>;

/// What is not where it was, and what is where nothing was.
#[derive(Default)]
struct Halves {
    missing: HashMap<Identity, PathBuf>,
    fresh: Vec<(PathBuf, Stamp)>,
}

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

    /// We may look before we are told: what is gone without its going having been heard waits for the hint, which says
    /// whether it was renamed. What it was renamed from or to waits with it.
    fn wait_for_hints(&mut self, cases: &mut Cases, links: &mut Vec<Link>, now: Instant) {
        let may_wait = |touch: &Touch| now < touch.first + HOLD;
        let concerns = |path: &Path| self.tree.contains(path) || links.iter().any(|link| link.to == path);
        let mut early: HashSet<PathBuf> = cases
            .iter()
            .filter(|(path, touch)| touch.gone != Some(true) && may_wait(touch) && concerns(path))
            .filter(|(path, _)| Stamp::look(&self.absolute(path)).is_none())
            .map(|(path, _)| path.clone())
            .collect();
        if early.is_empty() {
            return;
        }
        for link in links.iter().chain(links.iter().rev()) {
            for (one, other) in [(&link.from, &link.to), (&link.to, &link.from)] {
                if early.contains(one) && cases.get(other).is_some_and(may_wait) {
                    early.insert(other.clone());
                }
            }
        }
        for link in links.extract_if(.., |link| early.contains(&link.from) || early.contains(&link.to)) {
            self.pending.link(link);
        }
        for path in early {
            let Some(mut touch) = cases.remove(&path) else {
                continue;
            };
            touch.hold = Some(now + self.pending.settle());
            self.pending.touch(path, touch);
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

    /// Where things came from, over all steps: after `a → b → c` it is `a → c`.
    fn origins(&self, links: &[Link]) -> Vec<(PathBuf, PathBuf)> {
        let mut origins: Vec<(PathBuf, PathBuf)> = Vec::new();
        for link in links {
            match origins.iter().rposition(|(_, to)| *to == link.from) {
                Some(known) => origins[known].1.clone_from(&link.to),
                None => origins.push((link.from.clone(), link.to.clone())),
            }
        }
        origins.retain(|(from, to)| from != to && self.is_rename(from, to));
        origins.sort_by_key(|(from, _)| {
            !self
                .tree
                .get(from)
                .is_some_and(|entry| entry.stamp.is_directory())
        });
        origins
    }

    /// Whether what was at `from` is at `to` now. If `from` is there again, the file kept its name and got a copy.
    fn is_rename(&self, from: &Path, to: &Path) -> bool {
        let (Some(before), Some(now)) = (self.tree.get(from), Stamp::look(&self.absolute(to))) else {
            return false;
        };
        before.stamp.kind == now.kind
            && before.stamp.identity == now.identity
            && Stamp::look(&self.absolute(from)).is_none()
            && !self.leave_out(to, now.is_directory())
    }

    /// Moves whose halves were not connected by the system: the same file is missing here and new there.
    fn moves(&mut self, cases: &mut Cases) -> Vec<(PathBuf, PathBuf)> {
        let mut halves = Halves::default();
        for path in cases.keys() {
            self.sort_half(path, &mut halves);
        }
        // Among what is not yet due only the other halves are of interest.
        let (some_missing, some_fresh) = (!halves.missing.is_empty(), !halves.fresh.is_empty());
        for path in self.pending.paths().take(PARTNERS_MAX) {
            let wanted = if self.tree.contains(path) {
                some_fresh
            } else {
                some_missing
            };
            if wanted {
                self.sort_half(path, &mut halves);
            }
        }
        let Halves { missing, fresh } = halves;
        let mut moves = Vec::new();
        for (to, now) in fresh {
            let Some(from) = now.identity.and_then(|identity| missing.get(&identity)).cloned() else {
                continue;
            };
            let same = self
                .tree
                .get(&from)
                .is_some_and(|before| before.stamp.is_same_file(&now));
            if same
                && (cases.contains_key(&from) || cases.contains_key(&to))
                && !self.leave_out(&to, now.is_directory())
            {
                cases.extend(
                    [&from, &to]
                        .into_iter()
                        .filter_map(|path| self.pending.take(path)),
                );
                moves.push((from, to));
            }
        }
        moves
    }

    fn sort_half(&self, path: &Path, halves: &mut Halves) {
        match (self.tree.get(path), Stamp::look(&self.absolute(path))) {
            (Some(before), None) => {
                if let Some(identity) = before.stamp.identity {
                    halves.missing.insert(identity, path.to_owned());
                }
            }
            (None, Some(now)) => halves.fresh.push((path.to_owned(), now)),
            _ => {}
        }
    }

    fn rename(&mut self, from: &Path, to: &Path, cases: &mut Cases, now: Instant) {
        let at = cases.get(to).or(cases.get(from)).map_or(now, |touch| touch.last);
        let Some(entry) = self.tree.get(from) else { return };
        if entry.stamp.is_directory() {
            self.rename_directory(from, to, cases, at);
            self.look_at(to, Mode::Report, now);
        } else {
            let touch = cases.remove(to);
            self.rename_file(from, to, touch.as_ref(), at);
        }
        cases.remove(from);
    }

    fn rename_directory(&mut self, from: &Path, to: &Path, cases: &mut Cases, at: Instant) {
        let mut files = 0;
        let replaced = self.tree.take_subtree(to);
        let moved = self.tree.take_subtree(from);
        for (path, entry) in moved {
            let inside = path
                .strip_prefix(from)
                .expect("the subtree is below its directory");
            files += u64::from(!entry.stamp.is_directory());
            self.tree.set(
                if inside.as_os_str().is_empty() {
                    to.to_owned()
                } else {
                    to.join(inside)
                },
                entry,
            );
        }
        // Gone are only those whose names were not taken by another file.
        for (path, entry) in replaced.iter().filter(|(_, entry)| !entry.stamp.is_directory()) {
            self.memory.forget(entry.slot);
            if self.tree.get(path).is_none_or(|taken| taken.stamp.is_directory()) {
                self.say_removed(path, entry, at);
            }
        }
        let old = self.absolute(from);
        self.rules.forget(&old);
        self.ears.forget(&old);
        self.pending.follow(from, to);
        for (path, touch) in cases
            .iter()
            .filter(|(path, _)| path.starts_with(from) && *path != from)
        {
            let inside = path.strip_prefix(from).expect("just asked");
            self.pending.touch(to.join(inside), touch.clone());
        }
        cases.remove(to);
        let data = FileData {
            from: Some(path_text(from).0),
            directory: true,
            files: Some(files),
            ..FileData::default()
        };
        self.say_file("file.renamed", to, data, at);
    }

    fn rename_file(&mut self, from: &Path, to: &Path, touch: Option<&Touch>, at: Instant) {
        if self.tree.get(to).is_some_and(|known| known.stamp.is_directory()) {
            self.remove(to, at);
        }
        let replaced = self.tree.remove(to);
        self.memory.forget(replaced.as_ref().and_then(|entry| entry.slot));
        let Some(before) = self.tree.remove(from) else {
            return;
        };
        let Some(stamp) = Stamp::look(&self.absolute(to)) else {
            return;
        };
        let mut data = FileData {
            from: Some(path_text(from).0),
            replaced: replaced.is_some(),
            ..FileData::default()
        };
        let unchanged = stamp == before.stamp
            && touch.is_none_or(|touch| touch.evidence != Evidence::Written || touch.open.is_none());
        if unchanged {
            fill(&mut data, &before);
            self.tree.set(to.to_owned(), before);
        } else {
            let content = self.content(to, &stamp);
            self.count_lines(&mut data, Some(&before), &content);
            self.memory.forget(before.slot);
            self.keep(to, stamp, content);
        }
        self.say_file("file.renamed", to, data, at);
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

    fn remove(&mut self, path: &Path, at: Instant) {
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

    fn content(&self, path: &Path, stamp: &Stamp) -> Content {
        if stamp.kind != Kind::File {
            return Content::default();
        }
        // Unreadable for us, or gone this moment: its removal is on the way.
        content::read(&self.absolute(path), self.settings.content_bytes_max).unwrap_or_default()
    }

    /// Lines added and removed since `before` (`None`: there was nothing), where both versions are known.
    fn count_lines(&self, data: &mut FileData<'_>, before: Option<&Entry>, content: &Content) {
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
    fn say_file(&mut self, kind: &'static str, path: &Path, mut data: FileData<'_>, at: Instant) {
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
fn fill(data: &mut FileData<'_>, entry: &Entry) {
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
