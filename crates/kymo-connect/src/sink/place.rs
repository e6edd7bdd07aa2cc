//! How far a sink is, in memory and on disk: stored now and then, and at the end.

use std::{io, time::Duration};

use kymo_event::{LedgerId, Level, Seq};
use kymo_hub::{Bridge, BridgeFault, From, Hub};
use serde_json::json;
use tokio::time::Instant;

use super::Begin;
use crate::cursors::{CursorFile, Loaded};

/// How often a place that moved is stored at most: a crash repeats what was delivered since.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// Everything before `next` was delivered, or was not for it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Position {
    ledger: LedgerId,
    next: Seq,
}

/// Where a sink is.
pub(super) struct Place {
    file: CursorFile<Position>,
    position: Position,
    stored: Option<Seq>,
    store_after: Instant,
}

impl Place {
    /// The place that was stored; for a new sink the one it shall begin at.
    pub(super) async fn load(
        file: CursorFile<Position>,
        begin: Begin,
        hub: &Hub,
        bridge: &Bridge,
    ) -> Result<Self, BridgeFault> {
        let unreadable = |error: io::Error| {
            let message = format!("where this sink was cannot be read: {error}; mend that and start again");
            BridgeFault::new("cursor_unreadable", message)
        };
        let loaded = file.load().map_err(unreadable)?;
        let ledger = hub.ledger().id();
        let (next, stored) = match loaded {
            Loaded::At(position) if position.ledger == ledger => (position.next, Some(position.next)),
            Loaded::At(other) => {
                let data = json!({
                    "reason": "other_ledger", "ledger": other.ledger, "next": other.next, "begins": begin,
                });
                bridge.note("kymo.bridge.gap", Level::Warn, data);
                (first(begin, hub).await?, None)
            }
            Loaded::Absent => (first(begin, hub).await?, None),
            Loaded::Damaged { kept, cause } => {
                let data = json!({ "kept": kept.display().to_string(), "cause": cause, "begins": begin });
                bridge.note("kymo.bridge.cursor_damaged", Level::Error, data);
                (first(begin, hub).await?, None)
            }
        };
        Ok(Self {
            file,
            position: Position { ledger, next },
            stored,
            store_after: Instant::now(),
        })
    }

    pub(super) fn next(&self) -> Seq {
        self.position.next
    }

    pub(super) fn move_to(&mut self, next: Seq) {
        self.position.next = next;
    }

    /// When it is time to store it, if it moved.
    pub(super) fn due(&self) -> Option<Instant> {
        self.moved().then_some(self.store_after)
    }

    /// Whether there was none that could be gone on from.
    pub(super) fn is_new(&self) -> bool {
        self.stored.is_none()
    }

    /// Whether it is not stored as it is.
    pub(super) fn moved(&self) -> bool {
        self.stored != Some(self.position.next)
    }

    /// It could not be stored; that is tried again, but not at once.
    pub(super) fn later(&mut self) {
        self.store_after = Instant::now() + STORE_EVERY;
    }

    pub(super) async fn store(&mut self) -> io::Result<()> {
        self.later();
        let (file, position) = (self.file.clone(), self.position.clone());
        let storing = tokio::task::spawn_blocking(move || file.store(&position));
        storing.await.map_err(io::Error::other)??;
        self.stored = Some(self.position.next);
        Ok(())
    }
}

async fn first(begin: Begin, hub: &Hub) -> Result<Seq, BridgeFault> {
    let from = match begin {
        Begin::Now => From::Now,
        Begin::Start => From::Start,
    };
    let unreadable = |error: kymo_ledger::ReadError| BridgeFault::new("ledger_unreadable", error.to_string());
    hub.resolve(&from).await.map_err(unreadable)
}
