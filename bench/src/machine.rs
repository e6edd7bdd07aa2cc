//! What was measured, and on what.

use std::{fs, process::Command};

/// Commit and machine.
pub(crate) struct Machine {
    /// Short hash.
    pub(crate) commit: String,
    /// Whether files differ from the commit.
    pub(crate) is_dirty: bool,
    /// Cores, processor, system, disk.
    pub(crate) hardware: String,
}

impl Machine {
    /// Looks at where we are.
    pub(crate) fn look() -> Self {
        Self {
            commit: output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into()),
            is_dirty: output("git", &["status", "--porcelain"]).is_some_and(|text| !text.is_empty()),
            hardware: hardware(),
        }
    }

    /// One line.
    pub(crate) fn describe(&self) -> String {
        let changed = if self.is_dirty {
            " with uncommitted changes"
        } else {
            ""
        };
        format!("commit {}{changed}, {}", self.commit, self.hardware)
    }
}

fn hardware() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} cores of {}, {} of memory, {}",
        processor(),
        memory(),
        system()
    )
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(':').nth(1))
        .map_or_else(|| "an unnamed processor".into(), |name| name.trim().into())
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("MemTotal:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kb.map_or_else(|| "an unknown amount".into(), |kb| format!("{:.0} GB", kb / 1e6))
}

fn system() -> String {
    output("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.into())
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
