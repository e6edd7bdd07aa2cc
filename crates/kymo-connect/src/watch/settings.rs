//! What to watch and how.

use std::path::PathBuf;

/// What to watch and how.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchSettings {
    /// Folders; relative to where the program stands. None means where it stands.
    pub folders: Vec<PathBuf>,
    /// `source` of the events.
    pub source: String,
    /// Patterns (gitignore syntax) left out besides `.gitignore`.
    pub ignore: Vec<String>,
    /// Look at files up to this size for lines and language.
    pub content_bytes_max: u64,
    /// Quiet time that ends a burst of changes to one file.
    pub settle_ms: u64,
    /// Between heartbeats.
    pub heartbeat_s: u64,
    /// Directories watched at most; 0 = as many as the system allows.
    pub directories_max: usize,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            folders: vec![],
            source: "watch".into(),
            ignore: vec![],
            content_bytes_max: 1 << 20,
            settle_ms: 40,
            heartbeat_s: 30,
            directories_max: 0,
        }
    }
}
