//! Finds out what was renamed: by what the system connected, and by recognising the same file in another place.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    decide::{Cases, fill},
    folder::Folder,
    pending::HOLD,
    report::{FileData, path_text},
    scan::Mode,
};
use crate::{
    hearing::{Evidence, Link, Touch},
    stamp::{Identity, Stamp},
};

/// Paths not yet due that are looked at to find the other half of a move.
const PARTNERS_MAX: usize = 10_000;

/// What is not where it was, and what is where nothing was.
#[derive(Default)]
struct Halves {
    missing: HashMap<Identity, PathBuf>,
    fresh: Vec<(PathBuf, Stamp)>,
}

impl Folder {
    /// We may look before we are told: what is gone without its going having been heard waits for the hint, which says
    /// whether it was renamed. What it was renamed from or to waits with it.
    pub(super) fn wait_for_hints(&mut self, cases: &mut Cases, links: &mut Vec<Link>, now: Instant) {
        let may_wait = |touch: &Touch| now < touch.first + HOLD;
        let targets: HashSet<&Path> = links.iter().map(|link| link.to.as_path()).collect();
        let concerns = |path: &Path| self.tree.contains(path) || targets.contains(path);
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

    /// Where things came from, over all steps: after `a → b → c` it is `a → c`.
    pub(super) fn origins(&self, links: &[Link]) -> Vec<(PathBuf, PathBuf)> {
        let mut origins: Vec<(PathBuf, PathBuf)> = Vec::new();
        let mut ending_at: HashMap<&Path, usize> = HashMap::new();
        for link in links {
            let index = match ending_at.remove(link.from.as_path()) {
                Some(known) => known,
                None => {
                    origins.push((link.from.clone(), link.to.clone()));
                    origins.len() - 1
                }
            };
            origins[index].1.clone_from(&link.to);
            ending_at.insert(&link.to, index);
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
    pub(super) fn moves(&mut self, cases: &mut Cases) -> Vec<(PathBuf, PathBuf)> {
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

    pub(super) fn rename(&mut self, from: &Path, to: &Path, cases: &mut Cases, now: Instant) {
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
}
