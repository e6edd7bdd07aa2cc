//! Kymo: the binary under measurement, with its defaults, on a free port and an empty folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{Contestant, Door, Past, Started, kymo_http, kymo_socket};
use crate::{
    Outcome,
    args::Args,
    events::{self, Event},
    load::{Call, Link, Opening},
    ports,
    process::{self, Ending, Process},
};

pub(crate) use super::kymo_http::{Questions, whole};

/// A running `kymo serve`.
pub(crate) struct Kymo {
    process: Process,
    /// The binary.
    pub(crate) program: PathBuf,
    /// The data folder.
    pub(crate) data: PathBuf,
    pub(super) address: String,
    pub(super) token: String,
}

/// Starts `kymo serve` and waits until it accepts.
pub(crate) fn start(args: &Args) -> Outcome<Started> {
    Ok(Started::Running(Box::new(Kymo::start(&args.kymo)?)))
}

impl Kymo {
    /// Starts the binary on an empty folder.
    pub(crate) fn start(program: &Path) -> Outcome<Self> {
        let data = process::folder()?;
        let path = data.path().to_owned();
        Self::start_with(program, data, &path, &[])
    }

    /// Starts it on a folder that is somebody else's, with more arguments.
    pub(crate) fn start_on(program: &Path, data: &Path, more: &[&str]) -> Outcome<Self> {
        Self::start_with(program, process::folder()?, data, more)
    }

    fn start_with(program: &Path, own: TempDir, data: &Path, more: &[&str]) -> Outcome<Self> {
        let described = data.join("server.json");
        // Left by one that was killed.
        let _ = fs::remove_file(&described);
        let mut command = Command::new(program);
        // Meant for us; to the server it would be a setting it does not know.
        command.env_remove("KYMO_BIN");
        // A port of our choice is still the same after a restart.
        let address = format!("127.0.0.1:{}", ports::free()?);
        command
            .args(["serve", "--listen", &address, "--data"])
            .arg(data)
            .args(more);
        let process = Process::start(command, own, Ending::Kill)?;
        process.until(|| Ok(fs::read_to_string(&described)?))?;
        Ok(Self {
            process,
            program: program.to_owned(),
            data: data.to_owned(),
            address,
            token: fs::read_to_string(data.join("token"))?.trim().to_owned(),
        })
    }

    /// A connection that follows the matches of a filter from now on.
    pub(crate) fn follow(&self, filter: &str) -> Outcome<Link> {
        kymo_socket::follow(self, filter)
    }

    /// A connection for questions, one after the other.
    pub(crate) fn questions(&self) -> Outcome<Questions<'_>> {
        Questions::open(self)
    }

    /// A connection that follows everything as server-sent events.
    pub(crate) fn listen(&self) -> Outcome<Opening> {
        kymo_http::listen(self)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A request that posts a body with these headers.
    pub(crate) fn posting(&self, headers: &str, body: &[u8]) -> Vec<u8> {
        kymo_http::posting(self, headers, body)
    }

    /// All that a WebSocket client says first to follow the matches of a filter.
    pub(crate) fn following(&self, filter: &str, from: &str) -> Vec<u8> {
        kymo_socket::following(self, filter, from)
    }

    /// The folder of its events.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.data.join("ledger")
    }
}

impl Contestant for Kymo {
    fn process(&self) -> &Process {
        &self.process
    }

    fn stored_bytes(&self) -> u64 {
        process::bytes_below(&self.ledger(), &|name| {
            name.ends_with(".jsonl") || name.ends_with(".zst")
        })
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
        self.follow("source:bench")
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

    fn as_kymo(&self) -> Option<&Kymo> {
        Some(self)
    }

    fn says_live(&self) -> bool {
        true
    }
}
