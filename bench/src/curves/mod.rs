//! How the cost of one event grows: with readers, filters, its size, and the size of the ledger.
//!
//! Cost is the server's own processor time wherever possible: unlike a rate it does not depend on what the load program
//! needs of the same cores. Each curve is a file here and a line in [`CURVES`]; it gives charts, which `plot` draws.

mod filters;
mod ledger;
pub(crate) mod load;
mod readers;
pub(crate) mod size;

use std::path::Path;

use crate::{
    Outcome,
    machine::Machine,
    plot::{Chart, Series},
    say::say,
};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Extent<'a> {
    /// The binary.
    pub(crate) kymo: &'a Path,
    /// Divides counts, for a short look.
    pub(crate) shorter: u64,
    /// Events of the largest ledger.
    pub(crate) ledger_events_max: u64,
}

impl Extent<'_> {
    /// A count as it is to be in this run.
    fn of(&self, count: u64) -> u64 {
        (count / self.shorter).max(1)
    }

    /// The steps of a curve as they are to be in this run: every one, the ends, or the two cheapest.
    fn steps<T: Copy>(&self, all: &[T]) -> Vec<T> {
        match (self.shorter, all) {
            (100.., [first, second, ..]) => vec![*first, *second],
            (2.., [first, .., last]) => vec![*first, *last],
            _ => all.to_vec(),
        }
    }
}

/// Measures what one or more charts show.
type Measure = fn(Extent<'_>) -> Outcome<Vec<Chart>>;

/// Name and measurement of every curve.
const CURVES: &[(&str, Measure)] = &[
    ("readers", readers::charts),
    ("filters", filters::charts),
    ("size", size::charts),
    ("ledger", ledger::charts),
];

/// Measures the curves of these names, all if there are none, and writes them to `folder`.
pub(crate) fn draw(extent: Extent<'_>, names: &[String], folder: &Path) -> Outcome {
    for name in names {
        if !CURVES.iter().any(|(known, _)| known == name) {
            let known: Vec<_> = CURVES.iter().map(|(known, _)| *known).collect();
            return Err(format!("there is no curve `{name}`; there are {}", known.join(", ")).into());
        }
    }
    let machine = Machine::look().describe();
    for (name, charts) in CURVES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            say(&format!("curve: {name}"));
            for chart in charts(extent)? {
                chart.write(folder, &machine)?;
                say(&format!(
                    "written to {}",
                    folder.join(chart.name).with_extension("svg").display()
                ));
            }
        }
    }
    Ok(())
}

/// Adds a point to a line and shows it.
fn point(series: &mut Series, x: f64, y: f64) {
    say(&format!("  {} at {x}: {y:.2}", series.name));
    series.points.push((x, y));
}
