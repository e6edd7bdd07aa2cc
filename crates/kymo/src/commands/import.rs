//! `kymo import`: takes events from a file of JSON lines, once, however often it is run.
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use kymo_event::dialects::{self, Dialect};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, State, Where},
    lines::Lines,
    printer::{BAD, DIM, Printer},
    progress::Progress,
};

mod array;
mod destination;
mod reading;

use destination::Destination;
use reading::{Reading, Record};

const EXAMPLES: &str = "\
Examples:
  kymo import old-events.jsonl
  kymo import events.jsonl --dialect cloudevents
  zstdcat archive.jsonl.zst | kymo import -
  kymo import events.jsonl --data DIR    into a folder, with or without a server

Everything is marked as backfill: stored and shown, raising no alarm. Events without an id get one
from the file's name and their place in it, so that importing a file again stores nothing twice.
Refused lines are listed with their reason; the others are stored. Of another ledger Kymo's own
events (kymo.*) are refused. Exit code 4: some were refused.";

/// Bytes of a line that are read at all; larger ones are refused without being held.
const LINE_BYTES_MAX: usize = 32 << 20;
/// Records that go together. A hub that has refused a thousand of a batch looks at no more of it.
const BATCH_RECORDS_MAX: usize = 1_000;
/// Bytes of one request: a batch of great records must not become one that a server or a proxy before it refuses whole.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Arguments of `import`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// File of JSON lines, or one JSON array; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The form of the records
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = dialect_names())]
    dialect: String,
    /// Name the file is known by, for ids made from it [default: its full path]
    #[arg(long = "as", value_name = "NAME")]
    known_as: Option<String>,
    /// Source of events that name none
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

fn dialect_names() -> clap::builder::PossibleValuesParser {
    let names = dialects::DIALECTS.iter().map(|dialect| dialect.name());
    clap::builder::PossibleValuesParser::new(std::iter::once("auto").chain(names))
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (input, total) = self.open()?;
        let mut destination = self.destination()?;
        let began = Instant::now();
        let mut summary = Summary::default();
        let progress = Progress::bytes("importing", total);
        let mut work = Work {
            summary: &mut summary,
            destination: &mut destination,
            progress,
            batch: Vec::new(),
            bytes: 0,
        };
        let imported = self.import(input, &mut work);
        work.progress.finish();
        let closed = destination.close();
        imported.and(closed)?;
        summary.print(self.json, began.elapsed().as_secs_f64());
        Ok(if summary.refused == 0 {
            Exit::Done
        } else {
            Exit::Refused
        })
    }

    fn open(&self) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
        if self.file == Path::new("-") {
            return Ok((Box::new(BufReader::with_capacity(1 << 20, io::stdin())), None));
        }
        let failed = |cause: io::Error| Failure::disk("read", &self.file, &cause);
        let file = File::open(&self.file).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if meta.is_dir() {
            return Err(Failure::usage(format!(
                "{} is a folder, not a file of JSON lines",
                self.file.display()
            )));
        }
        Ok((
            Box::new(BufReader::with_capacity(1 << 20, file)),
            meta.is_file().then_some(meta.len()),
        ))
    }

    fn destination(&self) -> Result<Destination, Failure> {
        let found = Place::find_settled(&self.place)?;
        match &found.state {
            State::Named(_) | State::Running(_) => Ok(Destination::Server(found.server()?)),
            State::Held { pid } => Err(Failure::locked(&found.data, *pid)),
            State::Free if self.place.data.is_some() || found.data.join("ledger").is_dir() => {
                Destination::folder(&found.data)
            }
            State::Free => Err(crate::find::no_server(&found.data)
                .hint("start one with `kymo up`, or name a folder to import into with --data DIR")),
        }
    }

    fn reading(&self) -> Reading {
        let known_as = self
            .known_as
            .clone()
            .unwrap_or_else(|| match self.file.canonicalize() {
                Ok(path) if self.file != Path::new("-") => path.to_string_lossy().into_owned(),
                _ => "-".to_owned(),
            });
        let dialect: Option<&'static dyn Dialect> = dialects::by_name(&self.dialect);
        Reading::new(&known_as, dialect, self.source.clone())
    }

    fn import(&self, mut input: Box<dyn BufRead>, work: &mut Work<'_>) -> Result<(), Failure> {
        let reading = self.reading();
        if array::begins(&mut input).map_err(|cause| Failure::disk("read", &self.file, &cause))? {
            let mut text = Vec::new();
            input
                .read_to_end(&mut text)
                .map_err(|cause| Failure::disk("read", &self.file, &cause))?;
            array::each(&text, &reading, &mut |byte, record| {
                work.record(record, byte)?;
                if work.is_full() { work.flush(byte) } else { Ok(()) }
            })?;
            return work.flush(text.len() as u64);
        }
        let mut lines = Lines::new(input, LINE_BYTES_MAX);
        while let Some(line) = lines
            .next()
            .map_err(|cause| Failure::disk("read", &self.file, &cause))?
        {
            if line.is_blank() {
                continue;
            }
            work.record(reading.line(&line), line.byte)?;
            if work.is_full() {
                work.flush(lines.position())?;
            }
        }
        work.flush(lines.position())
    }
}

/// Records on their way, and what became of them.
struct Work<'a> {
    summary: &'a mut Summary,
    destination: &'a mut Destination,
    progress: Progress,
    batch: Vec<Record>,
    bytes: usize,
}

impl Work<'_> {
    /// Adds a record that begins at `position`, after sending what would be too much together with it.
    fn record(&mut self, record: Record, position: u64) -> Result<(), Failure> {
        match &record.text {
            Ok(text) => {
                if self.bytes + text.len() + 1 > BATCH_BYTES_MAX {
                    self.flush(position)?;
                }
                self.bytes += text.len() + 1;
                self.batch.push(record);
            }
            Err(refusal) => {
                let (line, code, message) = (record.line, refusal.code.to_owned(), refusal.message.clone());
                self.refused(line, &code, &message);
            }
        }
        Ok(())
    }

    const fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_RECORDS_MAX || self.bytes >= 2 << 20
    }

    fn flush(&mut self, position: u64) -> Result<(), Failure> {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.bytes = 0;
            let texts: Vec<&str> = batch
                .iter()
                .filter_map(|record| record.text.as_deref().ok())
                .collect();
            let receipt = self.destination.store(&texts)?;
            self.summary.stored += receipt.accepted as u64;
            self.summary.known += receipt.duplicates.len() as u64;
            for rejected in &receipt.rejected {
                let line = batch.get(rejected.index).map_or(0, |record| record.line);
                self.refused(line, &rejected.code, &rejected.message);
            }
        }
        self.progress.at(position, self.summary.total());
        Ok(())
    }

    fn refused(&mut self, line: usize, code: &str, message: &str) {
        self.summary.refused += 1;
        self.progress.say(&format!(
            "{BAD}line {line}{BAD:#}: {message} {DIM}[{code}]{DIM:#}"
        ));
    }
}

/// What became of a file.
#[derive(Default, serde::Serialize)]
struct Summary {
    stored: u64,
    known: u64,
    refused: u64,
}

impl Summary {
    const fn total(&self) -> u64 {
        self.stored + self.known + self.refused
    }

    fn print(&self, json: bool, seconds: f64) {
        let mut printer = Printer::new();
        if json {
            printer.json(self);
            return;
        }
        let mut parts = vec![format!("stored {}", indicatif::HumanCount(self.stored))];
        if self.known > 0 {
            parts.push(format!("known already {}", indicatif::HumanCount(self.known)));
        }
        if self.refused > 0 {
            parts.push(format!("refused {}", indicatif::HumanCount(self.refused)));
        }
        printer.line(format!("{} in {seconds:.1} s", parts.join(", ")));
    }
}
