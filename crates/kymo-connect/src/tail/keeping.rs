//! The place of a tail that is a bridge: where it is kept, and where it is shown.

use std::time::Duration;

use kymo_event::Level;
use kymo_hub::{Bridge, BridgeAbout, BridgeFault, Direction, Hub, Lag};
use serde_json::json;

use super::{TailSettings, cursor::Document};
use crate::{CursorFile, Cursors, Loaded};

/// Where the place is kept, and where it is shown.
pub(super) struct Keeping {
    cursor: CursorFile<Document>,
    pub(super) bridge: Bridge,
}

impl Keeping {
    /// Of a source of this hub.
    pub(super) fn new(name: &str, settings: &TailSettings, cursors: &Cursors, hub: &Hub) -> Self {
        let about = BridgeAbout {
            name: name.to_owned(),
            kind: "tail",
            direction: Direction::Source,
            target: settings.paths.join(", "),
        };
        Self {
            cursor: cursors.of(Direction::Source, name),
            bridge: hub.bridges().enter(about),
        }
    }

    /// The place that was written down last.
    pub(super) fn load(&self) -> Result<Document, BridgeFault> {
        match self.cursor.load() {
            Ok(Loaded::At(document)) => Ok(document),
            Ok(Loaded::Absent) => Ok(Document::default()),
            Ok(Loaded::Damaged { kept, cause }) => {
                let data = json!({ "kept": kept.display().to_string(), "cause": cause });
                self.bridge.note("kymo.bridge.cursor_damaged", Level::Error, data);
                Ok(Document::default())
            }
            Err(error) => Err(BridgeFault::new(
                "cursor_unreadable",
                format!("where this source was cannot be read: {error}; mend that and start again"),
            )),
        }
    }

    /// Writes a place down; whether that worked. The board says why not, and when it is tried again.
    pub(super) fn store(&self, document: &Document, next: Duration) -> bool {
        let Err(error) = self.cursor.store(document) else {
            return true;
        };
        let message = format!("the place cannot be written down: {error}; make room or mend the folder");
        self.bridge
            .waiting(BridgeFault::new("cursor_unwritable", message), Some(next));
        false
    }

    /// Shows how it is: what is wrong, if anything is, and whether everything that is there was read.
    pub(super) fn show(&self, problem: Option<&str>, is_read: bool) {
        match problem {
            None => self.bridge.connected(),
            Some(problem) => self.bridge.fault(BridgeFault::new("file_unreadable", problem)),
        }
        if is_read {
            self.bridge.lag(Lag {
                events: Some(0),
                oldest: None,
            });
        }
    }
}
