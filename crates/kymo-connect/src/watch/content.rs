//! What is in a file: its lines as hashes, so that the next version can be compared with it.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use xxhash_rust::xxh3::xxh3_64;

use super::language;
use crate::stamp::Stamp;

/// A file as it was read.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The file's stamp after reading: a write that comes later has another one, or other content.
    pub(super) stamp: Option<Stamp>,
    /// Of the whole; absent when the file is above the size looked at.
    pub(super) hash: Option<u64>,
    /// One hash per line, its line feed included; empty for binary files.
    pub(super) lines: Vec<u64>,
    pub(super) binary: bool,
    pub(super) language: Option<&'static str>,
}

impl Content {
    /// Number of lines, where they were looked at.
    pub(super) fn line_count(&self) -> Option<u64> {
        (self.hash.is_some() && !self.binary).then_some(self.lines.len() as u64)
    }
}

/// As in git: a zero among the first bytes.
const SNIFF_BYTES: usize = 8_000;

/// Reads a file of up to `bytes_max`; of a larger one only the beginning.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(bytes_max + 1).read_to_end(&mut bytes)?;
    let whole = bytes.len() as u64 <= bytes_max;
    let binary = bytes[..bytes.len().min(SNIFF_BYTES)].contains(&0);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    Ok(Content {
        stamp: Stamp::of(&file.metadata()?),
        hash: whole.then(|| xxh3_64(&bytes)),
        lines: if whole && !binary {
            line_hashes(&bytes)
        } else {
            Vec::new()
        },
        binary,
        language: language::by_name(name)
            .or_else(|| language::by_first_line(&bytes))
            .filter(|_| !binary),
    })
}

fn line_hashes(bytes: &[u8]) -> Vec<u64> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(xxh3_64)
        .collect()
}

/// Steps of the exact comparison; beyond, a line that only moved counts as unchanged.
const EDITS_MAX: usize = 2_000;

/// Lines (added, removed) on the shortest way from one version to the other.
pub(super) fn line_changes(old: &[u64], new: &[u64]) -> (u64, u64) {
    let begin = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[begin..], &new[begin..]);
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    if old.is_empty() || new.is_empty() {
        return (new.len() as u64, old.len() as u64);
    }
    let common = match shortest_edits(old, new) {
        Some(edits) => (old.len() + new.len() - edits) / 2,
        None => common_regardless_of_order(old, new),
    };
    ((new.len() - common) as u64, (old.len() - common) as u64)
}

/// Myers' greedy algorithm, for the number of edits alone: no trace is kept.
fn shortest_edits(old: &[u64], new: &[u64]) -> Option<usize> {
    let most = (old.len() + new.len()).min(EDITS_MAX);
    // reach[most + 1 + k]: how far in `old` one gets on diagonal k (position in `new` minus that in `old`, shifted).
    let mut reach = vec![0_usize; 2 * most + 3];
    for edits in 0..=most {
        for step in (0..=edits).map(|step| 2 * step) {
            // diagonal k = old position - new position, from -edits to edits in steps of two
            let at = most + 1 + step - edits;
            let down = step == 0 || (step != 2 * edits && reach[at - 1] < reach[at + 1]);
            let mut x = if down { reach[at + 1] } else { reach[at - 1] + 1 };
            let Some(mut y) = (x + edits).checked_sub(step) else {
                continue;
            };
            while x < old.len() && y < new.len() && old[x] == new[y] {
                (x, y) = (x + 1, y + 1);
            }
            reach[at] = x;
            if x >= old.len() && y >= new.len() {
                return Some(edits);
            }
        }
    }
    None
}

fn common_regardless_of_order(old: &[u64], new: &[u64]) -> usize {
    let (mut old, mut new) = (old.to_vec(), new.to_vec());
    old.sort_unstable();
    new.sort_unstable();
    let (mut common, mut at) = (0, 0);
    for line in &old {
        at += new[at..].iter().take_while(|other| *other < line).count();
        if new.get(at) == Some(line) {
            (common, at) = (common + 1, at + 1);
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook table, as the oracle.
    fn longest_common(old: &[u64], new: &[u64]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for a in old {
            let mut diagonal = 0;
            for (j, b) in new.iter().enumerate() {
                let above = row[j + 1];
                row[j + 1] = if a == b { diagonal + 1 } else { above.max(row[j]) };
                diagonal = above;
            }
        }
        row[new.len()]
    }

    proptest! {
        #[test]
        fn line_changes_are_the_fewest_possible(
            old in prop::collection::vec(0_u64..6, 0..40),
            new in prop::collection::vec(0_u64..6, 0..40),
        ) {
            let common = longest_common(&old, &new);
            prop_assert_eq!(line_changes(&old, &new), ((new.len() - common) as u64, (old.len() - common) as u64));
        }
    }

    #[test]
    fn versions_that_share_nothing_and_are_large_are_still_counted() {
        let (old, new): (Vec<u64>, Vec<u64>) = ((0..50_000).collect(), (40_000..100_000).rev().collect());
        assert_eq!(line_changes(&old, &new), (50_000, 40_000));
    }

    #[test]
    fn a_file_with_zeros_is_binary_and_a_large_one_is_not_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        std::fs::write(&path, "one\ntwo").unwrap();
        let content = read(&path, 100).unwrap();
        assert_eq!(
            (content.line_count(), content.binary, content.language),
            (Some(2), false, Some("Rust"))
        );
        let large = read(&path, 3).unwrap();
        assert_eq!(
            (large.hash, large.line_count(), large.language),
            (None, None, Some("Rust"))
        );
        std::fs::write(&path, b"\x7fELF\0\0").unwrap();
        let binary = read(&path, 100).unwrap();
        assert_eq!(
            (binary.line_count(), binary.binary, binary.language),
            (None, true, None)
        );
    }
}
