//! What the paths of the settings mean: which files there are now, and in which directories others may appear.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
};

use ignore::{
    WalkBuilder,
    overrides::{Override, OverrideBuilder},
};

use crate::{
    file::is_rotation_of,
    stamp::{Kind, Stamp, is_absence},
};

/// The files of a folder that is given without a glob.
const OF_A_FOLDER: &str = "**/*.{jsonl,ndjson}";

/// Which files are meant.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
    /// Folders whose files are never meant: what is written there is written by ourselves.
    but: Vec<PathBuf>,
}

/// A path as it was given.
struct Pattern {
    /// A file or a folder, or what stands before the first glob.
    base: PathBuf,
    /// What the files below the base are called; `None` where the base may be a file as well as a folder.
    names: Option<Names>,
    /// The names of a folder, where the base turns out to be one.
    of_a_folder: Names,
}

struct Names {
    glob: Override,
    depth_max: Option<usize>,
    may_be_hidden: bool,
}

/// What is there.
#[derive(Default)]
pub(super) struct Present {
    /// By path, each once.
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// Where something may appear or change.
    pub(super) directories: BTreeSet<PathBuf>,
    /// What cannot be looked at, and why: nothing is known of what is there.
    pub(super) unseen: BTreeMap<PathBuf, String>,
}

impl Present {
    fn unseen(&mut self, path: &Path, why: &io::Error) {
        if !is_absence(why) {
            self.unseen.insert(path.to_owned(), why.to_string());
        }
    }
}

impl Patterns {
    /// Understands paths; files below `but` are left out. The error says which path is wrong, and why.
    pub(super) fn new(paths: &[String], but: &[PathBuf]) -> Result<Self, String> {
        let patterns: Result<_, String> = paths
            .iter()
            .map(|path| Pattern::new(path).map_err(|cause| format!("`{path}` {cause}")))
            .collect();
        let but = but.iter().map(|path| real(path));
        Ok(Self {
            patterns: patterns?,
            but: but.collect(),
        })
    }

    /// Looks for them.
    pub(super) fn find(&self) -> Present {
        let mut present = Present::default();
        for pattern in &self.patterns {
            pattern.find(&self.but, &mut present);
        }
        present
    }

    /// Whether a file at this path would be meant.
    pub(super) fn mean(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.means(path)) && !self.leave_out(path)
    }

    fn leave_out(&self, path: &Path) -> bool {
        is_below(path, &self.but)
    }
}

impl Pattern {
    fn new(given: &str) -> Result<Self, String> {
        let path = std::path::absolute(expand(given)?).map_err(|cause| format!("is no path: {cause}"))?;
        let is_literal = fs::metadata(&path).is_ok();
        let (mut base, mut rest) = (PathBuf::new(), PathBuf::new());
        for part in path.components() {
            let is_glob = matches!(part, Component::Normal(name) if has_glob(&name.to_string_lossy()));
            if rest.as_os_str().is_empty() && (is_literal || !is_glob) {
                base.push(part);
            } else {
                rest.push(part);
            }
        }
        let names = (!rest.as_os_str().is_empty())
            .then(|| Names::new(&base, &rest.to_string_lossy()))
            .transpose()?;
        Ok(Self {
            of_a_folder: Names::new(&base, OF_A_FOLDER)?,
            names,
            base,
        })
    }

    fn find(&self, but: &[PathBuf], present: &mut Present) {
        let found = fs::metadata(&self.base);
        match (&self.names, found) {
            (_, Err(why)) => {
                present.unseen(&self.base, &why);
                // It may appear, and so may the folders it lies in.
                let there = self.base.ancestors().skip(1).find(|path| path.is_dir());
                present.directories.extend(there.map(Path::to_owned));
            }
            (None, Ok(metadata)) if !metadata.is_dir() => {
                let stamp = Stamp::of(&metadata).filter(|stamp| stamp.kind == Kind::File);
                if let Some(stamp) = stamp.filter(|_| !is_below(&self.base, but)) {
                    present.directories.extend(self.base.parent().map(Path::to_owned));
                    // A link is heard of where it is, what it leads to is heard of there.
                    let target = self.base.canonicalize().ok();
                    present
                        .directories
                        .extend(target.as_deref().and_then(Path::parent).map(Path::to_owned));
                    present.files.insert(self.base.clone(), stamp);
                }
            }
            (names, Ok(_)) => names
                .as_ref()
                .unwrap_or(&self.of_a_folder)
                .find(&self.base, but, present),
        }
    }

    /// Whether this is the path itself, or where it leads to as a link.
    fn is(&self, path: &Path) -> bool {
        path == self.base || self.base.canonicalize().is_ok_and(|target| target == path)
    }

    fn means(&self, path: &Path) -> bool {
        match &self.names {
            Some(names) => names.mean(path),
            None => self.is(path) || self.of_a_folder.mean(path),
        }
    }
}

impl Names {
    fn new(base: &Path, glob: &str) -> Result<Self, String> {
        let mut builder = OverrideBuilder::new(base);
        builder
            .add(&format!("/{glob}"))
            .map_err(|cause| format!("is no glob: {cause}"))?;
        let parts: Vec<_> = glob.split(['/', '\\']).collect();
        Ok(Self {
            glob: builder.build().map_err(|cause| format!("is no glob: {cause}"))?,
            depth_max: (!glob.contains("**")).then_some(parts.len()),
            may_be_hidden: parts.iter().any(|part| part.starts_with('.')),
        })
    }

    fn find(&self, base: &Path, but: &[PathBuf], present: &mut Present) {
        // The walk goes over no links, so that paths are real but for the base.
        let real = real(base);
        if but.iter().any(|but| real.starts_with(but)) {
            return;
        }
        let inside = but.iter().filter_map(|but| but.strip_prefix(&real).ok());
        let inside: Vec<PathBuf> = inside.map(|rest| base.join(rest)).collect();
        let walk = WalkBuilder::new(base)
            .standard_filters(false)
            .hidden(!self.may_be_hidden)
            .max_depth(self.depth_max)
            .filter_entry(move |entry| !inside.iter().any(|but| is_or_was(entry.path(), but)))
            .build();
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    if let Some(why) = error.io_error() {
                        present.unseen(path_of(&error).unwrap_or(base), why);
                    }
                    continue;
                }
            };
            let path = entry.path();
            if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                let is_deepest = self.depth_max == Some(entry.depth());
                if !is_deepest {
                    present.directories.insert(path.to_owned());
                }
            } else if self.mean(path) && !(entry.path_is_symlink() && is_below(path, but)) {
                match Stamp::at(path) {
                    Ok(Some(stamp)) if stamp.kind == Kind::File => {
                        present.files.insert(path.to_owned(), stamp);
                    }
                    Ok(_) => {}
                    Err(why) => present.unseen(path, &why),
                }
            }
        }
    }

    fn mean(&self, path: &Path) -> bool {
        path.starts_with(self.glob.path()) && self.glob.matched(path, false).is_whitelist()
    }
}

/// A path without links, as far as it leads to something.
fn real(path: &Path) -> PathBuf {
    let upward = path
        .ancestors()
        .find_map(|there| Some((there, there.canonicalize().ok()?)));
    match upward {
        Some((there, real)) => path
            .strip_prefix(there)
            .map_or(real.clone(), |rest| real.join(rest)),
        None => path.to_owned(),
    }
}

/// Whether a path leads to below one of these, which are real.
fn is_below(path: &Path, folders: &[PathBuf]) -> bool {
    let path = real(path);
    folders
        .iter()
        .any(|folder| path.starts_with(folder) || is_or_was(&path, folder))
}

/// Whether a path is this one, or one that rotation gave to what was there.
fn is_or_was(path: &Path, of: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    path == of
        || path.parent() == of.parent()
            && name(path)
                .zip(name(of))
                .is_some_and(|(name, of)| is_rotation_of(&name, &of))
}

/// Where the walk met an error.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } => path_of(err),
        _ => None,
    }
}

fn has_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// `~` is the home folder, `$NAME` what the environment says.
pub(crate) fn expand(path: &str) -> Result<PathBuf, String> {
    if let Some(rest) = path.strip_prefix("~/").or((path == "~").then_some("")) {
        let home = std::env::home_dir().ok_or("begins with ~, and there is no home folder: write it out")?;
        return Ok(home.join(rest));
    }
    let Some(named) = path.strip_prefix('$') else {
        return Ok(path.into());
    };
    let end = named
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(named.len());
    let (name, rest) = named.split_at(end);
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok((value + rest).into()),
        _ => Err(format!(
            "needs the environment variable {name}, which is not set: set it or write the path"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ground(tempfile::TempDir);

    impl Ground {
        fn with(files: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "{}\n").unwrap();
            }
            Self(folder)
        }

        fn found(&self, pattern: &str) -> Vec<String> {
            let but = [self.0.path().join("data")];
            let path = self.0.path().join(pattern).to_string_lossy().into_owned();
            let patterns = Patterns::new(&[path], &but).unwrap();
            let present = patterns.find();
            for path in present.files.keys() {
                assert!(patterns.mean(path), "{path:?}");
                assert!(
                    present.directories.contains(path.parent().unwrap()),
                    "{path:?} is not heard of"
                );
            }
            let relative = |path: &PathBuf| {
                path.strip_prefix(self.0.path())
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            };
            present.files.keys().map(relative).collect()
        }
    }

    #[test]
    fn a_file_a_folder_and_globs_mean_the_files_people_expect() {
        let ground = Ground::with(&[
            "a.jsonl",
            "b.ndjson",
            "c.txt",
            "old.jsonl.1",
            "x/d.jsonl",
            "x/y/e.jsonl",
            ".hidden/f.jsonl",
            "data/ledger/1.jsonl",
            "x[1].jsonl",
        ]);
        assert_eq!(ground.found("c.txt"), ["c.txt"]);
        assert_eq!(
            ground.found(""),
            ["a.jsonl", "b.ndjson", "x/d.jsonl", "x/y/e.jsonl", "x[1].jsonl"]
        );
        assert_eq!(ground.found("*.jsonl"), ["a.jsonl", "x[1].jsonl"]);
        assert_eq!(ground.found("x/*.jsonl"), ["x/d.jsonl"]);
        assert_eq!(ground.found("x/**/*.jsonl"), ["x/d.jsonl", "x/y/e.jsonl"]);
        assert_eq!(ground.found("old.jsonl*"), ["old.jsonl.1"]);
        assert_eq!(ground.found("{a,b}.*"), ["a.jsonl", "b.ndjson"]);
        assert_eq!(ground.found(".hidden"), [".hidden/f.jsonl"]);
        assert_eq!(ground.found(".h*/*"), [".hidden/f.jsonl"]);
        assert_eq!(ground.found("x[1].jsonl"), ["x[1].jsonl"]);
        assert!(ground.found("later/z.jsonl").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn by_no_link_is_our_own_folder_followed() {
        let ground = Ground::with(&["real/a.jsonl", "real/data/1.jsonl"]);
        let root = ground.0.path();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        std::os::unix::fs::symlink("data/1.jsonl", root.join("real/newest.jsonl")).unwrap();
        for but in ["real/data", "link/data"] {
            let found = |pattern: &str| {
                let path = root.join(pattern).to_string_lossy().into_owned();
                let patterns = Patterns::new(&[path], &[root.join(but)]).unwrap();
                assert!(!patterns.mean(&root.join("link/data/2.jsonl")), "{pattern}");
                patterns.find().files.into_keys().collect::<Vec<_>>()
            };
            assert_eq!(found("link"), [root.join("link/a.jsonl")]);
            assert_eq!(found("real"), [root.join("real/a.jsonl")]);
            for none in [
                "link/data",
                "link/data/1.jsonl",
                "real/data/*.jsonl",
                "real/newest.jsonl",
            ] {
                assert_eq!(found(none), [] as [PathBuf; 0], "{none}");
            }
        }
    }

    #[test]
    fn what_may_appear_is_waited_for_where_it_may() {
        let ground = Ground::with(&["x/a.txt"]);
        let root = ground.0.path();
        let directories = |pattern: &str| {
            let path = root.join(pattern).to_string_lossy().into_owned();
            Patterns::new(&[path], &[]).unwrap().find().directories
        };
        assert_eq!(directories("later/deep/z.jsonl"), [root.to_owned()].into());
        assert_eq!(directories("x/*.jsonl"), [root.join("x")].into());
        assert_eq!(directories(""), [root.to_owned(), root.join("x")].into());
    }

    #[test]
    fn a_variable_that_is_not_set_and_a_bad_glob_are_errors_that_say_what_to_do() {
        let error = |path: &str| Patterns::new(&[path.into()], &[]).err().expect("an error");
        assert!(error("$KYMO_TEST_NOT_SET/a").contains("variable KYMO_TEST_NOT_SET"));
        assert!(error("/tmp/[").contains("is no glob"));
        // Set wherever tests run.
        assert_eq!(
            expand("$PATH").unwrap(),
            PathBuf::from(std::env::var("PATH").unwrap())
        );
        assert!(expand("~/x").unwrap().is_absolute());
    }
}
