//! Words that say a thing is unfinished, or that only one machine understands.

use super::Source;
use crate::steps::{Outcome, root};

/// Spelled in two halves, so that this list does not find itself.
const UNFINISHED: &[(&str, &str)] = &[
    ("todo", "!("),
    ("unimplemented", "!("),
    ("FIX", "ME"),
    ("XX", "X:"),
];

const CODE: &[&str] = &[".rs", ".ts", ".tsx", ".py", ".sh", ".md", ".toml", ".yml"];

pub(super) fn find(sources: &[Source]) -> Outcome<Vec<String>> {
    let neighbourhood = root()
        .parent()
        .map(|parent| format!("{}/", parent.display()))
        .unwrap_or_default();
    let texts = sources
        .iter()
        .filter(|source| CODE.iter().any(|ending| source.path.ends_with(ending)));
    Ok(texts.flat_map(|source| faults(source, &neighbourhood)).collect())
}

fn faults(source: &Source, neighbourhood: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let place = format!("{}:{}", source.path, number + 1);
        for (head, tail) in UNFINISHED {
            if line.contains(&format!("{head}{tail}")) {
                faults.push(format!("{place} is unfinished: {}", line.trim()));
            }
        }
        // A clone may lie anywhere, also directly below the root of the file system, where this says nothing.
        if neighbourhood.len() > 2 && line.contains(neighbourhood) {
            faults.push(format!("{place} names a folder of this machine"));
        }
    }
    faults
}
