//! What people see when Kymo is up, and opening the page for them.
use std::{
    path::Path,
    process::{Command, Stdio},
};

use kymo_connect::WatchStatus;

use crate::printer::{BOLD, DIM, GOOD, LINK, NOTE, Printer};

/// What there is to say.
pub(crate) struct Welcome<'a> {
    pub(crate) login_url: &'a str,
    pub(crate) data: &'a Path,
    /// Events in the ledger.
    pub(crate) events: u64,
    pub(crate) watch: &'a [WatchStatus],
    /// The default port, if another program has it.
    pub(crate) busy_port: Option<u16>,
    /// Whether another process runs the server.
    pub(crate) joined: Option<u32>,
}

impl Welcome<'_> {
    /// A few lines: where to look, what is recorded, what to do next.
    pub(crate) fn print(&self) {
        let mut printer = Printer::new();
        let state = match self.joined {
            Some(pid) => format!("already running (pid {pid})"),
            None => "recording".to_owned(),
        };
        printer.line(format!(
            "\n  {BOLD}Kymo{BOLD:#} {} {GOOD}●{GOOD:#} {state}\n",
            env!("CARGO_PKG_VERSION")
        ));
        Self::row(
            &mut printer,
            "page",
            &format!(
                "{LINK}{}{LINK:#} {DIM}opens once, within 5 minutes{DIM:#}",
                self.login_url
            ),
        );
        if let Some(port) = self.busy_port {
            Self::row(
                &mut printer,
                "",
                &format!("{NOTE}port {port} is used by another program, so this is a free one{NOTE:#}"),
            );
        }
        for watch in self.watch {
            Self::row(&mut printer, "watching", &watched(watch));
            if let Some(problem) = &watch.problem {
                Self::row(&mut printer, "", &format!("{NOTE}{problem}{NOTE:#}"));
            }
        }
        let events = match self.events {
            0 => "a new ledger".to_owned(),
            1 => "1 event so far".to_owned(),
            events => format!("{} events so far", indicatif::HumanCount(events)),
        };
        Self::row(
            &mut printer,
            "ledger",
            &format!("{} {DIM}{events}{DIM:#}", near(self.data)),
        );
        Self::row(
            &mut printer,
            "try",
            "kymo emit hello  ·  kymo tail  ·  kymo run -- CMD",
        );
        let end = if self.joined.is_some() {
            "kymo stop ends it"
        } else {
            "Ctrl-C stops"
        };
        Self::row(&mut printer, "", &format!("{DIM}{end}{DIM:#}\n"));
    }

    fn row(printer: &mut Printer, name: &str, text: &str) {
        printer.line(format!("  {DIM}{name:<9}{DIM:#} {text}"));
    }
}

fn watched(watch: &WatchStatus) -> String {
    let directories = match watch.directories {
        1 => "1 directory".to_owned(),
        count => format!("{} directories", indicatif::HumanCount(count as u64)),
    };
    format!("{} {DIM}{directories}{DIM:#}", near(&watch.folder))
}

/// The path as seen from here, where that is shorter.
pub(crate) fn near(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => format!("./{}", rest.display()),
        Err(_) => path.display().to_string(),
    }
}

/// Opens the page in the browser, if somebody sits at a screen of this machine.
pub(crate) fn open_browser(url: &str) {
    let Some(mut command) = opener(url) else { return };
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(cause) = started {
        tracing::info!(%cause, "no browser could be opened");
    }
}

fn opener(url: &str) -> Option<Command> {
    let mut command;
    if cfg!(target_os = "macos") {
        command = Command::new("open");
    } else if cfg!(windows) {
        command = Command::new("cmd");
        command.args(["/C", "start", ""]);
    } else {
        let screen = ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some());
        if !screen {
            return None;
        }
        command = Command::new("xdg-open");
    }
    command.arg(url);
    Some(command)
}
