//! The size of the ledger: what should not grow with it, and what does.

use std::time::{Duration, Instant};

use super::{Extent, load::requests, point};
use crate::{
    Outcome,
    contestants::{
        Contestant,
        kymo::{Kymo, Questions},
    },
    figures::percentile,
    load::{Drive, closed_loop},
    plot::{Axis, Chart, Kind, Series, Unit},
    process, samples, stored,
    works::{batches::BATCH, replay, start::restart},
};

const EVENTS: &[u64] = &[10_000, 100_000, 500_000, 2_000_000, 10_000_000, 50_000_000];
const READS: u64 = 300;
const QUERIES: u64 = 40;
const STARTS: u64 = 5;
const CONNECTIONS: usize = 2;
const TRIES: u64 = 6;

pub(super) fn charts(extent: Extent<'_>) -> Outcome<Vec<Chart>> {
    let mut start = Series::new("start to first ack");
    let mut one = Series::new("one event by seq");
    let mut rare = Series::new("newest 100 of a type");
    let mut needle = Series::new("one event by its trace");
    let mut ingest = Series::new("stored, in batches of 1,000");
    let within: Vec<u64> = EVENTS
        .iter()
        .copied()
        .filter(|n| *n <= extent.ledger_events_max)
        .collect();
    for events in extent.steps(&within) {
        let x = events as f64;
        let figures = of_events(extent, events)?;
        point(&mut start, x, figures.start_micros);
        point(&mut one, x, figures.one_micros);
        point(&mut rare, x, figures.rare_micros);
        point(&mut needle, x, figures.needle_micros);
        point(&mut ingest, x, figures.per_second);
    }
    let x = || Axis {
        name: "events in the ledger",
        unit: Unit::Count,
        kind: Kind::Log,
    };
    Ok(vec![
        Chart {
            name: "ledger",
            title: "How long things take, by the size of the ledger",
            note: "350-byte events; start after kill -9; reads over HTTP, files in the page cache; medians"
                .into(),
            x: x(),
            y: Axis {
                name: "time",
                unit: Unit::Micros,
                kind: Kind::Log,
            },
            series: vec![start, needle, rare, one],
        },
        Chart {
            name: "ledger-rate",
            title: "How fast events are stored, by the size of the ledger",
            note: "350-byte events, durable, over two HTTP connections; the best 0.4 s of six".into(),
            x: x(),
            y: Axis {
                name: "events stored",
                unit: Unit::PerSecond,
                kind: Kind::Linear,
            },
            series: vec![ingest],
        },
    ])
}

struct OfEvents {
    start_micros: f64,
    one_micros: f64,
    rare_micros: f64,
    needle_micros: f64,
    per_second: f64,
}

fn of_events(extent: Extent<'_>, events: u64) -> Outcome<OfEvents> {
    let folder = process::folder()?;
    stored::fill(folder.path(), events)?;
    let kymo = Kymo::start_on(extent.kymo, folder.path(), &[])?;
    let mut starts = Vec::new();
    for _ in 0..extent.of(STARTS) {
        replay::store(&kymo, BATCH)?;
        starts.push(restart(&kymo)?.0);
    }
    let mut questions = kymo.questions()?;
    let mut one = Vec::new();
    for read in 0..extent.of(READS) {
        let seq = scattered(read, events);
        one.push(timed(&mut questions, &format!("from={seq}&limit=1"))?);
    }
    let (mut rare, mut needle) = (Vec::new(), Vec::new());
    for _ in 0..extent.of(QUERIES) {
        rare.push(timed(&mut questions, "filter=type:bench.rare&limit=100")?);
        needle.push(timed(
            &mut questions,
            &format!("filter=trace:{}&limit=1", stored::NEEDLE),
        )?);
    }
    Ok(OfEvents {
        start_micros: middle(starts),
        one_micros: middle(one),
        rare_micros: middle(rare),
        needle_micros: middle(needle),
        per_second: ingest(&kymo, extent.of(400))?,
    })
}

fn middle(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    percentile(&times, 50)
}

/// A seq of the ledger: the same ones in every run, all over it.
fn scattered(number: u64, events: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % events + 1
}

fn timed(questions: &mut Questions<'_>, query: &str) -> Outcome<Duration> {
    let begun = Instant::now();
    let answer = questions.get(&format!("/api/v1/events?{query}"))?;
    let took = begun.elapsed();
    match memchr::memmem::find(&answer, b"\"seq\":") {
        Some(_) => Ok(took),
        None => Err(format!("nothing was found by {query}").into()),
    }
}

/// The best of a few tries: a shared disk has bad moments, which say nothing about the ledger.
fn ingest(kymo: &Kymo, millis: u64) -> Outcome<f64> {
    let links: Outcome<Vec<_>> = (0..CONNECTIONS).map(|_| kymo.batch_writer(0)).collect();
    let mut drive = Drive::new(links?)?;
    let calls = vec![requests(kymo, 16, samples::varied); CONNECTIONS];
    let mut best = 0.0_f64;
    for _ in 0..TRIES {
        let laps = closed_loop(&mut drive, &calls, Duration::from_millis(millis))?;
        best = best.max((laps.calls * BATCH) as f64 / laps.seconds);
    }
    Ok(best)
}
