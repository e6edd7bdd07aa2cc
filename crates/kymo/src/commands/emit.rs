//! `kymo emit`: one event from arguments, or many from standard input. Never lost while the disk takes them.
use std::{
    borrow::Cow,
    io::{IsTerminal, Read},
    path::PathBuf,
    time::Duration,
};

use kymo_event::{Event, Level, Limits, Micros, RawJson};

use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    labels::{self, Labels},
    native,
    outbox::{Delivered, Outbox},
    outlet,
    printer::{NOTE, Printer},
    receipt::Receipt,
};

mod stream;

const EXAMPLES: &str = "\
Examples:
  kymo emit hello
  kymo emit task.started step=1 --task demo-001 --agent planner
  kymo emit eval.done score=0.93 tags='[\"a\",\"b\"]' --level warn
  kymo emit note --data '{\"text\":\"anything that is JSON\"}'
  my-agent --events | kymo emit -        JSON lines from standard input

Values that are JSON are taken as JSON, all others as text. When no server answers, events wait
on disk and arrive once, later; that counts as done. Exit code 4: some were refused.";

/// Arguments of `emit`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Type of the event, such as task.started; `-` reads JSON lines from standard input
    #[arg(value_name = "TYPE")]
    kind: Option<String>,
    /// Fields of `data`
    #[arg(value_name = "KEY=VALUE")]
    fields: Vec<String>,
    /// `data` as JSON; fields are added to it
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// How serious: debug, info, warn, error, critical
    #[arg(long, value_parser = labels::level, value_name = "LEVEL")]
    level: Option<Level>,
    /// The event's own id; the same again is not stored twice [default: a new one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// When it happened, RFC 3339 [default: now; with --id not said, so that a repeat is the same]
    #[arg(long, value_name = "TIME", value_parser = |text: &str| Micros::parse(text))]
    time: Option<Micros>,
    /// Which span
    #[arg(long, value_name = "ID", help_heading = "Labels")]
    span: Option<String>,
    /// Mark as the imported past: stored, but raises no alarm
    #[arg(long)]
    backfill: bool,
    #[command(flatten)]
    labels: Labels,
    /// Print the receipt as JSON
    #[arg(long)]
    json: bool,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Address of the server, such as http://127.0.0.1:7700 [env: KYMO_URL]
    #[arg(long, value_name = "URL", help_heading = "Where")]
    url: Option<String>,
    /// Data folder [env: KYMO_DATA] [default: the nearest .kymo upward from here, else the user's own]
    #[arg(long, value_name = "DIR", help_heading = "Where")]
    folder: Option<PathBuf>,
    /// Token for the server [default: the one in the data folder]
    #[arg(
        long,
        env = "KYMO_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Where"
    )]
    token: Option<String>,
}

/// How long a server may take before the event goes to the spool.
const PATIENCE: Duration = Duration::from_secs(5);

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let place = Where {
            url: self.url.clone(),
            data: self.folder.clone(),
            token: self.token.clone(),
        };
        match self.kind.as_deref() {
            Some("-") => self.stream(&place),
            Some(kind) => {
                let record = native::json(&self.event(kind)?);
                let mut outbox = Outbox::open(&place, PATIENCE)?.telling_denials();
                let mut tally = Tally::default();
                tally.add(outbox.deliver(&[record])?, 1);
                self.report(&tally, outbox)
            }
            None if !std::io::stdin().is_terminal() => self.stream(&place),
            None => Err(
                Failure::usage("no type was given, and standard input is a terminal")
                    .hint("write `kymo emit TYPE [KEY=VALUE…]`, or pipe JSON lines into `kymo emit -`"),
            ),
        }
    }

    /// The event that the arguments say.
    fn event<'a>(&'a self, kind: &'a str) -> Result<Event<'a>, Failure> {
        let mut event = Event::new(kind, self.labels.source_or("cli"));
        event.id = self.id.as_deref().map(Cow::Borrowed);
        event.time = self.time;
        event.level = self.level.unwrap_or_default();
        event.span = self.span.as_deref().map(Cow::Borrowed);
        event.backfill = self.backfill;
        event.data = self.payload()?.map(Cow::Owned);
        self.labels.fill(&mut event);
        native::make_sendable(&mut event);
        Ok(event)
    }

    /// `--data` with the fields added to it.
    fn payload(&self) -> Result<Option<String>, Failure> {
        let data = match self.data.as_deref() {
            Some("-") => Some(read_stdin()?),
            other => other.map(str::to_owned),
        };
        let data = data.map(|text| checked_json(&text)).transpose()?;
        if self.fields.is_empty() {
            return Ok(data);
        }
        let inner = match &data {
            None => "",
            Some(text) => text
                .strip_prefix('{')
                .and_then(|text| text.strip_suffix('}'))
                .ok_or_else(|| Failure::usage("fields can only be added to a JSON object in --data"))?
                .trim(),
        };
        let mut members = Vec::new();
        if !inner.is_empty() {
            members.push(inner.to_owned());
        }
        for field in &self.fields {
            members.push(member(field)?);
        }
        Ok(Some(format!("{{{}}}", members.join(","))))
    }

    fn report(&self, tally: &Tally, outbox: Outbox) -> Result<Exit, Failure> {
        if self.json {
            Printer::new().json(&tally.json());
        } else if !self.quiet {
            tally.print(&outbox);
        }
        for rejected in &tally.receipt.rejected {
            anstream::eprintln!(
                "{NOTE}refused{NOTE:#} {}",
                rejected_line(rejected, self.is_stream())
            );
        }
        if outbox.is_elsewhere() && tally.spooled == 0 {
            outlet::hand_over_waiting(outbox)?;
        }
        Ok(if tally.receipt.rejected.is_empty() {
            Exit::Done
        } else {
            Exit::Refused
        })
    }

    fn is_stream(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "-")
    }
}

fn rejected_line(rejected: &crate::receipt::Rejected, is_stream: bool) -> String {
    let place = if is_stream {
        format!("line {}: ", rejected.index)
    } else {
        String::new()
    };
    format!("{place}{} [{}]", rejected.message, rejected.code)
}

/// `key=value` as a member of an object.
fn member(field: &str) -> Result<String, Failure> {
    let named = field.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = named.ok_or_else(|| {
        Failure::usage(format!("`{field}` is no field"))
            .hint("write KEY=VALUE, or give the whole payload with --data JSON")
    })?;
    let value = match RawJson::parse(value, Limits::default().nesting_max) {
        Ok(json) => json.as_str().to_owned(),
        Err(_) => serde_json::Value::from(value).to_string(),
    };
    Ok(format!("{}:{value}", serde_json::Value::from(key)))
}

fn checked_json(text: &str) -> Result<String, Failure> {
    match RawJson::parse(text, Limits::default().nesting_max) {
        Ok(json) => Ok(json.as_str().to_owned()),
        Err(refusal) => {
            let failure = Failure::usage(format!("--data is no JSON: {refusal}")).code(refusal.code);
            Err(if std::path::Path::new(text).is_dir() {
                failure.hint("of this command --data is the payload; name the data folder with --folder")
            } else {
                failure.hint("quote it for the shell: --data '{\"text\":\"hello\"}'")
            })
        }
    }
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|cause| Failure::failed(format!("standard input could not be read: {cause}")))?;
    Ok(text)
}

/// What became of everything so far.
#[derive(Default)]
struct Tally {
    receipt: Receipt,
    spooled: usize,
}

impl Tally {
    /// Adds answers about `count` records.
    fn add(&mut self, answers: Vec<Delivered>, count: usize) {
        let mut answered = 0;
        for answer in answers {
            match answer {
                Delivered::Stored(part) => {
                    answered += part.accepted + part.duplicates.len() + part.rejected.len();
                    self.receipt.accepted += part.accepted;
                    self.receipt.first = self.receipt.first.or(part.first);
                    self.receipt.last = part.last.or(self.receipt.last);
                    self.receipt.durability = part.durability;
                    self.receipt.duplicates.extend(part.duplicates);
                    self.receipt.rejected.extend(part.rejected);
                }
                Delivered::Spooled => {}
            }
        }
        self.spooled += count - answered.min(count);
    }

    fn json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.receipt).expect("a receipt becomes JSON");
        if self.receipt.durability.is_empty() && self.spooled > 0 {
            // No server has answered: what is on disk is the spool.
            value["durability"] = "spooled".into();
        }
        value["spooled"] = self.spooled.into();
        value
    }

    fn print(&self, outbox: &Outbox) {
        let mut printer = Printer::new();
        match (self.receipt.first, self.receipt.last) {
            (Some(first), Some(last)) if first == last => printer.line(format!("stored, seq {first}")),
            (Some(first), Some(last)) => {
                printer.line(format!("stored {}, seq {first} to {last}", self.receipt.accepted));
            }
            _ => {}
        }
        for duplicate in self.receipt.duplicates.iter().take(3) {
            printer.line(format!("known already, seq {}", duplicate.seq));
        }
        if self.spooled > 0 {
            let why = outbox.why_away().unwrap_or("no server is running");
            printer.line(format!(
                "kept {} in {} ({why}); the next server takes {} up",
                self.spooled,
                crate::welcome::near(outbox.spool_folder()),
                if self.spooled == 1 { "it" } else { "them" },
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_json_stay_json_and_all_others_are_text() {
        assert_eq!(member("step=1").expect("good"), r#""step":1"#);
        assert_eq!(member("name=a b").expect("good"), r#""name":"a b""#);
        assert_eq!(member(r#"list=[1, "x"]"#).expect("good"), r#""list":[1, "x"]"#);
        assert_eq!(member("eq=a=b").expect("good"), r#""eq":"a=b""#);
        assert_eq!(member("empty=").expect("good"), r#""empty":"""#);
        assert!(member("nothing").is_err());
        assert!(member("=nameless").is_err());
    }
}
