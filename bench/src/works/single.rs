//! One event per call, each awaiting its receipt: what a lone agent sees, times many agents.

use std::time::Duration;

use super::{Cost, batches::BATCH, kymo};
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Door},
    curves::load::{post, requests},
    events::{self, Event},
    figures::{Figures, RATE, figure, p50_p99},
    load::{Call, Drive, closed_loop},
    samples,
};

/// Clients that call.
const CLIENTS: u64 = 64;

/// Different events of a client; it goes round them.
const DIFFERENT: u64 = 16;

/// Where no event may come twice there are calls for so many a millisecond: more than any machine answers.
const MOST_PER_MILLISECOND: u64 = 150;

/// Events whose ids do not fit into memory, and where theirs begin.
const IDS_MANY: u64 = 300_000;
const IDS_ELSEWHERE: u64 = 1 << 40;

pub(super) fn over_socket(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    run(contestant, Door::Socket, scale)
}

pub(super) fn over_http(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    run(contestant, Door::Http, scale)
}

/// Every event with an id of its own: over WebSocket, over HTTP, and once the ledger has more ids than are in memory.
pub(super) fn with_ids(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let mut sent = 0;
    let mut measured = |door| {
        let mut calls_for = |time: Duration| {
            let each = u64::try_from(time.as_millis())? * MOST_PER_MILLISECOND / CLIENTS + DIFFERENT;
            sent += each * CLIENTS;
            Outcome::Ok(calls(kymo, door, each, |number| samples::named(sent + number)))
        };
        let (warm, calls) = (calls_for(scale.warm_up)?, calls_for(scale.closed_loop)?);
        measure(kymo, door, scale, &warm, &calls)
    };
    let mut figures = measured(Door::Socket)?;
    let rate = |figures: Figures| figures[0].value;
    figures.push(figure("over HTTP", "events/s", rate(measured(Door::Http)?)));
    let many = requests(kymo, scale.replay_events.min(IDS_MANY) / BATCH, |number| {
        samples::named(IDS_ELSEWHERE + number)
    });
    post(&mut Drive::new(vec![kymo.batch_writer(0)?])?, &many)?;
    figures.push(figure("long ledger", "events/s", rate(measured(Door::Socket)?)));
    Ok(figures)
}

fn run(contestant: &dyn Contestant, door: Door, scale: &Scale) -> Outcome<Figures> {
    let calls = calls(contestant, door, DIFFERENT, events::event);
    measure(contestant, door, scale, &calls, &calls)
}

/// So many calls for each client, no two with the same event.
fn calls(contestant: &dyn Contestant, door: Door, each: u64, event: impl Fn(u64) -> Event) -> Vec<Vec<Call>> {
    let call = |client, number| contestant.single(door, client, &event(client * each + number));
    (0..CLIENTS)
        .map(|client| (0..each).map(|number| call(client, number)).collect())
        .collect()
}

fn measure(
    contestant: &dyn Contestant,
    door: Door,
    scale: &Scale,
    warm: &[Vec<Call>],
    calls: &[Vec<Call>],
) -> Outcome<Figures> {
    let links: Outcome<Vec<_>> = (0..CLIENTS)
        .map(|client| contestant.writer(door, client))
        .collect();
    let mut drive = Drive::new(links?)?;
    closed_loop(&mut drive, warm, scale.warm_up)?;
    let before = Cost::now(contestant);
    let laps = closed_loop(&mut drive, calls, scale.closed_loop)?;
    let events = laps.waits.len() as u64;
    let mut figures = vec![figure(RATE, "events/s", laps.calls as f64 / laps.seconds)];
    figures.extend(p50_p99(laps.waits));
    figures.extend(before.since(contestant, events));
    Ok(figures)
}
