//! A steady load for minutes: whether memory stays where it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{kymo, open_loop::open_loop, replay};
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door, Past, kymo::Kymo},
    events,
    figures::{Figures, figure},
    regression::slope,
};

const PER_SECOND: u64 = 2_000;
const READERS: usize = 10;
/// One part of the load: single events to readers that come and go, then the past.
const PART: Duration = Duration::from_secs(3);
/// Memory is looked at so often.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// What fills every buffer there is.
const WARM_UP_EVENTS: u64 = 300_000;
/// Longer than the newest events stay in memory under this load.
const WARM_UP: Duration = Duration::from_secs(40);

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    replay::store(kymo, scale.replay_events.min(WARM_UP_EVENTS))?;
    begin_threads(kymo)?;
    let part = PART.min(scale.soak);
    // Only what grows for ever is to be seen: first the newest events in memory are such that came one by one.
    let begun = Instant::now();
    while begun.elapsed() < WARM_UP.min(scale.soak) {
        one_part(kymo, part)?;
    }
    let samples = std::thread::scope(|threads| {
        let over = Arc::new(AtomicBool::new(false));
        let sampling = {
            let over = Arc::clone(&over);
            threads.spawn(move || samples(kymo, &over))
        };
        let begun = Instant::now();
        let mut load = Ok(());
        while begun.elapsed() < scale.soak && load.is_ok() {
            load = one_part(kymo, part);
        }
        over.store(true, Ordering::Relaxed);
        let samples = sampling.join().map_err(|_| "the thread that samples panicked")?;
        load.map(|()| samples)
    })?;
    let (first, last) = (samples.first().copied(), samples.last().copied());
    Ok(vec![
        figure("slope", "MB/10 min", slope(&samples) * 600.0),
        figure("first", "MB", first.map_or(f64::NAN, |(_, memory)| memory)),
        figure("last", "MB", last.map_or(f64::NAN, |(_, memory)| memory)),
        figure("over", "s", last.map_or(f64::NAN, |(seconds, _)| seconds)),
    ])
}

/// Reads the past for several at once. Such reads take turns on a few threads, of which each holds some memory: all are
/// begun before anybody looks.
fn begin_threads(kymo: &Kymo) -> Outcome {
    let read = || replay::replay(kymo, Past::All, 1).map_err(|error| error.to_string());
    std::thread::scope(|threads| {
        let readers: Vec<_> = (0..READERS).map(|_| threads.spawn(read)).collect();
        for reader in readers {
            reader.join().map_err(|_| "a thread that reads panicked")??;
        }
        Ok(())
    })
}

fn one_part(kymo: &Kymo, time: Duration) -> Outcome {
    let links: Outcome<Vec<_>> = (0..READERS).map(|_| kymo.reader()).collect();
    let count = PER_SECOND * u64::try_from(time.as_millis())? / 1_000;
    let calls: Vec<_> = (0..count.max(1))
        .map(|number| kymo.single(Door::Socket, 0, &events::event(number)).bytes)
        .collect();
    open_loop(links?, kymo.writer(Door::Socket, 0)?, &calls, PER_SECOND, 0)?;
    replay::replay(kymo, Past::Rare, 1)?;
    replay::replay(kymo, Past::All, 1)?;
    Ok(())
}

/// (seconds, MB) until it is over.
fn samples(kymo: &Kymo, over: &AtomicBool) -> Vec<(f64, f64)> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while !over.load(Ordering::Relaxed) {
        samples.push((begun.elapsed().as_secs_f64(), kymo.process().memory_mb()));
        std::thread::sleep(SAMPLE_EVERY);
    }
    samples
}
