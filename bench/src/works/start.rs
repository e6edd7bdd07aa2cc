//! From exec to the first event accepted and the first given back, after kill -9.

use std::time::{Duration, Instant};

use super::{batches::BATCH, kymo, replay::store};
use crate::{
    Outcome,
    args::Scale,
    cold,
    contestants::{Contestant, Door, Past, kymo::Kymo},
    events,
    figures::{Figures, figure, median},
    load::Drive,
    process, stored,
};

/// Times it is killed; the median counts.
const KILLS: u64 = 5;

/// Between tries to be served.
const TRY_EVERY: Duration = Duration::from_micros(200);

/// Longest wait until it serves again.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    store(contestant, scale.restart_events)?;
    after_kills(contestant)
}

/// The same on a ledger of 50 million events, also when the system remembers no page of it.
pub(super) fn huge(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let own = process::folder()?;
    let data = scale.stored.unwrap_or(own.path());
    stored::fill_up_to(data, scale.huge_events)?;
    let kymo = Kymo::start_on(&kymo(contestant)?.program, data, &[])?;
    let mut figures = after_kills(&kymo)?;
    cold::forget(&kymo.ledger())?;
    let (write, read) = restart(&kymo)?;
    figures.push(figure("cold write", "ms", write.as_secs_f64() * 1e3));
    figures.push(figure("cold read", "ms", read.as_secs_f64() * 1e3));
    figures.push(figure(
        "from the disk",
        "MB",
        kymo.process().disk_read_bytes() / 1e6,
    ));
    Ok(figures)
}

/// Kills and starts it a few times, each time just after it acknowledged a batch.
pub(crate) fn after_kills(contestant: &dyn Contestant) -> Outcome<Figures> {
    let (mut writes, mut reads, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..KILLS {
        store(contestant, BATCH)?;
        let (write, read) = restart(contestant)?;
        writes.push(write.as_secs_f64() * 1e3);
        reads.push(read.as_secs_f64() * 1e3);
        memory.push(contestant.process().memory_mb());
    }
    Ok(vec![
        figure("write", "ms", median(&writes)),
        figure("read", "ms", median(&reads)),
        figure("memory", "MB", median(&memory)),
    ])
}

/// Kills it and starts it again; how long until an event is acknowledged, and until after that the oldest one is read.
pub(crate) fn restart(contestant: &dyn Contestant) -> Outcome<(Duration, Duration)> {
    let begun = contestant.process().restart()?;
    as_soon_as_possible(begun, || write(contestant))?;
    let write = begun.elapsed();
    as_soon_as_possible(begun, || read(contestant))?;
    Ok((write, begun.elapsed()))
}

fn as_soon_as_possible(begun: Instant, mut work: impl FnMut() -> Outcome) -> Outcome {
    loop {
        match work() {
            Err(cause) if begun.elapsed() > PATIENCE => return Err(cause),
            Err(_) => std::thread::sleep(TRY_EVERY),
            Ok(()) => return Ok(()),
        }
    }
}

fn write(contestant: &dyn Contestant) -> Outcome {
    let mut drive = Drive::new(vec![contestant.writer(Door::Http, 0)?])?;
    let call = contestant.single(Door::Http, 0, &events::event(1));
    drive.links[0].send(&call.bytes)?;
    drive.until(|link| link.heard.answers >= call.answers)
}

fn read(contestant: &dyn Contestant) -> Outcome {
    let (link, ask) = contestant.past(Past::All)?;
    let mut drive = Drive::new(vec![link])?;
    drive.links[0].send(&ask.into())?;
    drive.until(|link| link.heard.tally.count > 0)
}
