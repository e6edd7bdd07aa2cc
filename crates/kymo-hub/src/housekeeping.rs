//! What must be done now and then: retention, and a word on sources that were held back.

use std::{sync::Arc, time::Duration};

use kymo_event::Level;
use kymo_ledger::Ledger;
use serde_json::json;

use crate::{
    notes::{Notes, note},
    rates::Rates,
};

/// How often sources over their rate are reported.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Every so many reports the ledger is asked to tidy up: once a minute, besides whenever a segment is full.
const REPORTS_PER_MAINTENANCE: u64 = 6;

/// Works for as long as it is polled.
pub(crate) async fn run(ledger: Ledger, rates: Arc<Rates>, notes: Arc<Notes>) {
    let mut tick = tokio::time::interval(REPORT_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut reports = 0_u64;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                report(&rates, &notes);
                reports += 1;
                if reports % REPORTS_PER_MAINTENANCE == 2 {
                    maintain(ledger.clone()).await;
                }
            }
            // At full speed a ledger would grow by gigabytes within a minute.
            () = notes.sealed.notified() => maintain(ledger.clone()).await,
        }
    }
}

fn report(rates: &Rates, notes: &Notes) {
    for (source, dropped) in rates.take_dropped() {
        let data = json!({ "source": source, "dropped": dropped, "limit_per_second": rates.limit() });
        notes.say(note("kymo.rate_limited", Level::Warn, &data));
    }
}

async fn maintain(ledger: Ledger) {
    let done = tokio::task::spawn_blocking(move || ledger.maintain()).await;
    if let Ok(Err(error)) = done {
        tracing::warn!(%error, "the ledger could not tidy up");
    }
}
