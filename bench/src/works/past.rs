//! The past under circumstances: no page of it in memory, or compressed.

use super::{kymo, replay};
use crate::{
    Outcome,
    args::Scale,
    cold,
    contestants::{Contestant, Past, kymo::Kymo},
    figures::{Figures, RATE, figure},
    process, stored,
};

/// Everything is read from the disk.
pub(super) fn cold(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    replay::store(kymo, scale.replay_events)?;
    replay::replay(kymo, Past::All, scale.replay_events)?;
    cold::forget(&kymo.ledger())?;
    let before = kymo.process().disk_read_bytes();
    let seconds = replay::replay(kymo, Past::All, scale.replay_events)?;
    let read = kymo.process().disk_read_bytes() - before;
    Ok(vec![
        figure(RATE, "events/s", scale.replay_events as f64 / seconds),
        figure("from the disk", "MB", read / 1e6),
    ])
}

/// All but the segment that still grows is compressed.
pub(super) fn compressed(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let folder = process::folder()?;
    stored::fill_and_compress(folder.path(), scale.replay_events)?;
    let kymo = Kymo::start_on(&kymo(contestant)?.program, folder.path(), &[])?;
    replay::replay(&kymo, Past::All, scale.replay_events)?;
    let before = kymo.process().cpu_seconds();
    let seconds = replay::replay(&kymo, Past::All, scale.replay_events)?;
    let cpu_seconds = kymo.process().cpu_seconds() - before;
    let per_event = |all: f64| all / scale.replay_events as f64;
    Ok(vec![
        figure(RATE, "events/s", 1.0 / per_event(seconds)),
        figure("CPU", "µs/event", per_event(cpu_seconds) * 1e6),
        figure("stored", "B/event", per_event(kymo.stored_bytes() as f64)),
    ])
}
