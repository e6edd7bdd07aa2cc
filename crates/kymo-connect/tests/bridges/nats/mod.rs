//! NATS, both ways, with a real server that is killed, frozen, and turns us away.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, jetstream};
use futures_util::StreamExt;
use kymo_connect::{
    Bridges, BridgesSettings, NatsServer, NatsSink, NatsSource, SinkSettings, SourceSettings, sink::Begin,
};
use kymo_hub::{BridgeInfo, BridgeState, Direction, HubSettings};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    rig::{Station, numbered, wait_for},
};

mod access;
mod core;
mod guards;
mod sinks;
mod streams;

struct Running {
    end: CancellationToken,
    bridges: Bridges,
}

impl Running {
    async fn stop(self) {
        self.end.cancel();
        self.bridges.finished().await;
    }
}

fn run(station: &Station, source: Option<NatsSource>, sink: Option<NatsSink>) -> Running {
    let settings = BridgesSettings {
        sources: source
            .into_iter()
            .map(|one| ("in".to_owned(), SourceSettings::Nats(one)))
            .collect(),
        sinks: sink
            .into_iter()
            .map(|one| ("out".to_owned(), SinkSettings::Nats(one)))
            .collect::<BTreeMap<_, _>>(),
    };
    assert_eq!(settings.problem(), None);
    let end = CancellationToken::new();
    let bridges = Bridges::start(&settings, &station.hub, station.data.path(), &end);
    Running { end, bridges }
}

fn server(broker: &Broker) -> NatsServer {
    NatsServer {
        url: broker.url(),
        ..NatsServer::default()
    }
}

fn core(broker: &Broker, subject: &str) -> NatsSource {
    NatsSource {
        server: server(broker),
        subjects: vec![subject.into()],
        ..NatsSource::default()
    }
}

fn stream(broker: &Broker, subject: &str, stream: &str) -> NatsSource {
    NatsSource {
        stream: Some(stream.into()),
        ack_wait_s: 1,
        ..core(broker, subject)
    }
}

fn sink(broker: &Broker, filter: &str, subject: &str) -> NatsSink {
    NatsSink {
        server: server(broker),
        filter: filter.into(),
        subject: subject.into(),
        begin: Begin::Start,
        ..NatsSink::default()
    }
}

fn info(station: &Station, direction: Direction) -> Option<BridgeInfo> {
    let infos = station.hub.bridges().infos();
    infos.into_iter().find(|info| info.direction == direction)
}

async fn is(station: &Station, direction: Direction, state: BridgeState) -> BridgeInfo {
    wait_for("the state", async || {
        info(station, direction).filter(|info| info.state == state)
    })
    .await
}

async fn fails(station: &Station, direction: Direction, code: &str) -> String {
    let what = format!("the code {code}");
    wait_for(&what, async || {
        let last = info(station, direction)?.last_error?;
        (last.fault.code == code).then_some(last.fault.message)
    })
    .await
}

/// Waits for so many events, and gives the numbers they carry.
async fn stored(station: &Station, filter: &str, count: usize) -> Vec<u64> {
    wait_for("the events in the ledger", async || {
        let events = station.stored(filter).await;
        (events.len() >= count).then(|| {
            events
                .iter()
                .filter_map(|event| event["data"]["n"].as_u64())
                .collect()
        })
    })
    .await
}

fn message(number: u64) -> String {
    format!(r#"{{"type":"a","source":"test","data":{{"n":{number}}}}}"#)
}

/// Publishes numbered messages into a stream until it has acknowledged each, whatever happens to the server.
async fn publish_surely(context: &jetstream::Context, subject: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("m{number}"));
            let sent = context.publish_with_headers(subject.to_owned(), headers, message(number).into());
            let stored = async { sent.await.ok()?.await.ok() };
            if let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), stored).await {
                break;
            }
        }
    }
}

/// This moment as events write it.
fn moment_now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    kymo_event::Micros::from_epoch(since).to_string()
}
