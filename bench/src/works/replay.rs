//! The past to one reader: everything, or what a filter leaves of it.

use std::time::Instant;

use super::batches::BATCH;
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, Past},
    events,
    figures::{Figures, RATE, figure},
    load::Drive,
};

/// All that is stored.
pub(super) fn all(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    store(contestant, scale.replay_events)?;
    let due = scale.replay_events;
    replay(contestant, Past::All, due)?;
    let seconds = replay(contestant, Past::All, due)?;
    Ok(vec![figure(RATE, "events/s", due as f64 / seconds)])
}

/// One in a hundred, by type: what counts is how fast the matches come.
pub(super) fn rare(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    store(contestant, scale.replay_events)?;
    let due = scale.replay_events / events::RARE;
    replay(contestant, Past::Rare, due)?;
    let seconds = replay(contestant, Past::Rare, due)?;
    Ok(vec![figure(RATE, "matches/s", due as f64 / seconds)])
}

/// One in ten, by payload: what counts is how fast the past is looked through.
pub(super) fn shard(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    store(contestant, scale.replay_events)?;
    let due = scale.replay_events / 10;
    replay(contestant, Past::Shard, due)?;
    let before = contestant.process().cpu_seconds();
    let seconds = replay(contestant, Past::Shard, due)?;
    let cpu_seconds = contestant.process().cpu_seconds() - before;
    let scanned = scale.replay_events as f64;
    Ok(vec![
        figure(RATE, "scanned/s", scanned / seconds),
        figure("CPU", "µs/event", cpu_seconds * 1e6 / scanned),
    ])
}

/// Fills the ledger.
pub(crate) fn store(contestant: &dyn Contestant, count: u64) -> Outcome {
    let mut drive = Drive::new(vec![contestant.batch_writer(0)?])?;
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        let call = contestant.batch(0, &events::events(first, BATCH.min(count - first)));
        let due = drive.links[0].heard.answers + call.answers;
        drive.links[0].send(&call.bytes)?;
        drive.until(|link| link.heard.answers >= due)?;
    }
    Ok(())
}

/// Reads the first `due` events of the past, and goes; the seconds it took.
pub(crate) fn first(contestant: &dyn Contestant, due: u64) -> Outcome<f64> {
    let (link, ask) = contestant.past(Past::All)?;
    let mut drive = Drive::new(vec![link])?;
    let begun = Instant::now();
    drive.links[0].send(&ask.into())?;
    drive.until(|link| link.heard.tally.count >= due)?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Reads the past once; the seconds it took.
pub(crate) fn replay(contestant: &dyn Contestant, which: Past, due: u64) -> Outcome<f64> {
    let (link, ask) = contestant.past(which)?;
    let mut drive = Drive::new(vec![link])?;
    let says_live = contestant.says_live();
    let begun = Instant::now();
    drive.links[0].send(&ask.into())?;
    // The first turns only say that the socket is writable.
    drive.until(|link| {
        let all = link.heard.tally.count >= due;
        if says_live { link.heard.live } else { all }
    })?;
    let (seconds, came) = (begun.elapsed().as_secs_f64(), drive.links[0].heard.tally.count);
    if came < due {
        return Err(format!("{came} of {due} events came").into());
    }
    Ok(seconds)
}
