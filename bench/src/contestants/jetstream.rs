//! NATS JetStream with its file store. Publishing is asynchronous: a batch is in flight as a whole and done when all of
//! it is acknowledged. Every reader has a push consumer of its own, which is what keeps its place.

use std::{cell::Cell, path::PathBuf, process::Command};

use super::{Contestant, Door, Past, Started, nats};
use crate::{
    Outcome,
    args::Args,
    events::Event,
    load::{Call, Link, Opening},
    ports,
    process::{self, Ending, Process},
};

struct JetStream {
    process: Process,
    files: PathBuf,
    address: String,
    consumers: Cell<u64>,
}

pub(super) fn start(_: &Args) -> Outcome<Started> {
    let Some(program) = process::find("nats-server", &[]) else {
        return Ok(Started::Missing("apt install nats-server".into()));
    };
    let (data, port) = (process::folder()?, ports::free()?);
    let files = data.path().to_owned();
    let mut command = Command::new(program);
    command.args([
        "--addr",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--jetstream",
        "--store_dir",
    ]);
    command.arg(&files);
    let process = Process::start(command, data, Ending::Kill)?;
    let address = format!("127.0.0.1:{port}");
    process.until(|| Ok(std::net::TcpStream::connect(&address)?))?;
    let server = JetStream {
        process,
        files,
        address,
        consumers: Cell::new(0),
    };
    server.ask(
        "STREAM.CREATE.bench",
        r#"{"name":"bench","subjects":["bench.>"],"retention":"limits","storage":"file","discard":"old","num_replicas":1,"max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_msg_size":-1,"max_age":0}"#,
    )?;
    Ok(Started::Running(Box::new(server)))
}

impl JetStream {
    fn open(&self) -> Outcome<Opening> {
        let mut opening = Opening::connect(&self.address)?;
        opening.expect(nats::line_end)?;
        opening.send(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"lang\":\"bench\",\"version\":\"1\"}\r\nPING\r\n")?;
        nats::pong(&mut opening)?;
        Ok(opening)
    }

    /// Calls the API of JetStream.
    fn ask(&self, what: &str, body: &str) -> Outcome {
        let mut opening = self.open()?;
        let length = body.len();
        opening.send(
            format!("SUB _INBOX.api 1\r\nPUB $JS.API.{what} _INBOX.api {length}\r\n{body}\r\n").as_bytes(),
        )?;
        nats::accepted(&mut opening)
    }

    /// A connection, and the request that lets a new consumer deliver to it from `policy` on.
    fn consumer(&self, policy: &str, subject: &str) -> Outcome<(Opening, Vec<u8>)> {
        let number = self.consumers.replace(self.consumers.get() + 1);
        let inbox = format!("_INBOX.reader.{number}");
        let mut opening = self.open()?;
        opening.send(format!("SUB {inbox} 1\r\nPING\r\n").as_bytes())?;
        nats::pong(&mut opening)?;
        let body = format!(
            r#"{{"stream_name":"bench","config":{{"deliver_subject":"{inbox}","deliver_policy":"{policy}","filter_subject":"{subject}","ack_policy":"none","max_deliver":1,"replay_policy":"instant","flow_control":true,"idle_heartbeat":5000000000,"mem_storage":true,"num_replicas":1}}}}"#
        );
        let length = body.len();
        let ask = format!("PUB $JS.API.CONSUMER.CREATE.bench {inbox} {length}\r\n{body}\r\n");
        Ok((opening, ask.into_bytes()))
    }
}

impl Contestant for JetStream {
    fn process(&self) -> &Process {
        &self.process
    }

    fn stored_bytes(&self) -> u64 {
        process::bytes_below(&self.files, &|_| true)
    }

    fn batch_writer(&self, client: u64) -> Outcome<Link> {
        self.writer(Door::Socket, client)
    }

    fn batch(&self, client: u64, events: &[Event]) -> Call {
        let publish = |event| nats::publish(event, client);
        Call {
            bytes: events.iter().flat_map(publish).collect(),
            answers: events.len() as u64,
        }
    }

    fn writer(&self, _: Door, client: u64) -> Outcome<Link> {
        let mut opening = self.open()?;
        opening.send(format!("SUB {} 1\r\nPING\r\n", nats::inbox(client)).as_bytes())?;
        nats::pong(&mut opening)?;
        opening.link(nats::Acks)
    }

    fn single(&self, _: Door, client: u64, event: &Event) -> Call {
        Call {
            bytes: nats::publish(event, client).into(),
            answers: 1,
        }
    }

    fn reader(&self) -> Outcome<Link> {
        let (mut opening, ask) = self.consumer("new", "bench.>")?;
        opening.send(&ask)?;
        nats::accepted(&mut opening)?;
        opening.link(nats::Deliveries::default())
    }

    fn past(&self, which: Past) -> Outcome<(Link, Vec<u8>)> {
        let subject = match which {
            Past::All => "bench.>",
            Past::Rare => "bench.rare",
            Past::Shard => return Err("a consumer has no filter by payload".into()),
        };
        let (opening, ask) = self.consumer("all", subject)?;
        Ok((opening.link(nats::Deliveries::default())?, ask))
    }
}
