//! `kymo status`: what runs here, and how it is.
use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, State, Where},
    printer::{BOLD, DIM, GOOD, NOTE, Printer},
    welcome::near,
};

const EXAMPLES: &str = "\
Examples:
  kymo status          is a server running here, and how is it
  kymo status --json   the same for scripts; exit code 3 if none runs";

/// Arguments of `status`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let found = Place::find(&self.place)?;
        let mut printer = Printer::new();
        let endpoint = match &found.state {
            State::Named(endpoint) | State::Running(endpoint) => endpoint,
            State::Held { pid } if self.json => {
                printer.json(&json!({ "running": false, "held_by": pid, "data": found.data }));
                return Ok(Exit::Locked);
            }
            State::Free if self.json => {
                printer.json(&json!({ "running": false, "data": found.data }));
                return Ok(Exit::NoServer);
            }
            State::Held { .. } | State::Free => {
                return found.server().map(|_| Exit::Done);
            }
        };
        let client = crate::client::Client::new(endpoint);
        let status: Value = client.get("/api/v1/status", &[])?;
        let metrics: Value = client.get("/api/v1/metrics", &[])?;
        // A server of an earlier version has none, and a bound token is not told.
        let mut bridges: Value = client.get("/api/v1/bridges", &[]).unwrap_or_default();
        let bridges = bridges["bridges"].take();
        if self.json {
            printer.json(&json!({
                "running": true, "url": endpoint.url, "status": status, "metrics": metrics, "bridges": bridges,
            }));
        } else {
            show(&mut printer, &endpoint.url, &status, &metrics);
            for bridge in bridges.as_array().into_iter().flatten() {
                row(&mut printer, &text(bridge, "direction"), bridge_row(bridge));
            }
        }
        Ok(Exit::Done)
    }
}

fn row(printer: &mut Printer, name: &str, text: String) {
    printer.line(format!("  {DIM}{name:<9}{DIM:#} {text}"));
}

/// `egos ● connected 1,204 events, 3 behind  nats://127.0.0.1:4222`, with what is wrong where something is.
fn bridge_row(bridge: &Value) -> String {
    let number = |key: &str| bridge[key].as_u64().unwrap_or(0);
    let state = text(bridge, "state");
    let good = if state == "connected" { GOOD } else { NOTE };
    let mut line = format!(
        "{} {good}● {state}{good:#} {} events",
        text(bridge, "name"),
        indicatif::HumanCount(number("events"))
    );
    for (key, word) in [
        ("refused", "refused"),
        ("unrecognised", "unrecognised"),
        ("gaps", "gaps"),
    ] {
        if number(key) > 0 {
            let _ = write!(line, ", {} {word}", indicatif::HumanCount(number(key)));
        }
    }
    if number("lag_events") > 0 {
        let _ = write!(line, ", {} behind", indicatif::HumanCount(number("lag_events")));
    }
    let _ = write!(line, " {DIM}{}{DIM:#}", text(bridge, "target"));
    if state != "connected" && state != "connecting" {
        let error = &bridge["last_error"];
        if error.is_object() {
            let _ = write!(
                line,
                " {NOTE}{} [{}]{NOTE:#}",
                text(error, "message"),
                text(error, "code")
            );
        }
    }
    line
}

fn show(printer: &mut Printer, url: &str, status: &Value, metrics: &Value) {
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap_or(0);
    let mut row = |name: &str, text: String| row(printer, name, text);
    row(
        "server",
        format!(
            "{GOOD}●{GOOD:#} {BOLD}{url}{BOLD:#} {DIM}Kymo {}, up {}{DIM:#}",
            text(status, "version"),
            age(number(status, "uptime_s"))
        ),
    );
    row("data", near(std::path::Path::new(&text(status, "data"))));
    row(
        "ledger",
        format!(
            "{} events, {} {DIM}{}{DIM:#}",
            indicatif::HumanCount(
                (number(metrics, "head") + 1).saturating_sub(number(metrics, "first").max(1))
            ),
            indicatif::HumanBytes(number(metrics, "ledger_bytes")),
            text(status, "ledger")
        ),
    );
    let rate = metrics["per_second"].as_f64().unwrap_or(0.0);
    row("now", format!("{rate:.1} events/s, {}", readers(metrics)));
    for watch in status["watch"].as_array().into_iter().flatten() {
        let problem = watch["problem"]
            .as_str()
            .map_or(String::new(), |problem| format!(" {NOTE}{problem}{NOTE:#}"));
        let folder = near(std::path::Path::new(&text(watch, "folder")));
        row(
            "watching",
            format!(
                "{folder} {DIM}{}{DIM:#}{problem}",
                match number(watch, "directories") {
                    1 => "1 directory".to_owned(),
                    count => format!("{} directories", indicatif::HumanCount(count)),
                }
            ),
        );
    }
    let refused: u64 = metrics["rejected"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, n)| n.as_u64())
        .sum();
    if refused > 0 {
        let codes: Vec<_> = metrics["rejected"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(code, n)| format!("{n} {code}"))
            .collect();
        row("refused", format!("{NOTE}{}{NOTE:#}", codes.join(", ")));
    }
}

fn readers(metrics: &Value) -> String {
    match metrics["readers"].as_array().map_or(0, Vec::len) {
        0 => "no reader".to_owned(),
        1 => "1 reader".to_owned(),
        count => format!("{count} readers"),
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or("?").to_owned()
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}
