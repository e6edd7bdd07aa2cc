//! Which event ends which: read from the names, since most names are in no list.
//!
//! `X_start` and `X_end`, `X.started` and `X.failed`, `system_startup` and `system_shutdown` share the stem `X`. Whoever
//! draws a bar joins a start to the next end with the same stem within the same task, session or span. Starts without
//! ends and ends without starts are common and no fault.

use std::borrow::Cow;

use crate::fold_separators;

/// What a type says about a pair of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairing<'a> {
    /// Something begins.
    Starts {
        /// What: the name without its last word, separators folded.
        stem: Cow<'a, str>,
    },
    /// Something is over.
    Ends {
        /// What: the name without its last word, separators folded.
        stem: Cow<'a, str>,
        /// How it ended, as far as the name says.
        outcome: Outcome,
    },
    /// Neither.
    None,
}

/// How something ended, as far as the name of the event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is over; the payload may say how (`X_end`, `process.exited`).
    Ended,
    /// It did what it should.
    Completed,
    /// It did not.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

const STARTS: &[&str] = &[
    "start",
    "started",
    "startup",
    "begin",
    "began",
    "triggered",
    "connected",
    "opened",
];

const ENDS: &[(&str, Outcome)] = &[
    ("end", Outcome::Ended),
    ("ended", Outcome::Ended),
    ("stop", Outcome::Ended),
    ("stopped", Outcome::Ended),
    ("stopping", Outcome::Ended),
    ("shutdown", Outcome::Ended),
    ("exited", Outcome::Ended),
    ("disconnected", Outcome::Ended),
    ("closed", Outcome::Ended),
    ("complete", Outcome::Completed),
    ("completed", Outcome::Completed),
    ("finish", Outcome::Completed),
    ("finished", Outcome::Completed),
    ("succeeded", Outcome::Completed),
    ("success", Outcome::Completed),
    ("resolved", Outcome::Completed),
    ("fail", Outcome::Failed),
    ("failed", Outcome::Failed),
    ("failure", Outcome::Failed),
    ("cancelled", Outcome::Cancelled),
    ("canceled", Outcome::Cancelled),
    ("aborted", Outcome::Cancelled),
];

/// Whether a type begins something or ends it. A name of one word says nothing: there is no stem to join by.
#[must_use]
pub fn pairing(name: &str) -> Pairing<'_> {
    let name = fold_separators(name);
    let Some((stem, word)) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else {
        return Pairing::None;
    };
    let (stem_len, starts) = (stem.len(), STARTS.contains(&word));
    let ends = ENDS
        .iter()
        .find(|(end, _)| *end == word)
        .map(|(_, outcome)| *outcome);
    let stem = || match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..stem_len]),
        Cow::Owned(ref name) => Cow::Owned(name[..stem_len].to_owned()),
    };
    match ends {
        _ if starts => Pairing::Starts { stem: stem() },
        Some(outcome) => Pairing::Ends {
            stem: stem(),
            outcome,
        },
        None => Pairing::None,
    }
}
