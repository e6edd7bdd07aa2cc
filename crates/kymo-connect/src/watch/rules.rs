//! What is left out: `.gitignore` at every level, `.git/info/exclude`, the user's global excludes, the settings'
//! patterns; and always `.git` and `.kymo`.
//!
//! A path is asked about after its parent: whatever lies in a folder that is left out is left out too.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::git::Places;

/// The rules in force in one watched folder.
pub(super) struct Rules {
    root: PathBuf,
    settings: Gitignore,
    /// By the folder their `.gitignore` is in.
    by_folder: HashMap<PathBuf, Gitignore>,
    /// `info/exclude`, by work tree.
    excludes: HashMap<PathBuf, Gitignore>,
    global: Gitignore,
    /// Folders inside this one that are watched by themselves.
    others: Vec<PathBuf>,
}

impl Rules {
    /// With the rules of the folders above, up to the work tree's top.
    pub(super) fn new(root: &Path, patterns: &[String], others: Vec<PathBuf>) -> Self {
        let mut rules = Self {
            root: root.to_owned(),
            settings: from_patterns(root, patterns),
            by_folder: HashMap::new(),
            excludes: HashMap::new(),
            global: Gitignore::global().0,
            others,
        };
        if let Some(places) = Places::around(root) {
            for above in root
                .ancestors()
                .skip(1)
                .take_while(|above| above.starts_with(&places.work))
            {
                rules.load(above);
            }
            rules.load_exclude(&places);
        }
        rules
    }

    /// Reads a folder's `.gitignore` (again); whether there is or was one.
    pub(super) fn load(&mut self, folder: &Path) -> bool {
        let was = self.by_folder.remove(folder).is_some();
        let file = folder.join(".gitignore");
        if !file.is_file() {
            return was;
        }
        // A pattern that cannot be read costs only itself, as in git.
        let (rules, problem) = Gitignore::new(&file);
        if let Some(problem) = problem {
            tracing::debug!(file = %file.display(), %problem, "pattern is left out");
        }
        self.by_folder.insert(folder.to_owned(), rules);
        true
    }

    /// Reads a repository's `info/exclude` (again).
    pub(super) fn load_exclude(&mut self, places: &Places) {
        let mut builder = GitignoreBuilder::new(&places.work);
        builder.add(places.common.join("info/exclude"));
        let rules = builder.build().unwrap_or_else(|_| Gitignore::empty());
        self.excludes.insert(places.work.clone(), rules);
    }

    /// Forgets the rules of a folder that went away, and of those in it.
    pub(super) fn forget(&mut self, folder: &Path) {
        self.by_folder.retain(|of, _| !of.starts_with(folder));
        self.excludes.retain(|of, _| !of.starts_with(folder));
    }

    /// Whether a path is left out, given that its parent is not. The root itself never is.
    pub(super) fn leave_out(&self, path: &Path, is_dir: bool) -> bool {
        if path == self.root {
            return false;
        }
        if path
            .file_name()
            .is_some_and(|name| name == ".git" || name == ".kymo")
            || self.is_other(path)
        {
            return true;
        }
        let folders = || path.ancestors().skip(1);
        let nested = folders().filter_map(|folder| self.by_folder.get(folder));
        let excludes = folders().filter_map(|folder| self.excludes.get(folder));
        let decided = std::iter::once(&self.settings)
            .chain(nested)
            .chain(excludes)
            .chain(std::iter::once(&self.global))
            .map(|rules| rules.matched(path, is_dir))
            .find(|decision| !decision.is_none());
        decided.is_some_and(|decision| decision.is_ignore())
    }

    fn is_other(&self, path: &Path) -> bool {
        self.others.iter().any(|other| other == path)
    }
}

fn from_patterns(root: &Path, patterns: &[String]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns {
        if let Err(problem) = builder.add_line(None, pattern) {
            tracing::warn!(pattern, %problem, "pattern in the settings is left out");
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_rule_decides_and_git_and_kymo_are_always_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join(".gitignore"), "*.log\n/target/\n").unwrap();
        fs::write(root.join("sub/.gitignore"), "!keep.log\n").unwrap();
        let mut rules = Rules::new(root, &["secret*".into()], vec![root.join("own")]);
        assert!(rules.load(root) && rules.load(&root.join("sub")));
        let out = |path: &str, dir| rules.leave_out(&root.join(path), dir);
        assert!(out("a.log", false) && out("sub/a.log", false) && !out("sub/keep.log", false));
        assert!(out("target", true) && !out("target", false) && !out("sub/target", true));
        assert!(out("sub/secrets.txt", false));
        assert!(out(".git", true) && out("sub/.kymo", true) && out("own", true));
        assert!(!out("src", true) && !out("a.rs", false) && !out(".env", false));
    }
}
