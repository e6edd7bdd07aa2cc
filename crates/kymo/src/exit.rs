//! Exit codes: the only place that knows them. They keep their meaning for ever.
use std::process::ExitCode;

use crate::failure::{Failure, Kind};

/// How a command ended, as scripts see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// 0: everything asked for was done (an event that went to the spool counts as done).
    Done,
    /// 1: something failed that has no code of its own.
    Failed,
    /// 2: the command line was not understood.
    Usage,
    /// 3: no server answers, and the command needs one.
    NoServer,
    /// 4: some records were refused; the others were stored.
    Refused,
    /// 5: `verify` found damage, or the ledger differs from the head given.
    Damaged,
    /// 6: another process is using the data folder.
    Locked,
    /// 7: the server does not accept this token for this.
    Denied,
    /// 8: a setting is unknown or has a wrong value.
    Settings,
    /// Whatever the command under `kymo run` ended with; 128 + n when signal n ended it.
    Child(u8),
}

/// The table that `kymo --help` prints.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done (an event kept in the spool counts)   5  damage found, or ledger differs
  1  failed                                     6  another process uses the data folder
  2  command line not understood                7  token not accepted
  3  no server answers                          8  settings are wrong
  4  some records were refused                  kymo run: the command's own code";

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoServer => 3,
            Self::Refused => 4,
            Self::Damaged => 5,
            Self::Locked => 6,
            Self::Denied => 7,
            Self::Settings => 8,
            Self::Child(code) => code,
        }
    }

    /// Ends the process here: a reader that closed its end of the pipe wants nothing more, not even an error.
    pub(crate) fn leave_quietly() -> ! {
        Self::Done.leave()
    }

    /// Ends the process here, where no result can be handed up.
    pub(crate) fn leave(self) -> ! {
        std::process::exit(i32::from(self.code()))
    }

    /// Ends the process at once: somebody asked a second time.
    pub(crate) fn leave_forced() -> ! {
        Self::Child(130).leave()
    }

    /// What a shell says of a command it could not start: 127 not found, 126 not executable.
    pub(crate) fn not_started(cause: &std::io::Error) -> Self {
        Self::Child(if cause.kind() == std::io::ErrorKind::NotFound {
            127
        } else {
            126
        })
    }

    /// What a shell says of a command that a signal ended.
    pub(crate) fn by_signal(signal: i32) -> Self {
        Self::Child(u8::try_from(128 + signal).unwrap_or(u8::MAX))
    }

    /// What a shell says of a command that ended.
    pub(crate) fn of_child(status: std::process::ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Self::by_signal(signal);
        }
        // Windows has 32-bit codes; what does not fit a byte is still a failure.
        Self::Child(
            status
                .code()
                .map_or(1, |code| u8::try_from(code).unwrap_or(u8::MAX)),
        )
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        match failure.kind {
            Kind::Failed => Self::Failed,
            Kind::Usage => Self::Usage,
            Kind::NoServer => Self::NoServer,
            Kind::Locked => Self::Locked,
            Kind::Denied => Self::Denied,
            Kind::Settings => Self::Settings,
        }
    }
}
