//! Charts as SVG: lines over logarithmic or linear axes, with the numbers beside as CSV.
//!
//! A chart brings its own ground and its own two sets of colours, so it reads the same on a light and a dark page. What
//! is drawn is decided here and in `scale.rs`; how it looks, in `draw.rs`.

mod draw;
mod scale;
mod units;

use std::{fmt::Write as _, fs, path::Path};

pub(crate) use scale::Kind;
pub(crate) use units::Unit;

use crate::Outcome;

/// A chart and everything that is written on it.
pub(crate) struct Chart {
    /// Name of its files, without an ending.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) title: &'static str,
    /// How it was measured.
    pub(crate) note: String,
    /// From left to right.
    pub(crate) x: Axis,
    /// From below.
    pub(crate) y: Axis,
    /// One line each.
    pub(crate) series: Vec<Series>,
}

/// What an axis means.
pub(crate) struct Axis {
    /// What is counted.
    pub(crate) name: &'static str,
    /// In what.
    pub(crate) unit: Unit,
    /// Equal steps or equal factors.
    pub(crate) kind: Kind,
}

/// A line: points from left to right.
pub(crate) struct Series {
    /// Written at its end.
    pub(crate) name: &'static str,
    /// (x, y).
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    /// A line without points yet.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            points: Vec::new(),
        }
    }
}

impl Chart {
    /// Writes `<name>.svg` and `<name>.csv`; `machine` says what was measured and on what.
    pub(crate) fn write(&self, folder: &Path, machine: &str) -> Outcome {
        fs::create_dir_all(folder)?;
        fs::write(
            folder.join(format!("{}.svg", self.name)),
            draw::svg(self, machine),
        )?;
        fs::write(folder.join(format!("{}.csv", self.name)), self.csv())?;
        Ok(())
    }

    /// A column for x and one for each line; empty where a line has no point.
    pub(crate) fn csv(&self) -> String {
        let mut xs: Vec<f64> = self.points().map(|(x, _)| x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let mut text = heading(&self.x);
        for series in &self.series {
            let _ = write!(
                text,
                ",{}",
                quoted(&format!("{} ({})", series.name, self.y.unit.word()))
            );
        }
        text.push('\n');
        for x in xs {
            let _ = write!(text, "{x}");
            for series in &self.series {
                text.push(',');
                if let Some((_, y)) = series.points.iter().find(|point| point.0 == x) {
                    let _ = write!(text, "{}", significant(*y));
                }
            }
            text.push('\n');
        }
        text
    }

    /// The points of all lines.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.series
            .iter()
            .flat_map(|series| series.points.iter().copied())
    }
}

fn heading(axis: &Axis) -> String {
    match axis.unit {
        Unit::Count => quoted(axis.name),
        unit => quoted(&format!("{} ({})", axis.name, unit.word())),
    }
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// Four digits say all that a measurement knows.
fn significant(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    #[allow(clippy::cast_possible_truncation)] // the exponent of a float is far below
    let digits = 3 - value.abs().log10().floor() as i32;
    let factor = 10_f64.powi(digits.abs());
    match digits >= 0 {
        true => (value * factor).round() / factor,
        false => (value / factor).round() * factor,
    }
}

#[cfg(test)]
mod tests;
