//! Where a file is now, as far as that can be known: what cannot be looked at is not gone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    cursor::identity,
    following::{At, Following},
    generation::name_of,
    patterns::Patterns,
};
use crate::stamp::{Stamp, is_absence};

/// Whether the folder of this file can be looked into, and lies on the device on which it lay: not so where a volume is
/// not mounted. The error says why not.
pub(super) fn is_in_reach(file: &Following) -> Result<(), String> {
    let mut folders = file.path.ancestors().skip(1);
    let found = folders.find_map(|folder| Stamp::at(folder).transpose());
    let found = found.transpose().map_err(|why| why.to_string())?;
    match (found.and_then(|folder| folder.device()), file.lies_on) {
        (Some(now), Some(then)) if now != then => Err("what it was on is not there".into()),
        _ => Ok(()),
    }
}

/// The device of the folder that a path lies in.
pub(super) fn device_of_folder(path: &Path) -> Option<u64> {
    Stamp::at(path.parent()?).ok()??.device()
}

/// Where this file is now, if it is still in its directory. One of which nothing was read, or that was put aside under
/// its name with other content, is told by its number, and so only where no other is meant.
pub(super) fn whereabouts(file: &Following, patterns: &Patterns) -> io::Result<Option<PathBuf>> {
    let is_named = |path: &Path| name_of(path) == name_of(&file.path);
    let is_it = |path: &Path| {
        Ok::<_, io::Error>(match file.is_at(path)? {
            At::Other => false,
            At::Same if file.end() > 0 => true,
            At::Same => !patterns.mean(path),
            At::Changed => is_named(path) && !patterns.mean(path),
        })
    };
    if is_it(&file.path)? {
        return Ok(Some(file.path.clone()));
    }
    let entries = match file.path.parent().map(fs::read_dir) {
        None => return Ok(None),
        Some(Err(error)) if is_absence(&error) => return Ok(None),
        Some(entries) => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        // Whatever else lies there may be for others alone.
        let stamp = Stamp::at(&path).ok().flatten();
        if stamp.as_ref().and_then(identity) == file.identity && is_it(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
