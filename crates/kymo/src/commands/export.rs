//! `kymo export`: events as JSON lines, native or CloudEvents, into a file or a pipe.
use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use kymo_event::{
    LedgerId, LineView,
    dialects::{self, Dialect},
};

use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    history::{Flow, Item, Past, Range, Selection},
    printer::{Printer, note},
    progress::Progress,
    show,
};

const EXAMPLES: &str = "\
Examples:
  kymo export > everything.jsonl
  kymo export type:task.* --since 7d --output tasks.jsonl
  kymo export --dialect cloudevents -o events.jsonl
  kymo export | zstd > archive.jsonl.zst

`kymo import` reads it back, all but Kymo's own events: `kymo export -type:kymo.*` leaves them out.";

/// Arguments of `export`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    range: Range,
    /// The form of the lines; kymo is the ledger's own
    #[arg(long, value_name = "NAME", default_value = "kymo", value_parser = dialect_names())]
    dialect: String,
    /// File to write; it appears when it is whole [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

fn dialect_names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(dialects::DIALECTS.iter().map(|dialect| dialect.name()))
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.selection.filter()?;
        let past = Past::open(&self.place)?;
        let form = Form::new(&self.dialect, past.ledger()?);
        match &self.output {
            None => self.to_stdout(&past, &form),
            Some(path) => self.to_file(&past, &form, path),
        }
    }

    fn to_stdout(&self, past: &Past, form: &Form) -> Result<Exit, Failure> {
        let mut printer = Printer::new();
        let mut line = Vec::new();
        self.each(past, &mut |view| {
            form.write(view, &mut line);
            printer.raw_line(&line);
            Ok(())
        })?;
        Ok(Exit::Done)
    }

    fn to_file(&self, past: &Past, form: &Form, path: &Path) -> Result<Exit, Failure> {
        let failed = |cause: std::io::Error| Failure::disk("written", path, &cause);
        let unfinished = unfinished(path);
        let mut file = BufWriter::with_capacity(1 << 20, fs::File::create(&unfinished).map_err(failed)?);
        let mut progress = Progress::bytes("exporting", None);
        let (mut bytes, mut events, mut line) = (0u64, 0u64, Vec::new());
        let written = self.each(past, &mut |view| {
            form.write(view, &mut line);
            line.push(b'\n');
            file.write_all(&line).map_err(failed)?;
            bytes += line.len() as u64;
            events += 1;
            if events.is_multiple_of(1_000) {
                progress.at(bytes, events);
            }
            Ok(())
        });
        progress.finish();
        let whole = written.and_then(|()| {
            file.into_inner()
                .map_err(|error| failed(error.into_error()))?
                .sync_all()
                .map_err(failed)
        });
        if let Err(failure) = whole.and_then(|()| fs::rename(&unfinished, path).map_err(failed)) {
            let _ = fs::remove_file(&unfinished);
            return Err(failure);
        }
        Printer::new().line(format!(
            "wrote {} events to {}",
            indicatif::HumanCount(events),
            path.display()
        ));
        Ok(Exit::Done)
    }

    fn each(
        &self,
        past: &Past,
        event: &mut dyn FnMut(&LineView<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        past.visit(&self.selection, self.range.oldest_first(), &mut |item| {
            match item {
                Item::Event(view) => event(&view)?,
                Item::Hole(hole) => note(show::describe(&hole)),
            }
            Ok(Flow::Continue)
        })
    }
}

/// How an event becomes a line.
struct Form {
    dialect: Option<&'static dyn Dialect>,
    ledger: LedgerId,
}

impl Form {
    fn new(name: &str, ledger: LedgerId) -> Self {
        // The ledger's own lines need no writing.
        let dialect = dialects::by_name(name).filter(|dialect| dialect.name() != "kymo");
        Self { dialect, ledger }
    }

    fn write(&self, view: &LineView<'_>, line: &mut Vec<u8>) {
        line.clear();
        match self.dialect {
            Some(dialect) => dialect.write(view, &self.ledger, line),
            None => line.extend_from_slice(view.line()),
        }
    }
}

/// Beside the file, so that the rename stays on one disk.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}
