//! What can be wrong with a file that is written, and what to do.

use std::io;

use kymo_hub::BridgeFault;

use crate::sink::SinkFault;

#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    #[error("the file cannot be written: {0}")]
    File(#[from] io::Error),
    #[error("the file cannot be written: {0}")]
    NoLog(&'static str),
    #[error("how far the file was written cannot be read: {0}")]
    MarkUnreadable(io::Error),
    #[error("how far the file was written cannot be noted: {0}")]
    MarkUnwritable(io::Error),
    #[error("the disk has not answered yet")]
    Busy,
}

impl From<io::ErrorKind> for LogError {
    fn from(kind: io::ErrorKind) -> Self {
        Self::File(kind.into())
    }
}

impl LogError {
    pub(super) fn fault(&self) -> BridgeFault {
        let (code, hint) = match self {
            _ if self.is_full() => ("no_room", "; it goes on once there is room"),
            Self::File(error) if error.kind() == io::ErrorKind::NotFound => {
                ("file_unwritable", "; make the folder it shall lie in")
            }
            Self::File(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                ("file_unwritable", "; let the user that Kymo runs as write there")
            }
            Self::File(_) => ("file_unwritable", ""),
            Self::NoLog(_) => ("no_log_file", ""),
            Self::MarkUnreadable(_) => ("cursor_unreadable", ""),
            Self::MarkUnwritable(_) => ("cursor_unwritable", ""),
            Self::Busy => ("timeout", ""),
        };
        BridgeFault::new(code, format!("{self}{hint}"))
    }

    /// Whether it passes when there is room again.
    fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self {
            Self::File(error) => matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge),
            _ => false,
        }
    }
}

impl From<LogError> for SinkFault {
    fn from(error: LogError) -> Self {
        match error.is_full() {
            true => Self::Refused(error.fault()),
            false => Self::Lost(error.fault()),
        }
    }
}
