//! `kymo head`: seq and chain hash of the newest event. Kept elsewhere, it proves later that nothing was changed.
use serde_json::json;

use super::verify::folder_only;
use crate::{exit::Exit, failure::Failure, find::Where, history, printer::Printer};

const EXAMPLES: &str = "\
Examples:
  kymo head                            18442:9f2c…
  kymo head > head                     keep it somewhere safe
  kymo verify --against \"$(cat head)\"  later: is everything up to there unchanged";

/// Arguments of `head`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let folder = history::open_folder(&folder_only(&self.place)?)?;
        if folder.head().is_none() {
            return Err(Failure::failed("the ledger is empty, so it has no head").code("not_found"));
        }
        let head = folder.chain_head()?;
        let mut printer = Printer::new();
        if self.json {
            printer.json(&json!({ "ledger": folder.id(), "seq": head.seq, "head": head.to_string() }));
        } else {
            printer.line(head.to_string());
        }
        Ok(Exit::Done)
    }
}
