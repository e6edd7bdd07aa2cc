//! What happens in a watched folder: files, git, and the watch itself.

use super::{TypeInfo, kind};
use crate::Level::{Debug, Error, Info, Warn};

pub(super) const TYPES: &[TypeInfo] = &[
    kind("file.created", "file", Info, "A file is new"),
    kind(
        "file.modified",
        "file",
        Info,
        "A file has other content than before",
    ),
    kind("file.removed", "file", Info, "A file is gone"),
    kind("file.renamed", "file", Info, "A file or folder has another name"),
    kind(
        "file.found",
        "file",
        Info,
        "A file that was there when the watch began",
    ),
    kind(
        "file.burst",
        "file",
        Info,
        "So many files changed at once that they are counted instead of listed",
    ),
    kind("git.commit", "git", Info, "A commit was made"),
    kind(
        "git.checkout",
        "git",
        Info,
        "Another branch or commit is checked out",
    ),
    kind("git.branch_created", "git", Info, "A branch is new"),
    kind("git.branch_removed", "git", Info, "A branch is gone"),
    kind(
        "git.branch_updated",
        "git",
        Info,
        "A branch points elsewhere without a commit made here: fetch, reset, merge",
    ),
    kind("git.tag_created", "git", Info, "A tag is new"),
    kind("git.tag_removed", "git", Info, "A tag is gone"),
    kind(
        "git.refs_changed",
        "git",
        Info,
        "More branches and tags changed at once than are listed",
    ),
    kind(
        "git.state_changed",
        "git",
        Info,
        "A merge, rebase, cherry-pick, revert or bisect began or ended",
    ),
    kind("watch.started", "watch", Info, "A folder is watched from now on"),
    kind("watch.stopped", "watch", Info, "A folder is no longer watched"),
    kind(
        "watch.limited",
        "watch",
        Error,
        "The system lets fewer directories be watched than there are",
    ),
    kind("watch.failed", "watch", Error, "A folder cannot be watched"),
    kind(
        "watch.recovered",
        "watch",
        Info,
        "A folder that could not be watched is watched again",
    ),
    kind(
        "watch.overflowed",
        "watch",
        Warn,
        "The system dropped notices; the folder was looked through again",
    ),
    kind(
        "watch.heartbeat",
        "watch",
        Debug,
        "A watch is alive, with what it watches",
    ),
];
