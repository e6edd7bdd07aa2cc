//! Measures Kymo and what people would otherwise pick, each as the real program, beside what the machine itself allows.
//!
//! A *work* is a row of the table, a *contestant* a column. Every work gives every contestant the same events over the
//! same number of connections, driven by the same loop; only the few lines that speak a protocol differ. Clients are
//! thin (they count events and check their order, they parse no JSON), so that what is measured is the server.
//! Contestants take turns within a work, and the whole is done several times: a machine that slows down meets all.

mod args;
mod bars;
mod cold;
mod contestants;
mod curves;
mod events;
mod figures;
mod floors;
mod load;
mod machine;
mod plot;
mod ports;
mod process;
mod regression;
mod report;
mod samples;
mod say;
mod stored;
mod tally;
mod works;

use std::ffi::OsString;

use clap::Parser;

use crate::{
    args::Args,
    contestants::{Entrant, Started},
    report::{Cell, Report},
    say::say,
    works::Work,
};

/// Anything can go wrong in a bench; what did is what is printed.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Does what the arguments ask (the first is the program's name): measures, prints the table, writes it down.
///
/// An error is anything that kept Kymo from being measured. A peer that fails is said in the table.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Outcome {
    let args = Args::parse_from(args);
    process::stop_all_when_asked()?;
    process::allow_many_files();
    if args.list {
        list();
        return Ok(());
    }
    if let Some(names) = &args.curves {
        let drawn = curves::draw(args.extent(), names, &args.runs.join("curves"));
        process::remove_folders();
        return drawn;
    }
    let (works, entrants) = (args.works()?, args.entrants()?);
    let mut report = Report::new(&args, works.clone(), entrants.clone());
    for pass in 1..=args.passes() {
        for work in works.iter().filter(|work| pass == 1 || !work.is_once()) {
            say(&format!(
                "\npass {pass} of {}: {} ({})",
                args.passes(),
                work.title,
                work.key
            ));
            one_work(&args, work, &entrants, &mut report);
        }
    }
    say(&format!("\n{}", report.markdown()));
    if !args.no_write {
        report.write(&args.runs)?;
    }
    if args.is_everything() {
        curves::draw(args.extent(), &[], &args.runs.join("curves"))?;
    }
    process::remove_folders();
    report.verdict()
}

/// Everyone in turn, then the machine.
fn one_work(args: &Args, work: &Work, entrants: &[&'static Entrant], report: &mut Report) {
    for entrant in entrants {
        let cell = measure(args, work, entrant);
        say(&format!("  {:<22} {}", entrant.title, cell.text()));
        report.add(work, entrant.key, cell);
    }
    let Some(floor) = work.floor else { return };
    let cell = Cell::of(floor(&args.scale()));
    say(&format!("  {:<22} {}", "floor", cell.text()));
    report.add(work, report::FLOOR, cell);
}

fn list() {
    say("works:");
    for work in works::all() {
        say(&format!("  {:<16} {}", work.key, work.title));
    }
    say("contestants:");
    for entrant in contestants::ENTRANTS {
        say(&format!("  {:<16} {}", entrant.key, entrant.title));
    }
}

fn measure(args: &Args, work: &Work, entrant: &Entrant) -> Cell {
    if let Some(why) = work.left_out(entrant.key) {
        return Cell::Without(why);
    }
    match (entrant.start)(args) {
        Err(cause) => Cell::Failed(cause.to_string()),
        Ok(Started::Missing(how)) => Cell::Missing(how),
        Ok(Started::Running(mut contestant)) => Cell::of((work.run)(contestant.as_mut(), &args.scale())),
    }
}
