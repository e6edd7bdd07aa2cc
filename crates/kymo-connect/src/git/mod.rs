//! What happens in a git repository, seen by watching it: commits, checkouts, branches, merges and rebases.
//!
//! The repository's own files say what happened (`HEAD`, its reflog, the refs); the `git` program is asked only for
//! what they do not hold (author, files changed). Nothing is ever written and no lock is taken. Knows nothing of
//! files in the work tree: those are `watch`'s.

mod changes;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod places;
mod program;
mod reflog;
mod refs;
mod repo;

pub(crate) use changes::GitChange;
pub(crate) use places::Places;
pub(crate) use repo::Repo;
