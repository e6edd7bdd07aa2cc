//! The same for programs: medians and every pass, by the keys of works and contestants.

use serde_json::{Map, Value, json};

use super::{FLOOR, Report};
use crate::{Outcome, contestants::Promise, figures::Figures, works::Work};

/// The whole file.
pub(super) fn text(report: &Report) -> Outcome<String> {
    let works: Vec<_> = report.works.iter().map(|work| one_work(report, work)).collect();
    let promises = report.entrants.iter().map(|entrant| {
        let synced = entrant.promise == Promise::Synced;
        (
            entrant.key.to_owned(),
            json!({"title": entrant.title, "synced_before_ack": synced}),
        )
    });
    let file = json!({
        "commit": report.machine.commit,
        "dirty": report.machine.is_dirty,
        "machine": report.machine.hardware,
        "passes": report.passes,
        "whole": report.is_whole,
        "contestants": promises.collect::<Map<_, _>>(),
        "works": works,
    });
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}

fn one_work(report: &Report, work: &Work) -> Value {
    let bars = report
        .bars(work)
        .into_iter()
        .map(|(text, met)| json!({"bar": text, "met": met}));
    let keys = report.entrants.iter().map(|entrant| entrant.key).chain([FLOOR]);
    let measured = keys.filter(|key| !report.passes(work.key, key).is_empty());
    let results = measured.map(|key| {
        let passes: Vec<_> = report.passes(work.key, key).into_iter().map(object).collect();
        let median = object(&report.medians(work.key, key));
        (key.to_owned(), json!({"median": median, "passes": passes}))
    });
    json!({
        "key": work.key,
        "title": work.title,
        "bars": bars.collect::<Vec<_>>(),
        "results": results.collect::<Map<_, _>>(),
    })
}

fn object(figures: &Figures) -> Value {
    let entry =
        |figure: &crate::figures::Figure| (format!("{} ({})", figure.name, figure.unit), json!(figure.value));
    Value::Object(figures.iter().map(entry).collect())
}
