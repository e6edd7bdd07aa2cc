//! Paths of which something was heard, until they have been quiet long enough to say what happened.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::hearing::{Link, Touch};

/// Whatever goes on at a path, after so long it is said; so long, too, a name is kept for a file an editor put aside.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// Hints that are not decided yet. Paths are relative to the folder.
pub(super) struct Pending {
    touches: BTreeMap<PathBuf, Touch>,
    links: Vec<Link>,
    settle: Duration,
}

impl Pending {
    pub(super) fn new(settle: Duration) -> Self {
        Self {
            touches: BTreeMap::new(),
            links: Vec::new(),
            settle,
        }
    }

    pub(super) fn settle(&self) -> Duration {
        self.settle
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.touches.contains_key(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.touches.keys().map(PathBuf::as_path)
    }

    pub(super) fn touch(&mut self, path: PathBuf, touch: Touch) {
        match self.touches.get_mut(&path) {
            Some(known) => known.merge(touch),
            None => _ = self.touches.insert(path, touch),
        }
    }

    pub(super) fn link(&mut self, link: Link) {
        self.links.push(link);
    }

    /// What was here was put aside under an editor's name.
    pub(super) fn put_aside(&mut self, path: &Path) {
        if let Some(touch) = self.touches.get_mut(path) {
            touch.aside = true;
        }
    }

    /// The other end of a rename that ends here.
    pub(super) fn came_from(&self, path: &Path) -> Option<&Path> {
        self.links
            .iter()
            .rev()
            .find(|link| link.to == path)
            .map(|link| link.from.as_path())
    }

    /// Paths at which a directory may have come to be; asked once.
    pub(super) fn take_directories(&mut self) -> Vec<PathBuf> {
        let fresh = self.touches.iter_mut();
        fresh
            .filter_map(|(path, touch)| std::mem::take(&mut touch.directory).then(|| path.clone()))
            .collect()
    }

    /// Everything below a directory that was renamed happened at its new name, or at both.
    pub(super) fn follow(&mut self, from: &Path, to: &Path) {
        let inside = |path: &Path| path.strip_prefix(from).map(|inside| to.join(inside)).ok();
        let moved: Vec<_> = self
            .below(from)
            .filter_map(|(path, touch)| Some((inside(path)?, touch.clone())))
            .collect();
        for (path, touch) in moved {
            self.touch(path, touch);
        }
    }

    /// Takes one path, due or not.
    pub(super) fn take(&mut self, path: &Path) -> Option<(PathBuf, Touch)> {
        self.touches.remove_entry(path)
    }

    /// Takes everything below a directory, due or not.
    pub(super) fn take_below(&mut self, directory: &Path) -> Vec<(PathBuf, Touch)> {
        let below: Vec<PathBuf> = self.below(directory).map(|(path, _)| path.clone()).collect();
        below
            .iter()
            .filter_map(|path| self.touches.remove_entry(path))
            .collect()
    }

    /// In the map's order a directory and what is below it are neighbours.
    fn below(&self, directory: &Path) -> impl Iterator<Item = (&PathBuf, &Touch)> {
        let from = self.touches.range(directory.to_owned()..);
        from.take_while(move |(path, _)| path.starts_with(directory))
            .filter(move |(path, _)| *path != directory)
    }

    /// Takes what has been quiet long enough, and the renames that concern it. Both ends of a rename settle together.
    pub(super) fn take_due(&mut self, now: Instant) -> (Vec<(PathBuf, Touch)>, Vec<Link>) {
        let due: Vec<PathBuf> = self
            .due_times()
            .into_iter()
            .filter(|(_, at)| *at <= now)
            .map(|(path, _)| path.to_owned())
            .collect();
        let due = due
            .into_iter()
            .filter_map(|path| self.touches.remove_entry(&path))
            .collect();
        let touches = &self.touches;
        let settled = |link: &mut Link| !touches.contains_key(&link.from) && !touches.contains_key(&link.to);
        (due, self.links.extract_if(.., settled).collect())
    }

    /// Takes everything.
    pub(super) fn take_all(&mut self) -> (Vec<(PathBuf, Touch)>, Vec<Link>) {
        (
            std::mem::take(&mut self.touches).into_iter().collect(),
            std::mem::take(&mut self.links),
        )
    }

    /// When there is something to decide.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due_times().into_values().min()
    }

    fn due_times(&self) -> HashMap<&Path, Instant> {
        let mut times: HashMap<&Path, Instant> = self
            .touches
            .iter()
            .map(|(path, touch)| (path.as_path(), self.due(touch)))
            .collect();
        // A chain of renames settles as one; each pass carries the latest moment one link further, both ways.
        for _ in 0..self.links.len() {
            let mut changed = false;
            for link in self.links.iter().chain(self.links.iter().rev()) {
                let (Some(from), Some(to)) = (times.get(&*link.from), times.get(&*link.to)) else {
                    continue;
                };
                let both = *from.max(to);
                changed |= from != to;
                times.insert(&link.from, both);
                times.insert(&link.to, both);
            }
            if !changed {
                break;
            }
        }
        times
    }

    fn due(&self, touch: &Touch) -> Instant {
        let latest = touch.first + HOLD.max(self.settle);
        let quiet = if touch.open == Some(true) {
            latest
        } else {
            touch.last + self.settle
        };
        touch.hold.unwrap_or_else(|| quiet.min(latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hearing::Evidence;

    const SETTLE: Duration = Duration::from_millis(40);

    fn paths(taken: Vec<(PathBuf, Touch)>) -> Vec<PathBuf> {
        let mut paths: Vec<_> = taken.into_iter().map(|(path, _)| path).collect();
        paths.sort();
        paths
    }

    #[test]
    fn a_path_is_due_when_it_was_quiet_and_never_later_than_the_hold() {
        let start = Instant::now();
        let mut pending = Pending::new(SETTLE);
        for step in 0..25 {
            pending.touch(
                "busy".into(),
                Touch::new(start + step * SETTLE, Evidence::Written),
            );
        }
        pending.touch("quiet".into(), Touch::new(start, Evidence::Written));
        assert_eq!(pending.next(), Some(start + SETTLE));
        assert_eq!(paths(pending.take_due(start + SETTLE).0), [Path::new("quiet")]);
        assert_eq!(pending.next(), Some(start + HOLD));
        assert_eq!(paths(pending.take_due(start + HOLD).0), [Path::new("busy")]);
        assert!(pending.next().is_none());
    }

    #[test]
    fn a_file_that_is_still_open_is_waited_for() {
        let start = Instant::now();
        let mut pending = Pending::new(SETTLE);
        pending.touch(
            "a".into(),
            Touch {
                open: Some(true),
                ..Touch::new(start, Evidence::Written)
            },
        );
        assert_eq!(pending.next(), Some(start + HOLD));
        let closed = start + Duration::from_millis(300);
        pending.touch(
            "a".into(),
            Touch {
                open: Some(false),
                ..Touch::new(closed, Evidence::Touched)
            },
        );
        assert_eq!(pending.next(), Some(closed + SETTLE));
    }

    #[test]
    fn both_ends_of_a_chain_of_renames_settle_together() {
        let start = Instant::now();
        let mut pending = Pending::new(SETTLE);
        for (step, path) in ["a", "b", "c"].into_iter().enumerate() {
            let at = start + Duration::from_millis(20) * u32::try_from(step).unwrap();
            pending.touch(path.into(), Touch::new(at, Evidence::Written));
        }
        for (from, to) in [("b", "c"), ("a", "b")] {
            pending.link(Link {
                from: from.into(),
                to: to.into(),
            });
        }
        let last = start + Duration::from_millis(40) + SETTLE;
        assert!(pending.take_due(last - Duration::from_millis(1)).0.is_empty());
        let (due, links) = pending.take_due(last);
        assert_eq!((paths(due).len(), links.len()), (3, 2));
    }
}
