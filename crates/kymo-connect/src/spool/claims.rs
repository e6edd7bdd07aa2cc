//! Which spools there are, and making them ours by renaming.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
};

/// So many files are open at once; the rest waits for the next sweep.
const FILES_MAX: usize = 200;

/// What was claimed before, in the order it was claimed, then what is claimed now, oldest first.
pub(super) fn claim_all(spool: &Path) -> Vec<PathBuf> {
    let Ok(listing) = fs::read_dir(spool) else {
        return Vec::new(); // nobody has spooled yet
    };
    let (mut claimed, mut fresh) = (BTreeMap::new(), BTreeMap::new());
    for entry in listing.flatten() {
        let path = entry.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("taking") => _ = claimed.insert((claim_of(&path).to_owned(), path.clone()), path),
            Some("jsonl") => {
                let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
                fresh.insert((written, path.clone()), path);
            }
            _ => {}
        }
    }
    let room = FILES_MAX.saturating_sub(claimed.len());
    let fresh = fresh.into_values().take(room).filter_map(|path| claim(&path));
    claimed.into_values().take(FILES_MAX).chain(fresh).collect()
}

/// `<name>` of `<name>.<claim>.taking`: the same for everything one writer wrote.
pub(super) fn writer_of(claimed: &Path) -> &OsStr {
    claimed
        .file_stem()
        .map(Path::new)
        .and_then(Path::file_stem)
        .unwrap_or_default()
}

/// `<claim>` of `<name>.<claim>.taking`; later claims sort after earlier ones.
fn claim_of(claimed: &Path) -> &OsStr {
    claimed
        .file_stem()
        .map(Path::new)
        .and_then(Path::extension)
        .unwrap_or_default()
}

/// Renames to a name nobody writes to and no earlier claim had.
fn claim(path: &Path) -> Option<PathBuf> {
    let mut name = path.file_stem()?.to_owned();
    name.push(format!(".{}.taking", uuid::Uuid::now_v7().simple()));
    let claimed = path.with_file_name(name);
    match fs::rename(path, &claimed) {
        Ok(()) => Some(claimed),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "spool cannot be claimed");
            None
        }
    }
}

/// Whether a path still names the open file.
pub(super) fn is_still_at(file: &File, path: &Path) -> bool {
    let (Ok(here), Ok(there)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (here.dev(), here.ino()) == (there.dev(), there.ino())
    }
    #[cfg(not(unix))]
    {
        here.created().ok() == there.created().ok()
    }
}
