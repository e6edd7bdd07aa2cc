//! Ten thousand who wait for what never comes: what they cost those who work beside them.
//!
//! The same work is measured alone and then beside the crowd, on one server. What the crowd is sent now and then (pings,
//! cursors) is left to the system: its members would be elsewhere.

use std::time::Duration;

use super::{kymo, open_loop::open_loop};
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door, kymo::Kymo},
    events,
    figures::{Figures, figure, percentile},
    load::{Call, Drive, closed_loop},
};

/// Clients that emit and await each ack.
const CLIENTS: usize = 64;
/// Events a second from one emitter to one reader.
const RATE_PER_SECOND: usize = 1_000;

/// All with the same filter.
pub(super) fn alike(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    beside(kymo(contestant)?, scale, |_| "source:nobody".into())
}

/// Each with a filter of its own.
pub(super) fn each_their_own(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    beside(kymo(contestant)?, scale, |member| {
        format!("source:bench session:nobody-{member}")
    })
}

fn beside(kymo: &Kymo, scale: &Scale, filter: impl Fn(usize) -> String) -> Outcome<Figures> {
    let alone = Work::measure(kymo, scale)?;
    let crowd: Outcome<Vec<_>> = (0..scale.idle_connections)
        .map(|member| kymo.follow(&filter(member)))
        .collect();
    let crowd = crowd?;
    let beside = Work::measure(kymo, scale)?;
    drop(crowd);
    Ok(vec![
        figure("acks p99", "µs", alone.acks),
        figure("acks p99 beside the crowd", "µs", beside.acks),
        figure("reader p99", "µs", alone.reader),
        figure("reader p99 beside the crowd", "µs", beside.reader),
    ])
}

/// 99th percentiles in microseconds.
struct Work {
    acks: f64,
    reader: f64,
}

impl Work {
    fn measure(kymo: &Kymo, scale: &Scale) -> Outcome<Self> {
        Ok(Self {
            acks: acks(kymo, scale)?,
            reader: reader(kymo, scale)?,
        })
    }
}

fn acks(kymo: &Kymo, scale: &Scale) -> Outcome<f64> {
    let links: Outcome<Vec<_>> = (0..CLIENTS).map(|_| kymo.writer(Door::Socket, 0)).collect();
    let mut drive = Drive::new(links?)?;
    let calls: Vec<Vec<Call>> = (0..CLIENTS as u64)
        .map(|client| vec![kymo.single(Door::Socket, 0, &events::event(client))])
        .collect();
    closed_loop(&mut drive, &calls, scale.warm_up)?;
    Ok(p99(closed_loop(&mut drive, &calls, scale.closed_loop)?.waits))
}

fn reader(kymo: &Kymo, scale: &Scale) -> Outcome<f64> {
    let count =
        |time: Duration| usize::try_from(time.as_millis()).map(|millis| RATE_PER_SECOND * millis / 1_000);
    let (uncounted, total) = (count(scale.warm_up)?, count(scale.warm_up + scale.open_loop)?);
    let calls: Vec<_> = (0..total as u64)
        .map(|number| kymo.single(Door::Socket, 0, &events::event(number)).bytes)
        .collect();
    let (link, publisher) = (kymo.reader()?, kymo.writer(Door::Socket, 0)?);
    let (waits, _) = open_loop(vec![link], publisher, &calls, RATE_PER_SECOND as u64, uncounted)?;
    Ok(p99(waits))
}

fn p99(mut waits: Vec<Duration>) -> f64 {
    waits.sort_unstable();
    percentile(&waits, 99)
}
