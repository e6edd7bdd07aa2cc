//! Distinct filters: what looking at an event with each of them costs the server.

use super::{
    Extent,
    load::{self, burst, requests},
    point,
};
use crate::{
    Outcome,
    contestants::kymo::Kymo,
    load::Link,
    plot::{Axis, Chart, Kind, Series, Unit},
    samples::{self, AGENTS},
    works::batches::BATCH,
};

const FILTERS: &[usize] = &[1, 2, 5, 10, 20, 50, 100, 200, 500];
/// Readers that share the filters which everything matches.
const SHARING: usize = 500;

pub(super) fn charts(extent: Extent<'_>) -> Outcome<Vec<Chart>> {
    let mut shared = Series::new("shared by 500 readers");
    let mut keys = Series::new("a reader each, on a key");
    let mut data = Series::new("a reader each, in data");
    let kymo = Kymo::start(extent.kymo)?;
    let calls = requests(&kymo, extent.of(20), samples::varied);
    let events = calls.len() as u64 * BATCH;
    burst(&kymo, Vec::new(), &calls, 0)?;
    for filters in extent.steps(FILTERS) {
        let x = filters as f64;
        let everything = |n: usize| format!("source:bench -agent:nobody-{}", n % filters);
        let readers = load::readers(&kymo, SHARING, everything)?;
        let cost = burst(&kymo, readers, &calls, events)?;
        point(&mut shared, x, cost.cpu_micros);
        for (series, key) in [(&mut keys, "agent:agent-"), (&mut data, "data.shard:")] {
            let readers = each(&kymo, filters, key)?;
            let cost = burst(&kymo, readers, &calls, events / AGENTS)?;
            point(series, x, cost.cpu_micros);
        }
    }
    Ok(vec![Chart {
        name: "filters",
        title: "What an event costs the server, by distinct filters",
        note: "350 bytes in batches of 1,000; shared filters match everything, those of a reader each one event in 100".into(),
        x: Axis {
            name: "distinct filters",
            unit: Unit::Count,
            kind: Kind::Log,
        },
        y: Axis {
            name: "processor time of one event",
            unit: Unit::Micros,
            kind: Kind::Log,
        },
        series: vec![shared, keys, data],
    }])
}

/// A reader for each filter, of which no two are alike and each lets one event in a hundred pass.
pub(crate) fn each(kymo: &Kymo, filters: usize, key: &str) -> Outcome<Vec<Link>> {
    let filter = |n: usize| format!("{key}{} -session:nobody-{n}", n as u64 % AGENTS);
    load::readers(kymo, filters, filter)
}
