//! One event per call, each awaiting its receipt: what a lone agent sees, times many agents.

use super::Cost;
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door},
    events,
    figures::{Figures, RATE, figure, p50_p99},
    load::{Drive, closed_loop},
};

/// Clients that call.
const CLIENTS: u64 = 64;

/// Different events of a client; it goes round them.
const DIFFERENT: u64 = 16;

pub(super) fn over_socket(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    run(contestant, Door::Socket, scale)
}

pub(super) fn over_http(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    run(contestant, Door::Http, scale)
}

fn run(contestant: &dyn Contestant, door: Door, scale: &Scale) -> Outcome<Figures> {
    let links: Outcome<Vec<_>> = (0..CLIENTS)
        .map(|client| contestant.writer(door, client))
        .collect();
    let mut drive = Drive::new(links?)?;
    let call = |client, number| contestant.single(door, client, &events::event(number));
    let calls: Vec<Vec<_>> = (0..CLIENTS)
        .map(|client| {
            (0..DIFFERENT)
                .map(|number| call(client, client * DIFFERENT + number))
                .collect()
        })
        .collect();
    closed_loop(&mut drive, &calls, scale.warm_up)?;
    let before = Cost::now(contestant);
    let laps = closed_loop(&mut drive, &calls, scale.closed_loop)?;
    let events = laps.waits.len() as u64;
    let mut figures = vec![figure(RATE, "events/s", laps.calls as f64 / laps.seconds)];
    figures.extend(p50_p99(laps.waits));
    figures.extend(before.since(contestant, events));
    Ok(figures)
}
