//! Counts by a value, largest first.
use std::collections::HashMap;

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::column::csv_cell;
use crate::printer::{DIM, GOOD, Printer};

/// Columns of the longest bar, where the terminal has them.
const BAR: usize = 30;

/// How counts are printed.
pub(super) enum Form {
    Table,
    Json,
    Ndjson,
    Csv,
}

/// How often each value was met.
#[derive(Default)]
pub(super) struct Groups {
    counts: HashMap<Option<String>, u64>,
}

impl Groups {
    pub(super) fn add(&mut self, value: Option<String>) {
        *self.counts.entry(value).or_default() += 1;
    }

    /// Largest first; equal ones by name.
    fn sorted(self) -> Vec<(Option<String>, u64)> {
        let mut groups: Vec<_> = self.counts.into_iter().collect();
        groups.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        groups
    }

    pub(super) fn print(self, name: &str, limit: Option<usize>, form: Form) {
        let mut groups = self.sorted();
        groups.truncate(limit.unwrap_or(usize::MAX));
        let mut printer = Printer::new();
        match form {
            Form::Table => table(&mut printer, &groups),
            Form::Json => {
                let rows: Vec<_> = groups
                    .iter()
                    .map(|(value, count)| json!({ "value": value, "count": count }))
                    .collect();
                printer.json(&json!({ "by": name, "groups": rows }));
            }
            Form::Ndjson => {
                for (value, count) in &groups {
                    printer.line(json!({ "value": value, "count": count }).to_string());
                }
            }
            Form::Csv => {
                printer.line(format!("{},count", csv_cell(name)));
                for (value, count) in &groups {
                    printer.line(format!(
                        "{},{count}",
                        csv_cell(value.as_deref().unwrap_or_default())
                    ));
                }
            }
        }
    }
}

fn table(printer: &mut Printer, groups: &[(Option<String>, u64)]) {
    let most = groups.first().map_or(0, |(_, count)| *count);
    let name = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
    let width = groups
        .iter()
        .map(|(value, _)| name(value).width())
        .max()
        .unwrap_or(0)
        .min(60);
    let digits = most.to_string().len();
    let room = Printer::columns().map_or(BAR, |columns| columns.saturating_sub(width + digits + 4));
    let longest = room.min(BAR) as u64;
    for (value, count) in groups {
        let bar = "█".repeat(usize::try_from((count * longest).div_ceil(most.max(1))).unwrap_or(0));
        let style = if value.is_none() { DIM } else { GOOD };
        let name = name(value);
        let pad = width.saturating_sub(name.width());
        printer.line(format!(
            "{name}{:pad$}  {count:>digits$}  {style}{bar}{style:#}",
            ""
        ));
    }
}
