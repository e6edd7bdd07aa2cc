//! The table in Markdown: a row for each work, a column for each contestant, and every pass below.

use super::{Cell, FLOOR, Report};
use crate::{
    contestants::{Entrant, KYMO, Promise},
    figures::{Figure, Figures},
    works::Work,
};

/// The whole file.
pub(super) fn markdown(report: &Report) -> String {
    let mut parts = vec![heading(report), table(report), promises(report)];
    parts.extend(footnotes(report));
    parts.push(every_pass(report));
    parts.join("\n\n") + "\n"
}

fn heading(report: &Report) -> String {
    let scale = if report.is_whole {
        ""
    } else {
        " A short run: less of everything than in a whole one."
    };
    let passes = match report.passes {
        1 => "One pass.".to_owned(),
        passes => format!("Every figure is the median of {passes} interleaved passes."),
    };
    format!(
        "# {}\n\n{passes}{scale} Events of 350 bytes, clients on the same machine, everyone over TCP on loopback.",
        report.machine.describe()
    )
}

fn table(report: &Report) -> String {
    let titles = report.entrants.iter().map(|entrant| entrant.title);
    let titles: Vec<_> = ["work", "bar"]
        .into_iter()
        .chain(titles)
        .chain(["this machine's floor"])
        .collect();
    let mut lines = vec![row(&titles), row(&vec!["---"; titles.len()])];
    for work in &report.works {
        let cells = report
            .entrants
            .iter()
            .map(|entrant| cell(report, work, entrant.key));
        let cells: Vec<_> = [work.title.to_owned(), bars(report, work)]
            .into_iter()
            .chain(cells)
            .chain([cell(report, work, FLOOR)])
            .collect();
        lines.push(row(&cells));
    }
    lines.join("\n")
}

fn row(cells: &[impl AsRef<str>]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

fn bars(report: &Report, work: &Work) -> String {
    let bars = report.bars(work).into_iter().map(|(text, met)| {
        let mark = match met {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "?",
        };
        format!("{text} {mark}")
    });
    bars.collect::<Vec<_>>().join("<br>")
}

fn cell(report: &Report, work: &Work, who: &str) -> String {
    let figures = report.medians(work.key, who);
    if !figures.is_empty() {
        let figures = figures.iter().map(Figure::text).collect::<Vec<_>>();
        let figures = figures.join("<br>");
        return if who == KYMO {
            format!("**{figures}**").replace("<br>", "**<br>**")
        } else {
            figures
        };
    }
    match report.cells(work.key, who).last() {
        Some(Cell::Missing(how)) => format!("not installed: `{how}`"),
        Some(Cell::Failed(_)) => "failed, see below".to_owned(),
        _ => "—".to_owned(),
    }
}

/// What an acknowledgement is worth.
fn promises(report: &Report) -> String {
    let line = |entrant: &&Entrant| match entrant.promise {
        Promise::Synced => format!("- {}: synced to disk before it is acknowledged", entrant.title),
        Promise::Unsynced(how) => format!(
            "- {}: **not** on disk when it is acknowledged: {how}",
            entrant.title
        ),
    };
    let lines: Vec<_> = report.entrants.iter().map(line).collect();
    format!("What an acknowledged event is worth:\n\n{}", lines.join("\n"))
}

/// Why a cell is empty.
fn footnotes(report: &Report) -> Option<String> {
    let mut lines = Vec::new();
    for work in &report.works {
        for entrant in &report.entrants {
            lines.extend(report.cells(work.key, entrant.key).find_map(|cell| match cell {
                Cell::Without(why) => Some(format!("- {}, {}: {why}", entrant.title, work.title)),
                Cell::Failed(cause) => Some(format!("- {}, {}: failed: {cause}", entrant.title, work.title)),
                _ => None,
            }));
        }
    }
    (!lines.is_empty()).then(|| format!("Where there is no figure:\n\n{}", lines.join("\n")))
}

fn every_pass(report: &Report) -> String {
    let mut text = "Every pass:\n".to_owned();
    for work in &report.works {
        text += &format!("\n- {}\n", work.title);
        let columns = report.entrants.iter().map(|entrant| (entrant.title, entrant.key));
        for (title, key) in columns.chain([("floor", FLOOR)]) {
            let passes = report.passes(work.key, key);
            if let Some(first) = passes.first() {
                let figures: Vec<_> = first.iter().map(|figure| series(figure, &passes)).collect();
                text += &format!("  - {title}: {}\n", figures.join("; "));
            }
        }
    }
    text.trim_end().to_owned()
}

/// One figure over all passes.
fn series(of: &Figure, passes: &[&Figures]) -> String {
    let same = passes
        .iter()
        .flat_map(|figures| figures.iter())
        .filter(|figure| figure.name == of.name);
    let values: Vec<_> = same
        .map(|figure| crate::figures::readable(figure.value))
        .collect();
    format!("{} {} {}", of.name, values.join(" / "), of.unit)
}
