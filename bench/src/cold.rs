//! Lets the system forget the files of a folder, so that the next read comes from the disk.

use std::path::Path;

use crate::Outcome;

/// Syncs every file below `folder` and drops its pages from the cache.
#[cfg(target_os = "linux")]
pub(crate) fn forget(folder: &Path) -> Outcome {
    use std::fs::{self, File};

    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget(&path)?;
        } else if let Ok(file) = File::open(&path) {
            // Only clean pages can be dropped.
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn forget(_: &Path) -> Outcome {
    Err("this system is not asked to forget files".into())
}
