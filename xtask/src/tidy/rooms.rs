//! Every Rust file says what it is for before it shows anything, and its name says what is inside.

use super::Source;
use crate::steps::Outcome;

/// Names that say nothing: the code belongs with its caller.
const EMPTY_NAMES: &[&str] = &[
    "util.rs",
    "utils.rs",
    "helpers.rs",
    "misc.rs",
    "imp.rs",
    "common.rs",
];

pub(super) fn find(sources: &[Source]) -> Outcome<Vec<String>> {
    let rust = sources.iter().filter(|source| source.path.ends_with(".rs"));
    Ok(rust.flat_map(faults).collect())
}

fn faults(source: &Source) -> Vec<String> {
    let name = source.path.rsplit('/').next().unwrap_or_default();
    let mut faults = Vec::new();
    if !opens_with_purpose(&source.text) {
        faults.push(format!(
            "{} does not open with `//!` and its purpose",
            source.path
        ));
    }
    if EMPTY_NAMES.contains(&name) {
        faults.push(format!("{} has a name that says nothing", source.path));
    }
    faults
}

fn opens_with_purpose(text: &str) -> bool {
    text.lines()
        .next()
        .is_some_and(|line| line.starts_with("//! ") && line.len() > 12)
}
