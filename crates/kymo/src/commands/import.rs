//! `kymo import`: takes events from a file of JSON lines, once, however often it is run.
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::Instant,
};

use kymo_event::{
    Limits,
    dialects::{self, Dialect},
    salvage::Salvage,
};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, State, Where},
    printer::{BAD, DIM},
    progress::Progress,
};

mod array;
mod destination;
mod reading;
mod summary;

use destination::Destination;
use reading::{Reading, Record, Taken};
use summary::Summary;

const EXAMPLES: &str = "\
Examples:
  kymo import old-events.jsonl
  kymo import events.jsonl --dialect cloudevents
  zstdcat archive.jsonl.zst | kymo import -
  kymo import events.jsonl --data DIR    into a folder, with or without a server

Everything is marked as backfill: stored and shown, raising no alarm. Events without an id get one
from the file's name and their place in it, so that importing a file again stores nothing twice.
A file that many programs appended to may be damaged: records that share a line, one that was cut
short, objects printed over many lines, zeros and byte-order marks. Each costs at most itself: what
cannot be read or stored is listed with its line, the reason and its beginning; the rest is stored.
A record that says nowhere what it is is kept as `unrecognised`.
Of another ledger Kymo's own events (kymo.*) are refused. Exit code 4: some were refused.";

/// Bytes of a record that are read at all; larger ones are refused without being held.
const RECORD_BYTES_MAX: usize = 32 << 20;
/// Bytes that are looked at together.
const PIECE_BYTES: u64 = 1 << 20;
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
    /// Source of events that name none [default: the file's name]
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
            file: &self.file,
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
        let exit = if summary.is_all_taken() {
            Exit::Done
        } else {
            Exit::Refused
        };
        summary.print(self.json, began.elapsed().as_secs_f64());
        Ok(exit)
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
        let name = || Some(self.file.file_name()?.to_string_lossy().into_owned());
        let source = self.source.clone().or_else(|| name().filter(|name| name != "-"));
        Reading::new(&known_as, dialect, source)
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
        let limits = Limits {
            event_bytes_max: RECORD_BYTES_MAX,
            ..Limits::default()
        };
        let mut salvage = Salvage::new(0, 1, limits);
        let mut ends_open = false;
        loop {
            let came = input
                .by_ref()
                .take(PIECE_BYTES)
                .read_to_end(salvage.room())
                .map_err(|cause| Failure::disk("read", &self.file, &cause))?;
            if came > 0 {
                ends_open = salvage.room().last() != Some(&b'\n');
            }
            let mut records = Vec::new();
            salvage.take(came == 0, &mut |found| {
                records.push((found.at, reading.found(found)))
            });
            for (at, record) in records {
                work.record(record, at)?;
                if work.is_full() {
                    work.flush(at)?;
                }
            }
            if came == 0 {
                let (end, line) = salvage.position();
                work.summary.lines = line - 1 + u64::from(ends_open);
                return work.flush(end);
            }
        }
    }
}

/// Records on their way, and what became of them.
struct Work<'a> {
    file: &'a Path,
    summary: &'a mut Summary,
    destination: &'a mut Destination,
    progress: Progress,
    batch: Vec<(u64, Taken)>,
    bytes: usize,
}

impl Work<'_> {
    /// Adds a record that begins at `position`, after sending what would be too much together with it.
    fn record(&mut self, record: Record, position: u64) -> Result<(), Failure> {
        match record.event {
            Ok(taken) => {
                if self.bytes + taken.text.len() + 1 > BATCH_BYTES_MAX {
                    self.flush(position)?;
                }
                self.bytes += taken.text.len() + 1;
                self.batch.push((record.line, taken));
            }
            Err((refusal, excerpt)) => self.refused(record.line, refusal.code, &refusal.message, &excerpt),
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
            let texts: Vec<&str> = batch.iter().map(|(_, taken)| taken.text.as_str()).collect();
            let receipt = self.destination.store(&texts)?;
            self.summary.stored += receipt.accepted as u64;
            self.summary.known += receipt.duplicates.len() as u64;
            let rejected: BTreeMap<_, _> = receipt.rejected.iter().map(|why| (why.index, why)).collect();
            for (index, (line, taken)) in batch.iter().enumerate() {
                match rejected.get(&index) {
                    Some(why) => {
                        let excerpt = kymo_connect::excerpt(taken.text.as_bytes());
                        self.refused(*line, &why.code, &why.message, &excerpt);
                    }
                    None => self.summary.took(taken),
                }
            }
        }
        self.progress.at(position, self.summary.total());
        Ok(())
    }

    fn refused(&mut self, line: u64, code: &str, message: &str, excerpt: &str) {
        self.summary.refused(code);
        let file = self.file.display();
        self.progress.say(&format!(
            "{BAD}{file}:{line}{BAD:#}: {message} {DIM}[{code}] {excerpt}{DIM:#}"
        ));
    }
}
