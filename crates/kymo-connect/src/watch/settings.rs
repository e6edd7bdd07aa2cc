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

impl WatchSettings {
    /// Leaves out these files, and what rotation calls them later, wherever one lies in a folder that is watched.
    pub fn leave_out(&mut self, files: &[PathBuf]) {
        for folder in &self.folders {
            let root = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            for inside in files.iter().filter_map(|file| file.strip_prefix(&root).ok()) {
                let whole = escaped(&inside.to_string_lossy());
                let (stem, extension) = whole.rsplit_once('.').unwrap_or((&whole, ""));
                self.ignore.extend([
                    format!("/{whole}"),
                    format!("/{whole}[-.][0-9]*"),
                    format!("/{stem}[-.][0-9]*.{extension}*"),
                ]);
            }
        }
    }
}

/// A path as a pattern that means itself.
fn escaped(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '\\' => pattern.push('/'),
            '*' | '?' | '[' | ']' | '{' | '}' | '!' | ' ' => pattern.extend(['\\', c]),
            _ => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_inside_are_left_out_by_name_and_those_elsewhere_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        let mut settings = WatchSettings {
            folders: vec![root.clone()],
            ..WatchSettings::default()
        };
        settings.leave_out(&[root.join("logs/a[1].jsonl"), "/elsewhere/b.jsonl".into()]);
        assert_eq!(
            settings.ignore,
            [
                "/logs/a\\[1\\].jsonl",
                "/logs/a\\[1\\].jsonl[-.][0-9]*",
                "/logs/a\\[1\\][-.][0-9]*.jsonl*"
            ]
        );
    }
}
