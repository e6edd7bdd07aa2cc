//! What tells versions of a file apart without reading it.

use std::{
    fs::{self, Metadata},
    io,
    path::Path,
    time::SystemTime,
};

/// What a path is. Pipes, sockets and devices are none of these and not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Link,
    Directory,
}

/// Device, number on it, and birth where known: numbers of removed files are given again at once.
pub(crate) type Identity = (u64, u64, Option<SystemTime>);

/// Tells versions of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) kind: Kind,
    /// The same wherever the file is moved to; `None` where the system has no such thing.
    pub(crate) identity: Option<Identity>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) size: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let kind = metadata.file_type();
        let kind = if kind.is_symlink() {
            Kind::Link
        } else if kind.is_dir() {
            Kind::Directory
        } else if kind.is_file() {
            Kind::File
        } else {
            return None;
        };
        Some(Self {
            kind,
            identity: identity(metadata),
            modified: metadata.modified().ok(),
            size: metadata.len(),
        })
    }

    /// What is at a path now; links are not followed.
    pub(crate) fn look(path: &Path) -> Option<Self> {
        Self::of(&fs::symlink_metadata(path).ok()?)
    }

    /// What a path leads to now, over links too; `None` where it leads to nothing. The error is what keeps from knowing.
    pub(crate) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Self::of(&metadata)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The device it is on.
    pub(crate) fn device(&self) -> Option<u64> {
        Some(self.identity?.0)
    }

    /// Whether this is the same file, wherever it is, in the same version.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.identity.is_some() && self == other
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

/// Whether an error says that there is nothing. Any other says nothing of what is there.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // other systems have none
pub(crate) fn identity(metadata: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

#[cfg(not(unix))]
pub(crate) fn identity(_: &Metadata) -> Option<Identity> {
    None
}
