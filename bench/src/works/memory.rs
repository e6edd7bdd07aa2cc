//! Memory of one server that does one work after the other: after its start, and at its peak.

use super::{batches, burst, one_by_one, open_loop, replay, single};
use crate::{
    Outcome,
    args::Scale,
    contestants::Contestant,
    figures::{Figures, figure},
};

type Run = fn(&mut dyn Contestant, &Scale) -> Outcome<Figures>;

const EVERYONE: &[Run] = &[
    batches::run,
    single::over_socket,
    burst::run,
    one_by_one::run,
    open_loop::run,
    replay::all,
];

const KYMO_ALONE: &[Run] = &[single::over_http, replay::rare, replay::shard];

pub(super) fn run(contestant: &mut dyn Contestant, scale: &Scale) -> Outcome<Figures> {
    let start = contestant.process().memory_mb();
    for work in EVERYONE {
        work(contestant, scale)?;
    }
    if contestant.as_kymo().is_some() {
        for work in KYMO_ALONE {
            work(contestant, scale)?;
        }
    }
    Ok(vec![
        figure("after start", "MB", start),
        figure("peak", "MB", contestant.process().peak_memory_mb()),
    ])
}
