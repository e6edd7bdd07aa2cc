//! Collects what every pass measured, and makes of it one table for people and one file for programs.

mod json;
mod table;

use std::{fs, path::Path};

use crate::{
    Outcome,
    args::Args,
    bars::Peer,
    contestants::{self, Entrant, KYMO, Promise},
    figures::{Figure, Figures, figure, median},
    machine::Machine,
    say::say,
    works::Work,
};

/// The key of the machine's own column.
pub(crate) const FLOOR: &str = "floor";

/// What came of one measurement.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Figures.
    Measured(Figures),
    /// Not asked, and why.
    Without(&'static str),
    /// Not installed, and how to install it.
    Missing(String),
    /// It went wrong.
    Failed(String),
}

impl Cell {
    /// Of a measurement.
    pub(crate) fn of(outcome: Outcome<Figures>) -> Self {
        match outcome {
            Ok(figures) => Self::Measured(figures),
            Err(cause) => Self::Failed(cause.to_string()),
        }
    }

    /// The figures, where there are any.
    const fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Measured(figures) => Some(figures),
            _ => None,
        }
    }

    /// For the progress.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Measured(figures) => figures.iter().map(Figure::text).collect::<Vec<_>>().join(", "),
            Self::Without(why) => format!("— ({why})"),
            Self::Missing(how) => format!("not installed: {how}"),
            Self::Failed(cause) => format!("FAILED: {cause}"),
        }
    }
}

/// Everything that was measured.
pub(crate) struct Report {
    machine: Machine,
    passes: usize,
    is_whole: bool,
    works: Vec<&'static Work>,
    entrants: Vec<&'static Entrant>,
    cells: Vec<(&'static str, &'static str, Cell)>,
}

impl Report {
    /// Nothing measured yet.
    pub(crate) fn new(args: &Args, works: Vec<&'static Work>, entrants: Vec<&'static Entrant>) -> Self {
        Self {
            machine: Machine::look(),
            passes: args.passes(),
            is_whole: args.is_whole(),
            works,
            entrants,
            cells: Vec::new(),
        }
    }

    /// One more pass of a work by a contestant.
    pub(crate) fn add(&mut self, work: &Work, who: &'static str, cell: Cell) {
        self.cells.push((work.key, who, cell));
    }

    /// What the passes of a work by a contestant came to.
    fn cells(&self, work: &str, who: &str) -> impl Iterator<Item = &Cell> {
        let chosen = move |(of, by, _): &&(&str, &str, Cell)| *of == work && *by == who;
        self.cells.iter().filter(chosen).map(|(_, _, cell)| cell)
    }

    /// The figures of every pass.
    fn passes(&self, work: &str, who: &str) -> Vec<&Figures> {
        let cells = self.cells(work, who);
        cells.filter_map(Cell::figures).collect()
    }

    /// The median of every figure over the passes.
    fn medians(&self, work: &str, who: &str) -> Figures {
        let passes = self.passes(work, who);
        let first = passes
            .first()
            .map(|figures| figures.as_slice())
            .unwrap_or_default();
        let over_passes = |of: &Figure| {
            let same = passes
                .iter()
                .flat_map(|figures| figures.iter())
                .filter(|other| other.name == of.name);
            median(&same.map(|figure| figure.value).collect::<Vec<_>>())
        };
        first
            .iter()
            .map(|of| figure(of.name, of.unit, over_passes(of)))
            .collect()
    }

    /// A peer's median of the figure with this name.
    fn of_peer(&self, work: &str, peer: Peer, name: &str) -> Option<f64> {
        let of = |key: &str| {
            let figures = self.medians(work, key);
            figures
                .into_iter()
                .find(|figure| figure.name == name)
                .map(|figure| figure.value)
        };
        let durable = |entrant: &&&Entrant| entrant.key != KYMO && entrant.promise == Promise::Synced;
        match peer {
            Peer::Named(key) => of(key),
            Peer::BestDurable => self
                .entrants
                .iter()
                .filter(durable)
                .filter_map(|entrant| of(entrant.key))
                .max_by(f64::total_cmp),
        }
    }

    /// Each bar of a work in words, and whether Kymo met it.
    fn bars(&self, work: &Work) -> Vec<(String, Option<bool>)> {
        let own = self.medians(work.key, KYMO);
        let title = |key| contestants::named(key).map_or(key, |entrant| entrant.title);
        let met = |bar: &crate::bars::Bar| bar.is_met(&own, |peer, name| self.of_peer(work.key, peer, name));
        work.bars.iter().map(|bar| (bar.text(title), met(bar))).collect()
    }

    /// The table and all that belongs to it.
    pub(crate) fn markdown(&self) -> String {
        table::markdown(self)
    }

    /// Writes both files, named after the commit.
    pub(crate) fn write(&self, folder: &Path) -> Outcome {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.md", self.machine.commit));
        fs::write(&path, self.markdown())?;
        fs::write(path.with_extension("json"), json::text(self)?)?;
        say(&format!("written to {} and .json beside it", path.display()));
        Ok(())
    }

    /// An error if Kymo itself could not be measured.
    pub(crate) fn verdict(&self) -> Outcome {
        let failed = self.cells.iter().find_map(|(work, who, cell)| match cell {
            Cell::Failed(cause) if *who == KYMO || *who == FLOOR => Some(format!("{work}: {cause}")),
            _ => None,
        });
        failed.map_or(Ok(()), |cause| Err(cause.into()))
    }
}
