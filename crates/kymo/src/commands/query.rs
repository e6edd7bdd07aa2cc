//! `kymo query`: asks the past. Lists, counts, groups.
use std::io::Write;

use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    history::{Flow, Hole, Item, Past, Range, Selection, Span},
    native,
    printer::{DIM, Printer, note},
    show::{self, Show},
};

mod column;
mod groups;

use column::Column;

const EXAMPLES: &str = "\
Examples:
  kymo query 'level:>=warn' --since 1h
  kymo query type:file.* --since 1d --by data.language
  kymo query --count agent:planner
  kymo query data.duration_ms:>1000 --csv > slow.csv
  kymo query '\"exact words\" (source:a OR source:b)' --ndjson | jq .data

The filter language: docs/filters.md. It works on a folder without a server, too.";

/// Events a list shows unless told otherwise.
const LIST_MAX: usize = 100;

/// Arguments of `query`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    range: Range,
    /// The newest so many; 0 is all [default: 100 in a list, else all]
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Print how many match
    #[arg(long)]
    count: bool,
    /// Count by a key: type, source, level, agent, data.language, …
    #[arg(long, value_name = "KEY")]
    by: Option<Column>,
    /// Print one JSON document
    #[arg(long, group = "form")]
    json: bool,
    /// Print the ledger's own lines
    #[arg(long, group = "form")]
    ndjson: bool,
    /// Print comma-separated values with a header
    #[arg(long, group = "form")]
    csv: bool,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.selection.filter()?;
        let past = Past::open(&self.place)?;
        let mut holes = Vec::new();
        if let Some(column) = &self.by {
            self.group(&past, column, &mut holes)?;
        } else if self.count {
            self.print_count(&past, &mut holes)?;
        } else {
            self.list(&past, &mut holes)?;
        }
        for hole in &holes {
            note(show::describe(hole));
        }
        Ok(Exit::Done)
    }

    fn group(&self, past: &Past, column: &Column, holes: &mut Vec<Hole>) -> Result<(), Failure> {
        let mut groups = groups::Groups::default();
        self.each(past, false, holes, &mut |line| {
            groups.add(column.value(&native::view(line)?));
            Ok(Flow::Continue)
        })?;
        groups.print(
            column.name(),
            self.limit.filter(|limit| *limit > 0),
            self.groups_form(),
        );
        Ok(())
    }

    fn groups_form(&self) -> groups::Form {
        match (self.json, self.ndjson, self.csv) {
            (true, ..) => groups::Form::Json,
            (_, true, _) => groups::Form::Ndjson,
            (.., true) => groups::Form::Csv,
            _ => groups::Form::Table,
        }
    }

    fn print_count(&self, past: &Past, holes: &mut Vec<Hole>) -> Result<(), Failure> {
        let mut count = 0u64;
        self.each(past, false, holes, &mut |_| {
            count += 1;
            Ok(Flow::Continue)
        })?;
        let mut printer = Printer::new();
        if self.json || self.ndjson {
            printer.line(format!("{{\"count\":{count}}}"));
        } else {
            printer.line(count.to_string());
        }
        Ok(())
    }

    fn list(&self, past: &Past, holes: &mut Vec<Hole>) -> Result<(), Failure> {
        let is_list = !(self.json || self.ndjson || self.csv);
        let limit = self.limit.unwrap_or(if is_list { LIST_MAX } else { 0 });
        let mut output = Output::begin(self);
        if limit == 0 {
            self.each(past, false, holes, &mut |line| {
                output.event(line).map(|()| Flow::Continue)
            })?;
        } else {
            let (newest, more) = self.newest(past, limit, holes)?;
            for line in newest.iter().rev() {
                output.event(line)?;
            }
            if more && self.limit.is_none() {
                output.printer.flush();
                note(format!(
                    "these are the newest {limit}; {DIM}--limit 0 shows all, --by and --count sum up{DIM:#}"
                ));
            }
        }
        output.end();
        Ok(())
    }

    /// The newest `limit` matches, newest first, and whether there are more.
    fn newest(
        &self,
        past: &Past,
        limit: usize,
        holes: &mut Vec<Hole>,
    ) -> Result<(Vec<Vec<u8>>, bool), Failure> {
        let mut newest: Vec<Vec<u8>> = Vec::new();
        let mut more = false;
        self.each(past, true, holes, &mut |line| {
            if newest.len() == limit {
                more = true;
                return Ok(Flow::Stop);
            }
            newest.push(line.to_vec());
            Ok(Flow::Continue)
        })?;
        Ok((newest, more))
    }

    fn each(
        &self,
        past: &Past,
        newest_first: bool,
        holes: &mut Vec<Hole>,
        event: &mut dyn FnMut(&[u8]) -> Result<Flow, Failure>,
    ) -> Result<(), Failure> {
        let span = Span {
            newest_first,
            ..self.range.oldest_first()
        };
        past.visit(&self.selection, span, &mut |item| match item {
            Item::Event(view) => event(view.line()),
            Item::Hole(hole) => {
                holes.push(hole);
                Ok(Flow::Continue)
            }
        })
    }
}

/// Writes events in the form that was asked for.
struct Output {
    printer: Printer,
    form: Form,
    count: u64,
}

enum Form {
    List(Show),
    Json,
    Ndjson,
    Csv,
}

impl Output {
    fn begin(args: &Args) -> Self {
        let mut printer = Printer::new();
        let form = if args.json {
            printer.bytes(b"[");
            Form::Json
        } else if args.ndjson {
            Form::Ndjson
        } else if args.csv {
            printer.line(column::CSV_HEADER);
            Form::Csv
        } else {
            Form::List(Show::new())
        };
        Self {
            printer,
            form,
            count: 0,
        }
    }

    fn event(&mut self, line: &[u8]) -> Result<(), Failure> {
        match &mut self.form {
            Form::List(show) => show.event(&mut self.printer, &native::view(line)?),
            Form::Ndjson => self.printer.raw_line(line),
            Form::Csv => self.printer.line(column::csv_row(&native::view(line)?)),
            Form::Json => {
                self.printer.bytes(if self.count == 0 { b"\n" } else { b",\n" });
                self.printer.bytes(line);
            }
        }
        self.count += 1;
        Ok(())
    }

    fn end(mut self) {
        match self.form {
            Form::Json => {
                let mut end = Vec::new();
                let _ = writeln!(end, "{}]", if self.count == 0 { "" } else { "\n" });
                self.printer.bytes(&end);
            }
            Form::List(_) if self.count == 0 => note("nothing matches"),
            _ => {}
        }
    }
}
