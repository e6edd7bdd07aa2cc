//! Readers that are connected and are told nothing: what each of them costs in memory.

use std::time::Duration;

use super::{Readers, kymo, replay::store};
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, kymo::Kymo},
    figures::{Figures, figure},
};

const THREADS: usize = 2;

/// Every reader has a subscription over WebSocket; in the end each gets one event, so that none was only half there.
pub(super) fn websocket(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let before = memory(kymo)?;
    let mut links = Vec::with_capacity(scale.idle_connections);
    for _ in 0..scale.idle_connections {
        links.push(kymo.follow("source:bench")?);
    }
    let idle = since(kymo, before, scale);
    let readers = Readers::start(links, THREADS, 1)?;
    store(kymo, 1)?;
    let links = readers.join()?;
    let told = since(kymo, before, scale);
    drop(links);
    Ok(vec![
        figure("each", "kB", idle),
        figure("each, after an event", "kB", told),
    ])
}

/// Every reader listens to server-sent events.
pub(super) fn events(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let before = memory(kymo)?;
    let mut open = Vec::with_capacity(scale.idle_connections);
    for _ in 0..scale.idle_connections {
        open.push(kymo.listen()?);
    }
    let idle = since(kymo, before, scale);
    drop(open);
    Ok(vec![figure("each", "kB", idle)])
}

/// Memory of a server that has been asked once.
fn memory(kymo: &Kymo) -> Outcome<f64> {
    store(kymo, 1_000)?;
    Ok(settled(kymo))
}

fn since(kymo: &Kymo, before: f64, scale: &Scale) -> f64 {
    (settled(kymo) - before) * 1024.0 / scale.idle_connections as f64
}

fn settled(kymo: &Kymo) -> f64 {
    std::thread::sleep(Duration::from_millis(500));
    kymo.process().memory_mb()
}
