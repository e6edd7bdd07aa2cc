//! Bridges that run on a station, and what they say of themselves.

use kymo_connect::{Bridges, BridgesSettings, SinkSettings, SourceSettings};
use kymo_hub::{BridgeInfo, BridgeState, Direction};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::rig::{Station, wait_for};

/// A source `in`, a sink `out`, or both. Dropped, they end in their own time.
pub(crate) struct Running {
    end: CancellationToken,
    bridges: Bridges,
}

impl Running {
    pub(crate) fn start(
        station: &Station,
        source: Option<SourceSettings>,
        sink: Option<SinkSettings>,
    ) -> Self {
        let settings = BridgesSettings {
            sources: source.into_iter().map(|one| ("in".to_owned(), one)).collect(),
            sinks: sink.into_iter().map(|one| ("out".to_owned(), one)).collect(),
        };
        assert_eq!(settings.problem(), None);
        let end = CancellationToken::new();
        let bridges = Bridges::start(&settings, &station.hub, station.data.path(), &end);
        Self { end, bridges }
    }

    pub(crate) async fn stop(self) {
        self.end.cancel();
        self.bridges.finished().await;
    }
}

pub(crate) fn info(station: &Station, direction: Direction) -> Option<BridgeInfo> {
    let infos = station.hub.bridges().infos();
    infos.into_iter().find(|info| info.direction == direction)
}

/// Waits until it is so.
pub(crate) async fn is(station: &Station, direction: Direction, state: BridgeState) -> BridgeInfo {
    wait_for(&format!("the state {state:?}"), async || {
        info(station, direction).filter(|info| info.state == state)
    })
    .await
}

/// Waits until this is wrong; gives the words.
pub(crate) async fn fails(station: &Station, direction: Direction, code: &str) -> String {
    let what = format!("the code {code}");
    wait_for(&what, async || {
        let last = info(station, direction)?.last_error?;
        (last.fault.code == code).then_some(last.fault.message)
    })
    .await
}

/// Waits for so many events, and gives the numbers they carry.
pub(crate) async fn stored(station: &Station, filter: &str, count: usize) -> Vec<u64> {
    let events = events(station, filter, count).await;
    events
        .iter()
        .filter_map(|event| event["data"]["n"].as_u64())
        .collect()
}

/// Waits for so many events.
pub(crate) async fn events(station: &Station, filter: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} events of {filter}"), async || {
        let events = station.stored(filter).await;
        (events.len() >= count).then_some(events)
    })
    .await
}
