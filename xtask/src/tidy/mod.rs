//! `cargo xtask tidy`: the house rules that a compiler does not hold.
//!
//! One file per rule; each returns what is wrong, as sentences with a place.

mod directions;
mod guarantees;
mod lists;
mod rooms;
mod words;

use std::{fs, path::PathBuf};

use crate::steps::{Outcome, command, root, say};

/// A rule: what it holds, and how to look.
struct Rule {
    about: &'static str,
    find: fn(&[Source]) -> Outcome<Vec<String>>,
}

/// Every rule.
const RULES: &[Rule] = &[
    Rule {
        about: "crates depend downwards only, and on nothing they must not know",
        find: directions::find,
    },
    Rule {
        about: "every module opens with what it is for, and has a telling name",
        find: rooms::find,
    },
    Rule {
        about: "lists for readers are complete",
        find: lists::find,
    },
    Rule {
        about: "every promise names tests that are there",
        find: guarantees::find,
    },
    Rule {
        about: "nothing unfinished, no place of one machine",
        find: words::find,
    },
];

/// A text file that git knows, with its path from the root of the workspace (`/` between parts).
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks every rule and lists all that is wrong.
pub(crate) fn run() -> Outcome {
    let sources = sources()?;
    let mut faults = 0;
    for rule in RULES {
        let found = (rule.find)(&sources)?;
        say(&format!(
            "{} {}",
            if found.is_empty() { "✓" } else { "✗" },
            rule.about
        ));
        found.iter().for_each(|fault| say(&format!("    {fault}")));
        faults += found.len();
    }
    if faults == 0 {
        Ok(())
    } else {
        Err(format!("{faults} things to tidy").into())
    }
}

fn sources() -> Outcome<Vec<Source>> {
    let output = command("git", &["ls-files", "--cached", "--others", "--exclude-standard"]).output()?;
    let listed = String::from_utf8(output.stdout)?;
    let mut sources = Vec::new();
    for path in listed.lines() {
        let full: PathBuf = root().join(path);
        // Pictures and recordings are not text; a file deleted but not committed is not there.
        if let Ok(text) = fs::read_to_string(full) {
            sources.push(Source {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(sources)
}
