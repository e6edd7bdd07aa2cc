//! Where a repository keeps its things: worktrees and submodules have a `.git` file that points elsewhere.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// The folders of a repository, all absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The work tree.
    pub(crate) work: PathBuf,
    /// `HEAD`, its reflog and operations in progress.
    pub(crate) gitdir: PathBuf,
    /// Refs and `info`; the same as `gitdir` but for linked worktrees.
    pub(crate) common: PathBuf,
}

impl Places {
    /// The repository whose work tree this folder is; `None` also while it is still being made.
    pub(crate) fn at(work: &Path) -> Option<Self> {
        let dot_git = work.join(".git");
        let gitdir = if dot_git.is_dir() {
            dot_git
        } else {
            pointed_to(&dot_git, work)?
        };
        if !gitdir.join("HEAD").is_file() {
            return None;
        }
        let common = fs::read_to_string(gitdir.join("commondir"))
            .map_or_else(|_| gitdir.clone(), |text| tidy(&gitdir.join(text.trim_end())));
        Some(Self {
            work: work.to_owned(),
            gitdir,
            common,
        })
    }

    /// The repository this folder lies in.
    pub(crate) fn around(folder: &Path) -> Option<Self> {
        folder.ancestors().find_map(Self::at)
    }

    /// Folders whose changes tell that something happened.
    pub(crate) fn to_watch(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.gitdir.clone(), self.gitdir.join("logs")];
        if self.common != self.gitdir {
            folders.push(self.common.clone());
        }
        folders.push(self.common.join("info"));
        folders.push(self.common.join("reftable"));
        folders.push(self.common.join("refs"));
        for kind in ["refs/heads", "refs/tags"] {
            add_with_folders_below(self.common.join(kind), &mut folders);
        }
        folders.retain(|folder| folder.is_dir());
        folders
    }

    /// Whether a path is inside the repository's own folders.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.gitdir) || path.starts_with(&self.common)
    }

    /// Whether a change of this path can mean that something happened: not the index, not objects, not locks.
    pub(crate) fn is_telling(&self, path: &Path) -> bool {
        const TOP: [&str; 10] = [
            "HEAD",
            "packed-refs",
            "logs",
            "MERGE_HEAD",
            "CHERRY_PICK_HEAD",
            "REVERT_HEAD",
            "BISECT_LOG",
            "rebase-merge",
            "rebase-apply",
            "refs",
        ];
        if path.extension().is_some_and(|extension| extension == "lock") {
            return false;
        }
        [&self.gitdir, &self.common]
            .into_iter()
            .filter_map(|folder| path.strip_prefix(folder).ok())
            .any(|inside| {
                inside == Path::new("logs/HEAD")
                    || inside.starts_with("refs")
                    || inside.starts_with("reftable")
                    || TOP.iter().any(|name| inside == Path::new(name))
            })
    }
}

/// What a `.git` file says: `gitdir: <path>`, relative to the folder it is in.
fn pointed_to(dot_git: &Path, work: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(dot_git).ok()?;
    Some(tidy(&work.join(text.strip_prefix("gitdir:")?.trim())))
}

fn add_with_folders_below(folder: PathBuf, folders: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add_with_folders_below(entry.path(), folders);
        }
    }
    folders.push(folder);
}

/// Without `.` and `..`, so that it compares equal to the paths the watcher reports.
fn tidy(path: &Path) -> PathBuf {
    let plain = path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = plain.pop(),
            other => plain.push(other),
        }
        plain
    });
    plain.canonicalize().unwrap_or(plain)
}
