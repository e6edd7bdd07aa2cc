//! Redis, both ways, with a real server that is killed, frozen, full, and turns us away.

use kymo_connect::{RedisServer, RedisSink, RedisSource, SinkSettings, SourceSettings, sink::Begin};

use crate::{
    redis_server::{Client, Server},
    rig::Station,
    running::Running,
};

mod channels;
mod doors;
mod given;
mod streams;

fn server(server: &Server) -> RedisServer {
    RedisServer {
        url: server.url(),
        ..RedisServer::default()
    }
}

fn source(broker: &Server, stream: &str) -> RedisSource {
    RedisSource {
        server: server(broker),
        streams: Some(vec![stream.into()]),
        ..RedisSource::default()
    }
}

fn sink(broker: &Server, filter: &str) -> RedisSink {
    RedisSink {
        server: server(broker),
        filter: filter.into(),
        begin: Begin::Start,
        ..RedisSink::default()
    }
}

fn run(station: &Station, source: Option<RedisSource>, sink: Option<RedisSink>) -> Running {
    Running::start(
        station,
        source.map(SourceSettings::Redis),
        sink.map(SinkSettings::Redis),
    )
}

/// A text as v5 writes it.
fn v5(kind: &str, number: u64) -> String {
    format!(
        r#"{{"type":"{kind}","ts":"2026-02-14T19:01:23.456000+00:00","cycle":42,"day":1551,"data":{{"n":{number}}}}}"#
    )
}

/// Adds numbered entries until each is in the stream, whatever happens to the server.
async fn add_surely(broker_url: String, stream: &'static str, numbers: std::ops::Range<u64>) {
    let client = redis::Client::open(broker_url).expect("an address");
    for number in numbers {
        loop {
            // An id of its own: what was added before its answer was lost is refused.
            let mut add = redis::cmd("XADD");
            add.arg(stream).arg(format!("{}-1", 1_700_000_000_000 + number));
            add.arg("event").arg(v5("a", number));
            let Ok(connection) = client.get_multiplexed_async_connection().await else {
                continue;
            };
            match Client(connection).try_ask::<String>(&add).await {
                Ok(_) => break,
                Err(error) if error.to_string().contains("equal or smaller") => break,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    }
}
