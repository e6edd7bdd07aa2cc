//! HEAD, branches and tags as they are now, read from the repository's files.

use std::{collections::BTreeMap, fs, path::Path};

use super::{Places, program};

/// Where HEAD is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Short name of the branch; absent when detached.
    pub(super) branch: Option<String>,
    /// The commit; absent before the first one.
    pub(super) hash: Option<String>,
}

/// Hashes by full name (`refs/heads/main`).
pub(super) type Refs = BTreeMap<String, String>;

/// Both at this moment, or `None` while they cannot be read.
pub(super) fn read(places: &Places) -> Option<(Head, Refs)> {
    if places.common.join("reftable").is_dir() {
        return read_by_program(places);
    }
    let text = fs::read_to_string(places.gitdir.join("HEAD")).ok()?;
    // Loose first: a ref that is packed meanwhile is in the packed file before its own file goes.
    let mut refs = Refs::new();
    for kind in ["refs/heads", "refs/tags"] {
        read_loose(&places.common.join(kind), kind, &mut refs);
    }
    for (name, hash) in read_packed(&places.common) {
        refs.entry(name).or_insert(hash);
    }
    let head = match text.trim().strip_prefix("ref: ") {
        Some(name) => Head {
            branch: Some(name.trim_start_matches("refs/heads/").to_owned()),
            hash: refs.get(name).cloned(),
        },
        None => Head {
            branch: None,
            hash: Some(text.trim().to_owned()).filter(|hash| is_hash(hash)),
        },
    };
    Some((head, refs))
}

fn read_by_program(places: &Places) -> Option<(Head, Refs)> {
    let refs = program::refs(&places.work).ok()?.into_iter().collect();
    let (branch, hash) = program::head(&places.work);
    let branch = branch.map(|name| name.trim_start_matches("refs/heads/").to_owned());
    Some((Head { branch, hash }, refs))
}

fn read_loose(folder: &Path, name: &str, refs: &mut Refs) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let name = format!("{name}/{part}");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            read_loose(&entry.path(), &name, refs);
        } else if !part.ends_with(".lock")
            && let Ok(text) = fs::read_to_string(entry.path())
            && is_hash(text.trim())
        {
            refs.insert(name, text.trim().to_owned());
        }
    }
}

fn read_packed(common: &Path) -> Refs {
    let text = fs::read_to_string(common.join("packed-refs")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with(['#', '^']));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    let ours = pairs.filter(|(hash, name)| {
        is_hash(hash) && (name.starts_with("refs/heads/") || name.starts_with("refs/tags/"))
    });
    ours.map(|(hash, name)| (name.to_owned(), hash.to_owned()))
        .collect()
}

/// Whether a text is the name of a commit. What is none must not come near git's command line, where it could be an
/// option.
pub(super) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_refs_that_are_no_hashes_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let hash = "a".repeat(40);
        let text = format!("# pack-refs\n--output=x refs/heads/evil\n{hash} refs/heads/main\n^{hash}\n");
        fs::write(folder.path().join("packed-refs"), text).unwrap();
        let refs = read_packed(folder.path());
        assert_eq!(
            refs.into_iter().collect::<Vec<_>>(),
            [("refs/heads/main".to_owned(), hash)]
        );
    }
}
