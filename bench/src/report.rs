//! Collects figures over passes, prints their medians as one table, keeps them in a file.

use std::{fs, io::Write, path::Path, path::PathBuf};

use crate::{Outcome, machine};

/// Figures in the order they were first measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    work: String,
    unit: &'static str,
    figures: Vec<f64>,
}

impl Report {
    /// Adds one pass's figure and shows it.
    pub(crate) fn add(&mut self, work: &str, unit: &'static str, figure: f64) {
        say(&format!("  {work}: {} {unit}", readable(figure)));
        match self.rows.iter_mut().find(|row| row.work == work) {
            Some(row) => row.figures.push(figure),
            None => self.rows.push(Row {
                work: work.into(),
                unit,
                figures: vec![figure],
            }),
        }
    }

    /// The medians as a Markdown table.
    pub(crate) fn table(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            format!(
                "| {} | {} {} |",
                row.work,
                readable(median(&row.figures)),
                row.unit
            )
        });
        std::iter::once("| work | Kymo |\n|---|---|".to_owned())
            .chain(rows)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Writes the table beside the machine and every single figure; the path of the file.
    pub(crate) fn write(&self, folder: &Path, table: &str) -> Outcome<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.md", machine::commit().trim_end_matches('+')));
        let every = self.rows.iter().map(|row| {
            let figures: Vec<_> = row.figures.iter().map(|figure| readable(*figure)).collect();
            format!("- {}: {} {}", row.work.trim(), figures.join(", "), row.unit)
        });
        let every: Vec<_> = every.collect();
        fs::write(
            &path,
            format!(
                "# {}\n\n{table}\n\nEvery pass:\n\n{}\n",
                machine::describe(),
                every.join("\n")
            ),
        )?;
        Ok(path)
    }
}

/// The middle figure.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn readable(figure: f64) -> String {
    if figure.abs() < 100.0 {
        return format!("{figure:.2}");
    }
    let digits = format!("{figure:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Prints a line.
pub(crate) fn say(text: &str) {
    // A closed pipe is the reader's choice, not an error.
    let _ = writeln!(std::io::stdout(), "{text}");
}
