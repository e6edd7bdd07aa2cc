//! Readers of everything: what an event costs the server, and how long it takes to reach them.

use super::{
    Extent,
    load::{self, burst, paced, requests},
    point,
};
use crate::{
    Outcome,
    contestants::kymo::Kymo,
    figures::readable,
    plot::{Axis, Chart, Kind, Series, Unit},
    samples,
    works::batches::BATCH,
};

const READERS: &[usize] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
/// Single events come at this rate, and slower where that many readers could not be given them.
const PER_SECOND_MAX: u64 = 1_000;
const DELIVERIES_PER_SECOND_MAX: u64 = 40_000;
const SECONDS: u64 = 3;

pub(super) fn charts(extent: Extent<'_>) -> Outcome<Vec<Chart>> {
    let mut batches = Series::new("in batches of 1,000");
    let mut singles = Series::new("one by one");
    let mut half = Series::new("50 % sooner than");
    let mut most = Series::new("90 % sooner than");
    let kymo = Kymo::start(extent.kymo)?;
    burst(&kymo, Vec::new(), &requests(&kymo, 50, samples::varied), 0)?;
    for readers in extent.steps(READERS) {
        let x = readers as f64;
        let open = || load::readers(&kymo, readers, |_| "source:bench".into());
        let batches_here = (4_000 / readers as u64).clamp(20, 400);
        let calls = requests(&kymo, extent.of(batches_here), samples::varied);
        let cost = burst(&kymo, open()?, &calls, calls.len() as u64 * BATCH)?;
        point(&mut batches, x, cost.cpu_micros);
        let rate = PER_SECOND_MAX.min(DELIVERIES_PER_SECOND_MAX / readers as u64);
        let events = samples::many(0, extent.of(rate * SECONDS).max(20), samples::varied);
        let cost = paced(&kymo, open()?, &events, rate)?;
        point(&mut singles, x, cost.cpu_micros);
        point(&mut half, x, cost.p50_micros);
        point(&mut most, x, cost.p90_micros);
    }
    Ok(vec![
        chart(
            "readers",
            "What an event costs the server, by readers",
            "350 bytes, durable; over WebSocket; every reader is sent every event".into(),
            "processor time of one event",
            vec![batches, singles],
        ),
        chart(
            "readers-latency",
            "How long an event takes to its readers",
            format!(
                "Emitted one by one, fdatasync before; {} a second, or so many that there are {} deliveries",
                readable(PER_SECOND_MAX as f64),
                readable(DELIVERIES_PER_SECOND_MAX as f64)
            ),
            "time from the emitter to a reader",
            vec![half, most],
        ),
    ])
}

fn chart(
    name: &'static str,
    title: &'static str,
    note: String,
    y: &'static str,
    series: Vec<Series>,
) -> Chart {
    Chart {
        name,
        title,
        note,
        x: Axis {
            name: "readers",
            unit: Unit::Count,
            kind: Kind::Log,
        },
        y: Axis {
            name: y,
            unit: Unit::Micros,
            kind: Kind::Log,
        },
        series,
    }
}
