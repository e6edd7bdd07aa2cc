//! Why something could not be done, with the facts; the cause is the source.

use std::{io, path::PathBuf, sync::Arc};

/// Why a batch was not appended. Nothing of it is in the ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: try again later.
    #[error("the writer's queue is full")]
    Busy,
    /// The disk is full.
    #[error("no space left on the ledger's disk")]
    DiskFull,
    /// The disk failed.
    #[error("the ledger could not be written")]
    Write(#[source] Arc<io::Error>),
    /// The ledger is closing.
    #[error("the ledger is closed")]
    Closed,
}

impl From<io::Error> for AppendError {
    fn from(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Write(Arc::new(cause)),
        }
    }
}

/// Why a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes here.
    #[error("another process{} is using {}", pid.map(|p| format!(" (pid {p})")).unwrap_or_default(), folder.display())]
    Locked {
        /// The ledger's folder.
        folder: PathBuf,
        /// The holder, where it could be read.
        pid: Option<u32>,
    },
    /// Made by a newer version.
    #[error("{} has format {found}, this program knows {known}", folder.display())]
    Format {
        /// The ledger's folder.
        folder: PathBuf,
        /// What stands there.
        found: u32,
        /// The newest this program reads.
        known: u32,
    },
    /// The disk said no.
    #[error("{} could not be opened", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { path, cause }
    }
}

/// Why a read could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk said no.
    #[error("{} could not be read", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There is no event yet, so there is no head to name.
    #[error("the ledger is empty")]
    Empty,
}

impl ReadError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { path, cause }
    }
}
