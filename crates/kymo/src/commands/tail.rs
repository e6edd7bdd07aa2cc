//! `kymo tail`: follows events live, over restarts of the server, and without one by following the files.
use std::{collections::VecDeque, time::Duration};

use kymo_event::Seq;

use crate::{
    client::{Client, ClientError},
    exit::Exit,
    failure::Failure,
    find::{Place, State, Where},
    history::{self, Beginning, Flow, Item, LedgerStatus, Past, Selection, Span},
    moment::Moment,
    native,
    printer::{Printer, note},
    show::{self, Show},
};

mod files;
mod stream;

const EXAMPLES: &str = "\
Examples:
  kymo tail                                the newest ten, then everything as it happens
  kymo tail 'level:>=warn' -source:test    only what matters
  kymo tail --since 10m --channels agent:planner
  kymo tail --json | jq .data              the ledger's own lines

It goes on where it was after a lost connection or a restart of the server, and says so on
standard error.";

/// Arguments of `tail`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    beginning: Beginning,
    /// Begin with so many of the newest events
    #[arg(
        short = 'n',
        long,
        value_name = "COUNT",
        default_value_t = 10,
        conflicts_with = "from"
    )]
    lines: usize,
    /// Print the ledger's own lines
    #[arg(long)]
    json: bool,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.selection.filter()?;
        let mut tail = Tail {
            printer: Printer::new(),
            show: Show::new(),
            next: Seq::FIRST,
            ledger: None,
            left: self.limit,
            args: self,
        };
        match tail.follow() {
            Ok(()) | Err(Stop::Enough) => Ok(Exit::Done),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }
}

/// Why following ends.
enum Stop {
    /// As many as were asked for were shown.
    Enough,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

struct Tail {
    args: Args,
    printer: Printer,
    show: Show,
    /// Everything before it was shown, or did not match.
    next: Seq,
    /// The ledger `next` belongs to.
    ledger: Option<String>,
    left: Option<u64>,
}

impl Tail {
    fn follow(&mut self) -> Result<(), Stop> {
        let mut found = Place::find_settled(&self.args.place)?;
        loop {
            match &found.state {
                State::Named(endpoint) | State::Running(endpoint) => {
                    let client = Client::new(endpoint);
                    self.begin_at_server(&client)?;
                    return self.follow_server(client);
                }
                // Somebody writes without serving: what is in the files may not be safe yet.
                State::Held { pid } => {
                    return Err(Failure::locked(&found.data, *pid).into());
                }
                State::Free => found = self.follow_files(&found.data)?,
            }
        }
    }

    /// Shows the beginning that was asked for and decides where live begins.
    fn begin_at_server(&mut self, client: &Client) -> Result<(), Stop> {
        let status = LedgerStatus::of(client)?;
        if self.ledger.as_deref() == Some(&status.ledger) {
            return Ok(());
        }
        self.ledger = Some(status.ledger.clone());
        let past = Past::Server(client.clone());
        self.begin(&past, status.next())
    }

    /// `end` is the seq after the newest event.
    fn begin(&mut self, past: &Past, end: Seq) -> Result<(), Stop> {
        self.next = end;
        match self.args.beginning.from {
            Some(Moment::Now) => {}
            Some(Moment::Seq(seq)) => self.next = seq,
            Some(since) => {
                let span = Span {
                    from: Some(since),
                    to: Some(Moment::Seq(end)),
                    newest_first: false,
                };
                self.show_all(past, span)?;
            }
            None => self.show_newest(past, end)?,
        }
        self.printer.flush();
        Ok(())
    }

    fn show_all(&mut self, past: &Past, span: Span) -> Result<(), Stop> {
        let selection = self.args.selection.clone();
        let mut stop = None;
        past.visit(&selection, span, &mut |item| {
            stop = self.item(item).err();
            Ok(if stop.is_some() {
                Flow::Stop
            } else {
                Flow::Continue
            })
        })?;
        stop.map_or(Ok(()), Err)
    }

    fn show_newest(&mut self, past: &Past, end: Seq) -> Result<(), Stop> {
        let mut newest: VecDeque<Vec<u8>> = VecDeque::new();
        let count = self.args.lines;
        if count == 0 {
            return Ok(());
        }
        let span = Span {
            from: None,
            to: Some(Moment::Seq(end)),
            newest_first: true,
        };
        past.visit(&self.args.selection, span, &mut |item| {
            if let Item::Event(view) = item {
                newest.push_front(view.line().to_vec());
            }
            Ok(if newest.len() < count {
                Flow::Continue
            } else {
                Flow::Stop
            })
        })?;
        for line in newest {
            self.item(Item::Event(native::view(&line)?))?;
        }
        self.next = end;
        Ok(())
    }

    /// Shows one thing and moves the cursor.
    fn item(&mut self, item: Item<'_>) -> Result<(), Stop> {
        match item {
            Item::Event(view) => {
                if self.args.json {
                    self.printer.raw_line(view.line());
                } else {
                    self.show.event(&mut self.printer, &view);
                }
                self.next = self.next.max(view.seq().next());
                self.count_down()
            }
            Item::Hole(hole) => {
                self.hole(&hole);
                Ok(())
            }
        }
    }

    fn hole(&mut self, hole: &history::Hole) {
        // On standard error where the output is for programs.
        if self.args.json || !Printer::on_terminal() {
            note(show::describe(hole));
        } else {
            self.show.hole(&mut self.printer, hole);
        }
        if let Some(first) = Seq::new(hole.first) {
            self.next = first;
        }
    }

    fn count_down(&mut self) -> Result<(), Stop> {
        match &mut self.left {
            Some(left) if *left <= 1 => Err(Stop::Enough),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Waits between attempts: soon at first, then every two seconds.
struct Backoff(Duration);

impl Backoff {
    const fn new() -> Self {
        Self(Duration::from_millis(50))
    }

    fn wait(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 2).min(Duration::from_secs(2));
    }
}

/// Whether trying again makes sense.
fn may_come_back(error: &ClientError) -> bool {
    error.may_pass() || matches!(error, ClientError::Refused { code, .. } if code == "closing")
}
