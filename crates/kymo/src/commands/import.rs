//! `kymo import`: takes events from a file of JSON lines, once, however often it is run.
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
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
    receipt::Receipt,
    settings,
};

mod array;
mod destination;
mod load;
mod loader;
mod summary;

use destination::Destination;
use load::{Load, Refused};
use loader::Loader;
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
/// Loads that were read and not taken yet: reading goes on while they are stored.
const LOADS_WAITING: usize = 2;

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
        let destination = self.destination()?;
        let began = Instant::now();
        let loader = self.loader(&destination);
        let args = Arc::new(self);
        let mut work = Work {
            file: &args.file,
            summary: Summary::default(),
            progress: Progress::bytes("importing", total),
        };
        // One thread reads, this one stores: neither waits for the other but by turns.
        let (send, loads) = sync_channel(LOADS_WAITING);
        let reader = Arc::clone(&args);
        let reading = thread::spawn(move || reader.read(input, loader, &send));
        let stored = work.store_all(destination, loads);
        // Who could not store does not wait for a pipe in which nothing comes.
        let imported = stored.and_then(|()| {
            reading
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        work.progress.finish();
        work.summary.lines = imported?;
        let exit = if work.summary.is_all_taken() {
            Exit::Done
        } else {
            Exit::Refused
        };
        work.summary.print(args.json, began.elapsed().as_secs_f64());
        Ok(exit)
    }

    fn open(&self) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Failure> {
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
        // It says which keys records may have.
        settings::know_forms(&found.data)?;
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

    fn loader(&self, destination: &Destination) -> Loader {
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
        Loader::new(&known_as, dialect, source, destination.packer())
    }

    /// Reads the file to its end, or until nobody takes what is read any more; says how many lines it has.
    fn read(
        &self,
        mut input: Box<dyn BufRead + Send>,
        loader: Loader,
        send: &SyncSender<Load>,
    ) -> Result<u64, Failure> {
        let failed = |cause: io::Error| Failure::disk("read", &self.file, &cause);
        let mut loader = loader.sending(send);
        if array::begins(&mut input).map_err(failed)? {
            let mut text = Vec::new();
            input.read_to_end(&mut text).map_err(failed)?;
            array::each(&text, &mut loader);
            loader.end(text.len() as u64);
            return Ok(0);
        }
        let limits = Limits {
            event_bytes_max: RECORD_BYTES_MAX,
            ..Limits::default()
        };
        let mut salvage = Salvage::new(0, 1, limits);
        let mut ends_open = false;
        loop {
            let came = match input.by_ref().take(PIECE_BYTES).read_to_end(salvage.room()) {
                Ok(came) => came,
                Err(cause) => {
                    // What was read until then is stored.
                    loader.end(salvage.position().0);
                    return Err(failed(cause));
                }
            };
            if came > 0 {
                ends_open = salvage.room().last() != Some(&b'\n');
            }
            salvage.take(came == 0, &mut |found| loader.found(found));
            if came == 0 || loader.is_over() {
                let (end, line) = salvage.position();
                loader.end(end);
                return Ok(line - 1 + u64::from(ends_open));
            }
        }
    }
}

/// What became of the records so far.
struct Work<'a> {
    file: &'a Path,
    summary: Summary,
    progress: Progress,
}

impl Work<'_> {
    /// Stores what comes, until there is no more.
    fn store_all(&mut self, mut destination: Destination, loads: Receiver<Load>) -> Result<(), Failure> {
        let stored = loads
            .into_iter()
            .try_for_each(|load| destination.store(load, &mut |load, receipt| self.stored(load, receipt)))
            .and_then(|()| destination.settle(&mut |load, receipt| self.stored(load, receipt)));
        let closed = destination.close();
        stored.and(closed)
    }

    fn stored(&mut self, mut load: Load, receipt: &Receipt) {
        self.summary.stored += receipt.accepted as u64;
        self.summary.known += receipt.duplicates.len() as u64;
        load.reject(&receipt.rejected);
        for refused in &load.refused {
            self.refused(refused);
        }
        for note in &load.notes {
            self.summary.took(note);
        }
        self.progress.at(load.position, self.summary.total());
    }

    fn refused(&mut self, refused: &Refused) {
        let Refused {
            line,
            code,
            message,
            excerpt,
        } = refused;
        self.summary.refused(code);
        let file = self.file.display();
        self.progress.say(&format!(
            "{BAD}{file}:{line}{BAD:#}: {message} {DIM}[{code}] {excerpt}{DIM:#}"
        ));
    }
}
