//! The size of an event: what storing it and replaying it costs, and how many bytes a second pass.

use std::time::Instant;

use super::{Extent, load::post, point};
use crate::{
    Outcome,
    contestants::{Contestant, Past, kymo::Kymo},
    load::Drive,
    plot::{Axis, Chart, Kind, Series, Unit},
    samples,
    works::replay::replay,
};

const BYTES: &[usize] = &[100, 350, 1_000, 4_000, 16_000, 64_000, 256_000, 1 << 20];
/// Bytes stored for a point, and bytes of a request.
const TOTAL: u64 = 256 << 20;
const REQUEST: u64 = 4 << 20;
const EVENTS_MAX: u64 = 300_000;
/// Requests before the clock starts.
const WARM_UP: u64 = 3;

/// What events of one size cost.
pub(crate) struct OfSize {
    pub(crate) stored_cpu_micros: f64,
    pub(crate) stored_mb_per_second: f64,
    pub(crate) replayed_cpu_micros: f64,
    pub(crate) replayed_mb_per_second: f64,
}

pub(super) fn charts(extent: Extent<'_>) -> Outcome<Vec<Chart>> {
    let mut stored = Series::new("stored, in batches");
    let mut replayed = Series::new("replayed");
    let mut stored_rate = Series::new("stored, in batches");
    let mut replayed_rate = Series::new("replayed");
    for bytes in extent.steps(BYTES) {
        let cost = of_size(&Kymo::start(extent.kymo)?, bytes, extent.of(EVENTS_MAX))?;
        let x = bytes as f64;
        point(&mut stored, x, cost.stored_cpu_micros);
        point(&mut replayed, x, cost.replayed_cpu_micros);
        point(&mut stored_rate, x, cost.stored_mb_per_second);
        point(&mut replayed_rate, x, cost.replayed_mb_per_second);
    }
    let chart = |name, title, y: Axis, series| Chart {
        name,
        title,
        note: "Stored over one HTTP connection, durable; replayed to one WebSocket reader".into(),
        x: Axis {
            name: "size of an event as received",
            unit: Unit::Bytes,
            kind: Kind::Log,
        },
        y,
        series,
    };
    let cost = Axis {
        name: "processor time of one event",
        unit: Unit::Micros,
        kind: Kind::Log,
    };
    let rate = Axis {
        name: "bytes of events a second",
        unit: Unit::MegabytesPerSecond,
        kind: Kind::Linear,
    };
    Ok(vec![
        chart(
            "size",
            "What an event costs the server, by its size",
            cost,
            vec![stored, replayed],
        ),
        chart(
            "size-rate",
            "How many bytes a second pass",
            rate,
            vec![stored_rate, replayed_rate],
        ),
    ])
}

/// Stores events of one size in an empty ledger and reads them back.
pub(crate) fn of_size(kymo: &Kymo, bytes: usize, most: u64) -> Outcome<OfSize> {
    let per_request = (REQUEST / bytes as u64).clamp(1, 1_000);
    let requests = ((TOTAL / bytes as u64).min(most) / per_request).max(1);
    let (total, warm) = (requests * per_request, WARM_UP * per_request);
    let call = kymo.batch(
        0,
        &samples::many(0, per_request, |number| samples::sized(number, bytes)),
    );
    let mut publisher = Drive::new(vec![kymo.batch_writer(0)?])?;
    post(&mut publisher, &vec![call.clone(); usize::try_from(WARM_UP)?])?;
    let (stored_seconds, stored_cpu) = timed(kymo, || {
        post(&mut publisher, &vec![call; usize::try_from(requests)?])
    })?;
    let all = total + warm;
    let (replayed_seconds, replayed_cpu) = timed(kymo, || replay(kymo, Past::All, all).map(|_| ()))?;
    let megabytes = |events: u64| (events * bytes as u64) as f64 / 1e6;
    Ok(OfSize {
        stored_cpu_micros: stored_cpu * 1e6 / total as f64,
        stored_mb_per_second: megabytes(total) / stored_seconds,
        replayed_cpu_micros: replayed_cpu * 1e6 / all as f64,
        replayed_mb_per_second: megabytes(all) / replayed_seconds,
    })
}

/// Seconds that something takes, and seconds of the server's processor time.
fn timed(kymo: &Kymo, work: impl FnOnce() -> Outcome) -> Outcome<(f64, f64)> {
    let (cpu, begun) = (kymo.process().cpu_seconds(), Instant::now());
    work()?;
    Ok((begun.elapsed().as_secs_f64(), kymo.process().cpu_seconds() - cpu))
}
