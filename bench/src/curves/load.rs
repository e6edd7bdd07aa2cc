//! The load under which a curve is measured: readers that count, and a publisher in bursts or in steps.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    contestants::{Contestant, Door, kymo::Kymo},
    events::Event,
    figures::percentile,
    load::{Call, Drive, Link},
    works::{Readers, batches::BATCH, open_loop::open_loop},
};

/// Threads that read.
const THREADS: usize = 2;

/// What an event of a burst costs.
pub(crate) struct Cost {
    /// The server's processor time of one event.
    pub(crate) cpu_micros: f64,
    /// Until everybody had everything.
    pub(crate) seconds: f64,
}

/// Opens readers of what comes from now on, the n-th with the n-th filter.
pub(crate) fn readers(kymo: &Kymo, count: usize, filter: impl Fn(usize) -> String) -> Outcome<Vec<Link>> {
    (0..count).map(|number| kymo.follow(&filter(number))).collect()
}

/// `batches` batches of a sort of event, as requests.
pub(crate) fn requests(kymo: &Kymo, batches: u64, event: impl Fn(u64) -> Event + Copy) -> Vec<Call> {
    let batch = |number: u64| kymo.batch(0, &crate::samples::many(number * BATCH, BATCH, event));
    (0..batches).map(batch).collect()
}

/// Posts batches of a thousand one after the other and waits until every reader has got `due` events.
pub(crate) fn burst(kymo: &Kymo, readers: Vec<Link>, calls: &[Call], due: u64) -> Outcome<Cost> {
    let mut publisher = Drive::new(vec![kymo.batch_writer(0)?])?;
    settle();
    let cpu_before = kymo.process().cpu_seconds();
    let begun = Instant::now();
    let reading = Readers::start(readers, THREADS, due)?;
    post(&mut publisher, calls)?;
    let links = reading.join()?;
    let events = calls.len() as u64 * BATCH;
    let cost = Cost {
        cpu_micros: (kymo.process().cpu_seconds() - cpu_before) * 1e6 / events as f64,
        seconds: begun.elapsed().as_secs_f64(),
    };
    // Only now: the end of a connection costs the server something too.
    drop(links);
    Ok(cost)
}

/// Posts requests one after the other over the first link.
pub(crate) fn post(publisher: &mut Drive, calls: &[Call]) -> Outcome {
    for call in calls {
        let due = publisher.links[0].heard.answers + call.answers;
        publisher.links[0].send(&call.bytes)?;
        publisher.until(|link| link.heard.answers >= due)?;
    }
    Ok(())
}

/// What single events cost, and how long they took from the emitter to the readers.
pub(crate) struct Paced {
    pub(crate) cpu_micros: f64,
    pub(crate) p50_micros: f64,
    pub(crate) p90_micros: f64,
}

/// Emits single events at a rate, whether or not they are answered.
pub(crate) fn paced(kymo: &Kymo, readers: Vec<Link>, events: &[Event], per_second: u64) -> Outcome<Paced> {
    let calls: Vec<Arc<[u8]>> = events
        .iter()
        .map(|event| kymo.single(Door::Socket, 0, event).bytes)
        .collect();
    let publisher = kymo.writer(Door::Socket, 0)?;
    settle();
    let cpu_before = kymo.process().cpu_seconds();
    let (mut waits, _) = open_loop(readers, publisher, &calls, per_second, 0)?;
    let cpu_seconds = kymo.process().cpu_seconds() - cpu_before;
    waits.sort_unstable();
    Ok(Paced {
        cpu_micros: cpu_seconds * 1e6 / events.len() as f64,
        p50_micros: percentile(&waits, 50),
        p90_micros: percentile(&waits, 90),
    })
}

/// Lets what went before come to its end.
fn settle() {
    std::thread::sleep(Duration::from_millis(200));
}
