//! Batches of a thousand: how many events a second reach the disk.

use super::Cost;
use crate::{
    Outcome,
    args::Scale,
    contestants::Contestant,
    events,
    figures::{Figures, RATE, figure},
    load::{Drive, closed_loop},
};

/// Events of a batch.
pub(crate) const BATCH: u64 = 1_000;

/// Connections that post side by side: enough that one is being read while another is being synced.
const CONNECTIONS: u64 = 4;

/// Different batches of a connection; it goes round them.
const DIFFERENT: u64 = 8;

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let links: Outcome<Vec<_>> = (0..CONNECTIONS)
        .map(|link| contestant.batch_writer(link))
        .collect();
    let mut drive = Drive::new(links?)?;
    let batch = |link, number: u64| contestant.batch(link, &events::events(number * BATCH, BATCH));
    let calls: Vec<Vec<_>> = (0..CONNECTIONS)
        .map(|link| {
            (0..DIFFERENT)
                .map(|number| batch(link, link * DIFFERENT + number))
                .collect()
        })
        .collect();
    closed_loop(&mut drive, &calls, scale.warm_up)?;
    let before = Cost::now(contestant);
    let laps = closed_loop(&mut drive, &calls, scale.closed_loop)?;
    let events = laps.waits.len() as u64 * BATCH;
    let mut figures = vec![figure(
        RATE,
        "events/s",
        (laps.calls * BATCH) as f64 / laps.seconds,
    )];
    figures.extend(before.since(contestant, events));
    Ok(figures)
}
