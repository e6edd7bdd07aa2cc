//! `kymo verify`: checks every line of the ledger, its index and its chain.
use std::path::Path;

use kymo_ledger::{ChainHead, VerifyReport};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{self, Where},
    history,
    printer::{BAD, DIM, GOOD, Printer},
    progress::Progress,
};

const EXAMPLES: &str = "\
Examples:
  kymo verify                          is everything as it was written
  kymo verify --against \"$(cat head)\"  and is it what `kymo head` said back then
  kymo verify --json

Exit code 5: damage was found, or the ledger differs from the head. It works with and without a
running server.";

/// Arguments of `verify`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A head kept elsewhere: everything up to it must be unchanged
    #[arg(long, value_name = "SEQ:HASH")]
    against: Option<ChainHead>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let data = folder_only(&self.place)?;
        let folder = history::open_folder(&data)?;
        let mut progress: Option<Progress> = None;
        let report = folder.verify(self.against.as_ref(), &mut |done, total| {
            progress
                .get_or_insert_with(|| Progress::bytes("verifying", Some(total)))
                .at(done, 0);
        })?;
        if let Some(progress) = progress {
            progress.finish();
        }
        if self.json {
            Printer::new().json(&report);
        } else {
            print(&report, &data);
        }
        Ok(if report.damage.is_empty() && report.matches != Some(false) {
            Exit::Done
        } else {
            Exit::Damaged
        })
    }
}

/// These commands read files; a server's address alone does not help.
pub(super) fn folder_only(place: &Where) -> Result<std::path::PathBuf, Failure> {
    if place.url.is_some() {
        return Err(
            Failure::usage("this reads the ledger's files, and --url names a server")
                .hint("run it where the data folder is, with --data DIR"),
        );
    }
    find::data_folder(place.data.as_deref())
}

fn print(report: &VerifyReport, data: &Path) {
    let mut printer = Printer::new();
    for damage in &report.damage {
        printer.line(format!(
            "{BAD}damaged{BAD:#} {} bytes {} to {}, seq {} to {}: {}",
            damage.file,
            damage.byte,
            damage.byte + damage.bytes,
            damage.first,
            damage.last,
            damage.reason
        ));
    }
    let checked = format!(
        "{} events, {} in {}",
        indicatif::HumanCount(report.events),
        indicatif::HumanBytes(report.bytes),
        data.display()
    );
    match (report.damage.len(), report.matches) {
        (0, None) => printer.line(format!("{GOOD}good{GOOD:#} {checked}")),
        (0, Some(true)) => printer.line(format!("{GOOD}good and unchanged{GOOD:#} {checked}")),
        (_, Some(false)) => printer.line(format!("{BAD}not the ledger of that head{BAD:#} {checked}")),
        (holes, _) => printer.line(format!("{BAD}{holes} damaged{BAD:#} {checked}")),
    }
    if let Some(head) = report.head {
        printer.line(format!("{DIM}head {head}:{}{DIM:#}", report.chain));
    }
}
