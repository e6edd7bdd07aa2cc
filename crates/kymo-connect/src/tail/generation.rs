//! Which content a file has, so that what stands in it keeps its identity when the file is moved or written anew.

use std::{collections::BTreeMap, path::Path};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Generations that are told apart though they begin alike; beyond, the oldest are forgotten.
const BEGUN_MAX: usize = 4_096;

/// One content of a file, from its first record on. A file that begins with another record has another one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Generation {
    /// The file's name when it began, without what rotation adds.
    pub(super) name: String,
    /// Of the first record, or of what is damaged there.
    pub(super) first: u64,
    /// How many of this name have begun alike before.
    pub(super) number: u32,
}

/// What tells the first record of a file.
pub(super) fn fingerprint(at: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, at)
}

/// How many generations have begun alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Begun(BTreeMap<String, u32>);

impl Begun {
    /// A generation that begins now.
    pub(super) fn begin(&mut self, path: &Path, first: u64) -> Generation {
        let name = name_of(path);
        let key = format!(
            "{:016x}",
            xxh3_64_with_seed(name.as_bytes(), xxh3_64(&first.to_le_bytes()))
        );
        if self.0.len() >= BEGUN_MAX && !self.0.contains_key(&key) {
            // Whose beginning never came again is told apart by it.
            self.0.retain(|_, count| *count > 1);
        }
        let count = self.0.entry(key).or_default();
        *count += 1;
        Generation {
            name,
            first,
            number: *count - 1,
        }
    }
}

/// Names end here; what follows was added by rotation.
const ENDINGS: &[&str] = &[".jsonl", ".ndjson", ".json", ".log"];

/// The name of a file as it was before rotation: `app.jsonl` of `app.jsonl.2` and `app.jsonl-20260214`.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let end = ENDINGS.iter().find_map(|ending| {
        let end = name.find(ending)? + ending.len();
        let rest = name[end..].chars().next();
        rest.is_none_or(|c| !c.is_alphanumeric()).then_some(end)
    });
    name[..end.unwrap_or(name.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_leaves_a_name_as_it_was() {
        for (path, name) in [
            ("/x/app.jsonl", "app.jsonl"),
            ("app.jsonl.2", "app.jsonl"),
            ("app.jsonl-20260214", "app.jsonl"),
            ("app.log.1", "app.log"),
            ("app.logger", "app.logger"),
            ("ledger", "ledger"),
        ] {
            assert_eq!(name_of(Path::new(path)), name);
        }
    }

    #[test]
    fn files_that_begin_alike_are_told_apart_and_others_need_not_be() {
        let mut begun = Begun::default();
        let mut number = |path: &str, first| begun.begin(Path::new(path), first).number;
        assert_eq!(number("a.jsonl", 1), 0);
        assert_eq!(number("a.jsonl.1", 1), 1);
        assert_eq!((number("b.jsonl", 1), number("a.jsonl", 2)), (0, 0));
        for first in 10..2 * BEGUN_MAX as u64 {
            number("a.jsonl", first);
        }
        assert_eq!(number("a.jsonl", 1), 2);
        assert!(begun.0.len() <= BEGUN_MAX);
    }
}
