//! One publisher that sends events one by one and awaits nothing, many readers.

use std::time::Instant;

use super::readers::Readers;
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door},
    events,
    figures::{Figures, RATE, figure},
    load::{Call, Drive, Link},
};

/// Readers.
const READERS: u64 = 100;

/// Threads that read.
const THREADS: usize = 1;

/// Events before the clock starts.
const WARM_UP: usize = 100;

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let links: Outcome<Vec<_>> = (0..READERS).map(|_| contestant.reader()).collect();
    let mut publisher = Drive::new(vec![contestant.writer(Door::Socket, 0)?])?;
    let single = |number| contestant.single(Door::Socket, 0, &events::event(number));
    let calls: Vec<Call> = (0..scale.one_by_one_events).map(single).collect();
    let (links, _) = stream(links?, &mut publisher, &calls[..WARM_UP.min(calls.len())])?;
    let (_, seconds) = stream(links, &mut publisher, &calls)?;
    let deliveries = calls.len() as u64 * READERS;
    Ok(vec![figure(RATE, "deliveries/s", deliveries as f64 / seconds)])
}

/// Sends the calls as fast as the socket takes them, and waits until every reader has every event.
fn stream(links: Vec<Link>, publisher: &mut Drive, calls: &[Call]) -> Outcome<(Vec<Link>, f64)> {
    let readers = Readers::start(links, THREADS, calls.len() as u64)?;
    let answers: u64 = calls.iter().map(|call| call.answers).sum();
    let due = publisher.links[0].heard.answers + answers;
    let begun = Instant::now();
    for call in calls {
        publisher.links[0].send(&call.bytes)?;
    }
    publisher.until(|link| link.heard.answers >= due)?;
    let links = readers.join()?;
    Ok((links, begun.elapsed().as_secs_f64()))
}
