//! Ten thousand who wait for what never comes: what they cost those who work beside them.
//!
//! The same work is measured alone and then beside the crowd, on one server. What the crowd is sent now and then (pings,
//! cursors) is left to the system: its members would be elsewhere.

use super::{bystanders::Bystanders, kymo};
use crate::{
    Outcome,
    args::Scale,
    contestants::{Contestant, kymo::Kymo},
    figures::{Figures, figure},
};

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
    let alone = Bystanders::measure(kymo, scale)?;
    let crowd: Outcome<Vec<_>> = (0..scale.idle_connections)
        .map(|member| kymo.follow(&filter(member)))
        .collect();
    let crowd = crowd?;
    let beside = Bystanders::measure(kymo, scale)?;
    drop(crowd);
    Ok(vec![
        figure("acks p99", "µs", alone.acks),
        figure("acks p99 beside the crowd", "µs", beside.acks),
        figure("reader p99", "µs", alone.reader),
        figure("reader p99 beside the crowd", "µs", beside.reader),
    ])
}
