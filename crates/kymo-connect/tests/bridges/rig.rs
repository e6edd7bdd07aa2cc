//! A hub on a folder of its own, and the looking and waiting that all tests of bridges need.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use kymo_event::{Event, Filter};
use kymo_hub::{BridgeInfo, From, HistoryRequest, Hub, HubSettings, Notices, Principal};
use kymo_ledger::{Ledger, LedgerSettings};
use serde_json::Value;

/// Long enough for a machine that is busy with other things; never waited for when all is well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A folder with a hub on it.
pub(crate) struct Station {
    pub(crate) data: tempfile::TempDir,
    pub(crate) hub: Hub,
}

impl Station {
    pub(crate) fn new() -> Self {
        Self::with(HubSettings::default())
    }

    pub(crate) fn with(settings: HubSettings) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let hub = open(data.path(), settings);
        Self { data, hub }
    }

    /// Closes the hub and opens another one on the same folder.
    pub(crate) async fn reopened(self) -> Self {
        self.hub.close().await;
        let hub = open(self.data.path(), HubSettings::default());
        Self { data: self.data, hub }
    }

    /// Stores events of this type, numbered in `data`.
    pub(crate) async fn emit(&self, kind: &'static str, numbers: std::ops::Range<usize>) {
        self.emit_events(numbers.map(|number| numbered(kind, number)))
            .await;
    }

    pub(crate) async fn emit_events(&self, events: impl Iterator<Item = Event<'static>>) {
        let mut intake = self.hub.intake(Principal::owner(), "test");
        for (index, event) in events.enumerate() {
            intake.event(index, event);
        }
        let receipt = intake.commit().await.expect("stored");
        assert_eq!(receipt.rejected, []);
    }

    /// What is stored and matches, oldest first.
    pub(crate) async fn stored(&self, filter: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut from = From::Start;
        loop {
            let request = HistoryRequest {
                filter: Filter::parse(filter).expect("a filter"),
                channels: Vec::new(),
                from: Some(from),
                to: None,
                limit: 10_000,
                bytes_max: 8 << 20,
                newest_first: false,
            };
            let page = self
                .hub
                .history(request, &Principal::owner())
                .await
                .expect("read");
            let lines = page.lines.iter();
            all.extend(lines.map(|line| serde_json::from_slice::<Value>(line).expect("JSON")));
            match page.next {
                Some(next) => from = From::Seq(next, None),
                None => return all,
            }
        }
    }

    /// The only bridge there is.
    pub(crate) fn bridge(&self) -> BridgeInfo {
        let mut infos = self.hub.bridges().infos();
        assert_eq!(infos.len(), 1, "{infos:?}");
        infos.remove(0)
    }
}

pub(crate) fn open(data: &Path, settings: HubSettings) -> Hub {
    let notices = Notices::new();
    let ledger = Ledger::open(data, LedgerSettings::default(), notices.on_notice()).expect("opened");
    Hub::start_with(settings, ledger, notices)
}

/// An event of this type with a number as its data.
pub(crate) fn numbered(kind: &'static str, number: usize) -> Event<'static> {
    let mut event = Event::new(kind, "test");
    event.data = Some(number.to_string().into());
    event
}

/// Waits until `what` gives a value.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// This moment as events write it.
pub(crate) fn moment_now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    kymo_event::Micros::from_epoch(since).to_string()
}
