//! Why a command could not do what it was asked: what happened, and what to do about it.
use std::{fmt, path::Path};

use kymo_ledger::{OpenError, ReadError};
use unicode_width::UnicodeWidthStr;

/// What sort of failure; decides the exit code and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Failed,
    Usage,
    NoServer,
    Locked,
    Denied,
    Settings,
}

/// A failure as it is told to people.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// The stable code, where there is one.
    pub(crate) code: Option<String>,
    /// What happened, with the facts.
    pub(crate) message: String,
    /// What to do now.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A failed disk call: what was tried, where, and what the system said.
    pub(crate) fn disk(tried: &str, path: &Path, cause: &std::io::Error) -> Self {
        let failure = Self::failed(format!("{} could not be {tried}: {cause}", path.display()));
        match cause.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                failure.hint("the folder must be writable for this user; name another one with --data")
            }
            std::io::ErrorKind::StorageFull => failure.hint("the disk is full; make room and try again"),
            _ => failure,
        }
    }

    /// Another process holds the folder and no server answers there.
    pub(crate) fn locked(data: &Path, pid: Option<u32>) -> Self {
        let who = pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
        Self::new(
            Kind::Locked,
            format!("another process{who} is using {}", data.display()),
        )
        .code("data_folder_locked")
        .hint("wait until it has ended, or name another folder with --data")
    }

    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.code {
            Some(code) => write!(f, " [{code}]"),
            None => Ok(()),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Locked { folder, pid } => {
                // The lock lies in the ledger; people know the folder around it.
                Self::locked(folder, *pid)
            }
            OpenError::Format { .. } => {
                Self::failed(error.to_string()).hint("use a newer kymo for this folder")
            }
            OpenError::Io { path, cause } => Self::disk("opened", path, cause),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Io { path, cause } => Self::disk("read", path, cause),
            ReadError::Empty => Self::failed("the ledger is empty").code("not_found"),
        }
    }
}

impl Failure {
    /// A filter that is not understood, with a mark under the place.
    pub(crate) fn filter(words: &str, error: &kymo_event::filter::FilterError) -> Self {
        let failure =
            Self::usage(format!("the filter is not understood: {}", error.message)).code("invalid_filter");
        if words.contains('\n') || words.chars().count() < error.at {
            return failure;
        }
        let before: String = words.chars().take(error.at).collect();
        failure.hint(format!(
            "at character {}:\n      {words}\n      {:2$}^",
            error.at + 1,
            "",
            before.width()
        ))
    }
}
