//! `kymo follow`: follows files of JSON lines and sends what is appended, here or to a server elsewhere.
use kymo_connect::{DialectName, Tail, TailPlan, TailSettings};
use kymo_event::dialects;

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, Where},
    printer::note,
    sending::Sending,
    settings,
};

const EXAMPLES: &str = "\
Examples:
  kymo follow ledger.jsonl              what is in it, and what is appended
  kymo follow logs/ 'runs/**/*.jsonl'   folders and globs; files may appear later
  kymo follow \"$AGI_LEDGER_PATH\" --dialect resonance
  kymo follow ledger.jsonl --url https://hub.example --token $TOKEN

Files may grow, be cut, rotated or written anew; none is ever changed. Each record becomes one event,
once, however often this is run: its id is made of where it stands. What was there before is marked
as backfill. What cannot be read is named with its line; a record that says nowhere what it is is
kept as `unrecognised`. While the server is away events wait on disk. Ctrl-C stops.
To follow files whenever the server runs, name them in kymo.toml: `kymo config explain sources`.";

/// Arguments of `follow`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, folders (their *.jsonl and *.ndjson), and globs in quotes
    #[arg(value_name = "FILE", required = true)]
    paths: Vec<String>,
    /// The form of the records [default: each in the one it is recognised as]
    #[arg(long, value_name = "NAME", value_parser = dialect_names())]
    dialect: Option<String>,
    /// Source of records that name none [default: the file's name]
    #[arg(long, env = "KYMO_SOURCE", hide_env_values = true, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    place: Where,
}

fn dialect_names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(dialects::DIALECTS.iter().map(|dialect| dialect.name()))
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let found = Place::find(&self.place)?;
        // It says which keys records may have.
        settings::know_forms(&found.data)?;
        let dialect = self
            .dialect
            .map(|name| DialectName::try_from(name).expect("the parser knows them"));
        let settings = TailSettings {
            paths: self.paths,
            dialect,
            source: self.source,
            ..TailSettings::default()
        };
        let sending = Sending::open(&self.place, &found.data)?;
        sending.run(
            async |outlet, end| {
                let plan = TailPlan::unkept("follow", settings, &found.data);
                Tail::start(plan, outlet, end).map_err(Failure::usage)
            },
            async |tail: Tail| {
                let status = tail.finished().await;
                note(format!(
                    "{} files: stored {}, known already {}, unrecognised {}, refused {}",
                    status.files, status.events, status.repeats, status.unrecognised, status.refused
                ));
            },
        )
    }
}
