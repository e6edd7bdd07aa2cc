//! One publisher of batches, many readers: how many deliveries a second, none lost, all in order.

use std::time::Instant;

use super::{batches::BATCH, readers::Readers};
use crate::{
    Outcome,
    args::Scale,
    contestants::Contestant,
    events,
    figures::{Figures, RATE, figure},
    load::{Call, Drive, Link},
};

/// Threads that read.
const THREADS: usize = 2;

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let readers = scale.burst_readers;
    let links: Outcome<Vec<_>> = (0..readers).map(|_| contestant.reader()).collect();
    let mut publisher = Drive::new(vec![contestant.batch_writer(0)?])?;
    let batch = |number: u64| contestant.batch(0, &events::events(number * BATCH, BATCH));
    let calls: Vec<Call> = (0..scale.burst_events / BATCH).map(batch).collect();
    let (links, _) = burst(links?, &mut publisher, &calls[..1])?;
    let (_, seconds) = burst(links, &mut publisher, &calls)?;
    let deliveries = calls.len() as u64 * BATCH * readers as u64;
    Ok(vec![
        figure(RATE, "deliveries/s", deliveries as f64 / seconds),
        figure("memory peak", "MB", contestant.process().peak_memory_mb()),
    ])
}

/// Publishes the calls, one at a time, and waits until every reader has every event.
fn burst(links: Vec<Link>, publisher: &mut Drive, calls: &[Call]) -> Outcome<(Vec<Link>, f64)> {
    let readers = Readers::start(links, THREADS, calls.len() as u64 * BATCH)?;
    let begun = Instant::now();
    for call in calls {
        let due = publisher.links[0].heard.answers + call.answers;
        publisher.links[0].send(&call.bytes)?;
        publisher.until(|link| link.heard.answers >= due)?;
    }
    let links = readers.join()?;
    Ok((links, begun.elapsed().as_secs_f64()))
}
