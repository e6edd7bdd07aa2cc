//! Runs other programs as numbered steps and says how long each took.
//!
//! A step's own output goes straight to the terminal; what is ours is one line before and one after.

use std::{
    error::Error,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_owned()
}

/// Prints a line for people.
pub(crate) fn say(text: &str) {
    // A closed pipe is the reader's choice, not an error.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line about something that went wrong.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Runs `work` under a heading.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    say(&format!("\n── {name}"));
    let begun = Instant::now();
    let outcome = work();
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    say(&format!(
        "── {name}: {verdict} in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    outcome.map_err(|cause| format!("{name}: {cause}").into())
}

/// A command that runs in the workspace.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    command_in(&root(), program, args)
}

/// A command that runs in a folder.
pub(crate) fn command_in(folder: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// Cargo, the one that runs us.
pub(crate) fn cargo(args: &[&str]) -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), args)
}

/// Runs to the end; anything but success is an error that names the command.
pub(crate) fn check(mut command: Command) -> Outcome {
    let status = command
        .status()
        .map_err(|cause| format!("{} does not start: {cause}", words(&command)))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{} ended with {status}", words(&command)).into())
}

/// Whether the command can be run and succeeds, quietly.
pub(crate) fn succeeds(mut command: Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn words(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(command.get_program().to_string_lossy())
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}
