//! The words of `[sinks.NAME]` with `kind = "file"`.

use std::path::{Path, PathBuf};

use kymo_event::Filter;

use crate::{
    sink::{Begin, Selection},
    tail::{DialectName, expand},
};

/// A sink to a file of JSON lines.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileSink {
    /// The file, relative to where the program stands. `~` and `$NAME` may stand at the beginning.
    pub path: String,
    /// What is written.
    pub filter: String,
    /// The form it is written in.
    pub dialect: DialectName,
    /// Where a new sink begins.
    pub begin: Begin,
    /// Whether the imported past is written too.
    pub backfill: bool,
}

impl Default for FileSink {
    fn default() -> Self {
        Self {
            path: String::new(),
            filter: "-type:kymo.*".into(),
            dialect: DialectName::native(),
            begin: Begin::Now,
            backfill: false,
        }
    }
}

impl FileSink {
    /// What is wrong with it, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.path.is_empty() {
            return Some("a file sink has no `path`: name the file that it writes".into());
        }
        let filter = || {
            let error = Filter::parse(&self.filter).err()?;
            Some(format!("`filter` cannot be read: {error}"))
        };
        let path = || {
            let cause = self.file().err()?;
            Some(format!("`path` {cause}"))
        };
        path().or_else(filter)
    }

    /// The file, written out.
    pub(crate) fn file(&self) -> Result<PathBuf, String> {
        std::path::absolute(expand(&self.path)?).map_err(|cause| format!("is no path: {cause}"))
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            filter: Filter::parse(&self.filter).expect("judged with the settings"),
            begin: self.begin,
            backfill: self.backfill,
        }
    }
}

/// Where a path leads to, also where its last part is not there yet.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    if let Ok(resolved) = path.canonicalize() {
        return resolved;
    }
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Whether a name is one that rotation gives to a file of the other name: numbers or a date before or behind its
/// extension, perhaps compressed.
pub(crate) fn is_rotation_of(name: &str, of: &str) -> bool {
    let stem = of.rfind('.').filter(|at| *at > 0).map_or(of, |at| &of[..at]);
    let Some(rest) = name.strip_prefix(stem) else {
        return false;
    };
    let rest = rest.replacen(&of[stem.len()..], "", 1);
    let rest = [".gz", ".zst", ".xz", ".bz2", ".old", ".bak"]
        .iter()
        .find_map(|end| rest.strip_suffix(end))
        .unwrap_or(&rest);
    rest.chars().all(|c| c.is_ascii_digit() || "-_.T:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_rotation_gives_are_known() {
        for name in [
            "events.jsonl",
            "events.jsonl.1",
            "events.jsonl.12.gz",
            "events.jsonl-20260101",
            "events-20260101.jsonl",
            "events.2026-01-01T10.jsonl.zst",
            "events.jsonl.old",
        ] {
            assert!(is_rotation_of(name, "events.jsonl"), "{name}");
        }
        for name in [
            "events-other.jsonl",
            "event.jsonl",
            "events.jsonl.tmp",
            "my-events.jsonl",
        ] {
            assert!(!is_rotation_of(name, "events.jsonl"), "{name}");
        }
        assert!(is_rotation_of("log.1", "log"));
    }
}
