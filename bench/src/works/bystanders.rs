//! Those who go about their work beside others: 64 clients that await each ack, then one reader of a steady stream.

use std::time::Duration;

use super::open_loop::open_loop;
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door, kymo::Kymo},
    events,
    figures::{median, percentile},
    load::{Call, Drive, closed_loop},
};

/// Clients that emit and await each ack.
const CLIENTS: usize = 64;
/// Events a second from one emitter to one reader.
const RATE_PER_SECOND: usize = 1_000;

/// Their 99th percentiles, in microseconds.
pub(super) struct Bystanders {
    pub(super) acks: f64,
    pub(super) reader: f64,
}

impl Bystanders {
    /// Both, one after the other.
    pub(super) fn measure(kymo: &Kymo, scale: &Scale) -> Outcome<Self> {
        Ok(Self {
            acks: acks(kymo, scale)?,
            reader: reader(kymo, scale)?,
        })
    }

    /// The middle of several.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        Self {
            acks: of(|round| round.acks),
            reader: of(|round| round.reader),
        }
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
