//! Kymo: the binary under measurement, with its defaults, on a free port and an empty folder.

use std::{fs, path::PathBuf, process::Command};

use super::{Contestant, Door, Past, Started, kymo_http, kymo_socket};
use crate::{
    Outcome,
    args::Args,
    events::{self, Event},
    load::{Call, Link},
    process::{self, Ending, Process},
};

/// A running `kymo serve`.
pub(crate) struct Kymo {
    process: Process,
    ledger: PathBuf,
    pub(super) address: String,
    pub(super) token: String,
}

/// Starts `kymo serve` and waits until it accepts.
pub(crate) fn start(args: &Args) -> Outcome<Started> {
    let data = process::folder()?;
    let path = data.path().to_owned();
    let mut command = Command::new(&args.kymo);
    // Meant for us; to the server it would be a setting it does not know.
    command.env_remove("KYMO_BIN");
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&path);
    let process = Process::start(command, data, Ending::Kill)?;
    let described = process.until(|| Ok(fs::read_to_string(path.join("server.json"))?))?;
    let described: serde_json::Value = serde_json::from_str(&described)?;
    let url = described["url"].as_str().ok_or("server.json names no url")?;
    Ok(Started::Running(Box::new(Kymo {
        process,
        ledger: path.join("ledger"),
        address: url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
        token: fs::read_to_string(path.join("token"))?.trim().to_owned(),
    })))
}

impl Contestant for Kymo {
    fn process(&self) -> &Process {
        &self.process
    }

    fn stored_bytes(&self) -> u64 {
        process::bytes_below(&self.ledger, &|name| name.ends_with(".jsonl"))
    }

    fn batch_writer(&self, _: u64) -> Outcome<Link> {
        kymo_http::connect(self)
    }

    fn batch(&self, _: u64, events: &[Event]) -> Call {
        kymo_http::post(self, "application/x-ndjson", &events::lines(events))
    }

    fn writer(&self, door: Door, _: u64) -> Outcome<Link> {
        match door {
            Door::Socket => kymo_socket::connect(self),
            Door::Http => kymo_http::connect(self),
        }
    }

    fn single(&self, door: Door, _: u64, event: &Event) -> Call {
        match door {
            Door::Socket => kymo_socket::emit(event),
            Door::Http => kymo_http::post(self, "application/json", event.json.as_bytes()),
        }
    }

    fn reader(&self) -> Outcome<Link> {
        kymo_socket::follow(self)
    }

    fn past(&self, which: Past) -> Outcome<(Link, Vec<u8>)> {
        let filter = match which {
            Past::All => "",
            Past::Rare => "type:bench.rare",
            Past::Shard => "data.shard:7",
        };
        let link = kymo_socket::connect(self)?;
        let link = if which == Past::All { link.dense() } else { link };
        Ok((link, kymo_socket::subscribe(filter, "start")))
    }

    fn says_live(&self) -> bool {
        true
    }
}
