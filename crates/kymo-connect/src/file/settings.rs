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
