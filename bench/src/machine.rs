//! What was measured, and on what.

use std::{fs, process::Command};

/// One line: commit, processor, cores, system.
pub(crate) fn describe() -> String {
    format!(
        "commit {}, {} cores of {}, {}",
        commit(),
        cores(),
        processor(),
        system()
    )
}

/// Short hash of the commit, with `+` where files differ from it.
pub(crate) fn commit() -> String {
    let hash = output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let changed = output("git", &["status", "--porcelain"]).is_some_and(|text| !text.is_empty());
    if changed { format!("{hash}+") } else { hash }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(':').nth(1))
        .map_or_else(|| "an unnamed processor".into(), |name| name.trim().into())
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
