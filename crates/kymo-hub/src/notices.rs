//! What the ledger says of itself, as events.
//!
//! A ledger must be told whom to tell before there is a hub: [`Notices`] keeps what it says until a hub is there.

use std::{collections::VecDeque, sync::Arc};

use kymo_event::{Event, Level};
use kymo_ledger::{Notice, OnNotice};
use parking_lot::Mutex;
use serde_json::json;

use crate::notes::{Notes, note};

/// Notices kept before a hub is there; opening a ledger says a handful.
const KEPT_MAX: usize = 1_024;

/// Keeps what a ledger says of itself until the hub records it: `Ledger::open(…, notices.on_notice())`, then
/// [`crate::Hub::start_with`].
#[derive(Clone, Debug, Default)]
pub struct Notices {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Notice>,
    notes: Option<Arc<Notes>>,
}

impl Notices {
    /// Nothing was said so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to give to [`kymo_ledger::Ledger::open`].
    #[must_use]
    pub fn on_notice(&self) -> OnNotice {
        let state = Arc::clone(&self.state);
        Box::new(move |notice| {
            let mut state = state.lock();
            match &state.notes {
                Some(notes) => {
                    notes.say(event(&notice));
                    if matches!(notice, Notice::Sealed { .. }) {
                        notes.sealed.notify_one();
                    }
                }
                None if state.kept.len() < KEPT_MAX => state.kept.push_back(notice),
                None => tracing::warn!(?notice, "the ledger says more than can be kept"),
            }
        })
    }

    /// From now on everything is recorded, beginning with what was kept.
    pub(crate) fn connect(&self, notes: &Arc<Notes>) {
        let mut state = self.state.lock();
        for notice in std::mem::take(&mut state.kept) {
            notes.say(event(&notice));
        }
        state.notes = Some(Arc::clone(notes));
    }
}

fn event(notice: &Notice) -> Event<'static> {
    match notice {
        Notice::Sealed { first, last, bytes } => {
            let data = json!({ "first": first, "last": last, "bytes": bytes });
            note("kymo.segment.sealed", Level::Info, &data)
        }
        Notice::Compressed {
            first,
            bytes_before,
            bytes_after,
        } => {
            let data = json!({ "first": first, "bytes_before": bytes_before, "bytes_after": bytes_after });
            note("kymo.segment.compressed", Level::Info, &data)
        }
        Notice::Retired { first, events, bytes } => {
            let data = json!({ "first": first, "events": events, "bytes": bytes });
            note("kymo.segment.retired", Level::Info, &data)
        }
        Notice::TailCut {
            segment,
            bytes,
            quarantine,
        } => {
            let data =
                json!({ "segment": segment, "bytes": bytes, "quarantine": quarantine.display().to_string() });
            note("kymo.ledger.tail_cut", Level::Warn, &data)
        }
        Notice::Damaged(damage) => note("kymo.ledger.damaged", Level::Critical, &json!(damage)),
        Notice::ClockStepped { micros } => {
            note("kymo.clock.stepped", Level::Warn, &json!({ "back_us": micros }))
        }
        Notice::WriteFailed { message } => note(
            "kymo.ledger.write_failed",
            Level::Critical,
            &json!({ "message": message }),
        ),
        Notice::WriteResumed => note("kymo.ledger.write_resumed", Level::Info, &json!({})),
        Notice::Renamed { former, id } => note(
            "kymo.ledger.renamed",
            Level::Warn,
            &json!({ "former": former, "id": id }),
        ),
    }
}
