//! Events and readers that are not the usual ones: large events, ids of the emitter's, very many filters.

use std::time::Instant;

use super::{batches::BATCH, kymo};
use crate::{
    Outcome,
    args::Scale,
    contestants::Contestant,
    curves::{
        load::{self, burst, post, requests},
        size,
    },
    events::EVENT_BYTES,
    figures::{Figures, RATE, figure},
    load::Drive,
    samples,
};

/// Readers, each with a filter of its own that everything matches.
const FILTERS: usize = 500;

pub(super) fn of_64_kb(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    of_bytes(contestant, scale, 64_000)
}

pub(super) fn of_1_mib(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    of_bytes(contestant, scale, 1 << 20)
}

fn of_bytes(contestant: &mut dyn Contestant, scale: &Scale, bytes: usize) -> Outcome<Figures> {
    // As many bytes as a replay of usual events has.
    let most = scale.replay_events * EVENT_BYTES as u64 / bytes as u64;
    let cost = size::of_size(kymo(contestant)?, bytes, most)?;
    Ok(vec![
        figure(RATE, "events/s", cost.stored_mb_per_second * 1e6 / bytes as f64),
        figure("stored", "MB/s", cost.stored_mb_per_second),
        figure("replayed", "MB/s", cost.replayed_mb_per_second),
    ])
}

/// Every event with an id: first all of them, then all of them again.
pub(super) fn ids(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let calls = requests(kymo, (scale.replay_events / BATCH).min(300), samples::named);
    let mut publisher = Drive::new(vec![kymo.batch_writer(0)?])?;
    let mut rate = || {
        let begun = Instant::now();
        post(&mut publisher, &calls)?;
        Outcome::Ok((calls.len() as u64 * BATCH) as f64 / begun.elapsed().as_secs_f64())
    };
    Ok(vec![
        figure(RATE, "events/s", rate()?),
        figure("sent again", "events/s", rate()?),
    ])
}

pub(super) fn filters(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let calls = requests(kymo, scale.burst_events / BATCH, samples::varied);
    burst(kymo, Vec::new(), &calls, 0)?;
    let everything = |n: usize| format!("source:bench -agent:nobody-{n}");
    let due = calls.len() as u64 * BATCH;
    let cost = burst(kymo, load::readers(kymo, FILTERS, everything)?, &calls, due)?;
    Ok(vec![
        figure(RATE, "deliveries/s", (due * FILTERS as u64) as f64 / cost.seconds),
        figure("CPU", "µs/event", cost.cpu_micros),
    ])
}
