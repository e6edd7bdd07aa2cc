//! What to follow and how its records are read.

use kymo_event::dialects::{self, Dialect};

use super::patterns::Patterns;

/// What to follow and how its records are read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TailSettings {
    /// Files, folders (their `*.jsonl` and `*.ndjson`, also further down) and globs; relative to where the program
    /// stands. `~` and `$NAME` may stand at the beginning.
    pub paths: Vec<String>,
    /// The form of the records; each one's own where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<DialectName>,
    /// Source of records that name none; the file's name where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Between looks at everything, for what the system did not tell.
    pub sweep_ms: u64,
    /// Files held open at once.
    pub open_files_max: usize,
}

impl Default for TailSettings {
    fn default() -> Self {
        Self {
            paths: vec![],
            dialect: None,
            source: None,
            sweep_ms: 1_000,
            open_files_max: 256,
        }
    }
}

impl TailSettings {
    /// What is wrong with the paths, with what to do.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.paths.is_empty() {
            return Some("a tail follows no `paths`: name files, folders or globs".into());
        }
        Patterns::new(&self.paths, &[]).err()
    }
}

/// A dialect that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectName(&'static str);

impl DialectName {
    /// Kymo's own.
    #[must_use]
    pub fn native() -> Self {
        Self("kymo")
    }

    /// The dialect itself.
    #[must_use]
    pub fn dialect(self) -> &'static dyn Dialect {
        dialects::by_name(self.0).expect("the name was looked up")
    }
}

impl TryFrom<String> for DialectName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match dialects::by_name(&name) {
            Some(dialect) => Ok(Self(dialect.name())),
            None => {
                let names: Vec<_> = dialects::DIALECTS.iter().map(|dialect| dialect.name()).collect();
                Err(format!(
                    "there is no dialect `{name}`: choose one of {}",
                    names.join(", ")
                ))
            }
        }
    }
}

impl serde::Serialize for DialectName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for DialectName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
