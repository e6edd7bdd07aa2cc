//! Redis Streams with an append-only file. Batches are MULTI … EXEC (one sync for all), readers XREAD BLOCK.
//!
//! Redis answers nobody, readers included, before the file is written and, with `always`, synced.

use std::{path::PathBuf, process::Command};

use super::{
    Contestant, Door, Past, Started,
    resp::{self, Replies},
};
use crate::{
    Outcome,
    args::Args,
    events::Event,
    load::{Call, Link, Opening},
    ports,
    process::{self, Ending, Process},
};

/// The one stream.
const STREAM: &str = "bench";

/// Entries of one answer to a reader of the past.
const PAGE: &str = "10000";

struct Redis {
    process: Process,
    files: PathBuf,
    address: String,
}

pub(super) fn start_always(_: &Args) -> Outcome<Started> {
    start("always")
}

pub(super) fn start_everysec(_: &Args) -> Outcome<Started> {
    start("everysec")
}

fn start(sync: &str) -> Outcome<Started> {
    let Some(program) = process::find("redis-server", &[]) else {
        return Ok(Started::Missing("apt install redis-server".into()));
    };
    let (data, port) = (process::folder()?, ports::free()?);
    let files = data.path().to_owned();
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    // A rewrite of the file in the middle of a measurement would be bad luck, not a property.
    command.args([
        "--appendonly",
        "yes",
        "--appendfsync",
        sync,
        "--auto-aof-rewrite-percentage",
        "0",
    ]);
    command.arg("--dir").arg(&files);
    let process = Process::start(command, data, Ending::Kill)?;
    let address = format!("127.0.0.1:{port}");
    process.until(|| Ok(std::net::TcpStream::connect(&address)?))?;
    Ok(Started::Running(Box::new(Redis {
        process,
        files,
        address,
    })))
}

impl Contestant for Redis {
    fn process(&self) -> &Process {
        &self.process
    }

    fn stored_bytes(&self) -> u64 {
        process::bytes_below(&self.files, &|_| true)
    }

    fn batch_writer(&self, _: u64) -> Outcome<Link> {
        Opening::connect(&self.address)?.link(Replies::counted())
    }

    fn batch(&self, _: u64, events: &[Event]) -> Call {
        let mut bytes = resp::command(&[b"MULTI"]);
        for event in events {
            bytes.extend_from_slice(&add(event));
        }
        bytes.extend_from_slice(&resp::command(&[b"EXEC"]));
        Call {
            bytes: bytes.into(),
            // MULTI is answered, every XADD is queued, EXEC answers for all.
            answers: events.len() as u64 + 2,
        }
    }

    fn writer(&self, _: Door, client: u64) -> Outcome<Link> {
        self.batch_writer(client)
    }

    fn single(&self, _: Door, _: u64, event: &Event) -> Call {
        Call {
            bytes: add(event).into(),
            answers: 1,
        }
    }

    fn reader(&self) -> Outcome<Link> {
        let mut opening = Opening::connect(&self.address)?;
        // `$` means "from now on", and now is when this is served: asked once, the place is known.
        opening.send(&resp::command(&[b"XINFO", b"STREAM", STREAM.as_bytes()]))?;
        let place = match opening.expect(resp::line_or_reply)? {
            unknown if unknown.starts_with(b"-") => "0-0".to_owned(),
            info => resp::value_of(&info, b"last-generated-id").ok_or("XINFO names no last id")?,
        };
        let ask = read_after(place.as_bytes(), PAGE);
        opening.send(&ask)?;
        opening.link(Replies::of_a_reader(STREAM, PAGE))
    }

    fn past(&self, which: Past) -> Outcome<(Link, Vec<u8>)> {
        if which != Past::All {
            return Err("a stream has no filter".into());
        }
        let link = Opening::connect(&self.address)?.link(Replies::of_a_reader(STREAM, PAGE))?;
        Ok((link, read_after(b"0-0", PAGE)))
    }
}

fn read_after(id: &[u8], count: &str) -> Vec<u8> {
    resp::read_after(STREAM, id, count)
}

fn add(event: &Event) -> Vec<u8> {
    resp::command(&[b"XADD", STREAM.as_bytes(), b"*", b"e", event.json.as_bytes()])
}
