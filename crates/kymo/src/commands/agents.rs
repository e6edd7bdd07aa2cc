//! `kymo agents`: which agents there are and how they are, now or as of a moment.
use kymo_hub::{AgentsError, From, agents_in};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    history::Past,
    moment::{Moment, now},
    printer::{BAD, BOLD, DIM, GOOD, NOTE, Printer, note},
};

const EXAMPLES: &str = "\
Examples:
  kymo agents                     who works, at what, since when
  kymo agents --at 1h             how it was an hour ago
  kymo agents --at 18442 --json   as of an event, for scripts

It works on a folder without a server, too.";

/// Arguments of `agents`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// As of this moment: 10m, a date or time, or a seq (that event included)
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    at: Option<Moment>,
    /// Those that were heard last
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1_000)]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let page = self.ask()?;
        let mut printer = Printer::new();
        if self.json {
            printer.json(&page);
            return Ok(Exit::Done);
        }
        let agents = page["agents"].as_array().map(Vec::as_slice).unwrap_or_default();
        print(&mut printer, agents);
        printer.flush();
        remark(&page, agents.len());
        Ok(Exit::Done)
    }

    fn ask(&self) -> Result<Value, Failure> {
        match Past::open(&self.place)? {
            Past::Server(client) => {
                let mut query = vec![("limit", self.limit.to_string())];
                query.extend(self.at.map(|at| ("at", at.to_string())));
                Ok(client.get("/api/v1/agents", &query)?)
            }
            Past::Folder(folder) => {
                let at = self.at.map(place);
                let page = agents_in(&folder, at.as_ref(), now(), self.limit).map_err(failure)?;
                Ok(serde_json::to_value(page).expect("a page is JSON"))
            }
        }
    }
}

fn place(at: Moment) -> From {
    match at {
        Moment::Start => From::Start,
        Moment::Now => From::Now,
        Moment::Seq(seq) => From::Seq(seq, None),
        Moment::Time(time) => From::Time(time),
        Moment::Ago(micros) => From::Ago(micros),
    }
}

fn failure(error: AgentsError) -> Failure {
    let code = match error {
        AgentsError::BeforeRetention { .. } => "before_retention",
        AgentsError::NotYet { .. } => "not_yet",
        AgentsError::Read(_) => "ledger_unreadable",
    };
    Failure::failed(error.to_string()).code(code)
}

fn print(printer: &mut Printer, agents: &[Value]) {
    let width = |key: &str| {
        agents
            .iter()
            .map(|agent| text(agent, key).width())
            .max()
            .unwrap_or(0)
    };
    let (names, tasks) = (width("agent").min(40), width("task").min(40));
    for agent in agents {
        let state = text(agent, "state");
        let style = match state {
            "working" => GOOD,
            "failed" => BAD,
            "stopped" => DIM,
            _ => NOTE,
        };
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
        let (name, task) = (text(agent, "agent"), text(agent, "task"));
        let mut words = Vec::new();
        words.extend(agent["doing"].as_str().map(str::to_owned));
        words.extend(agent["status"].as_str().map(|status| format!("says {status}")));
        words.extend(agent["silent"].as_bool().map(|_| "silent".to_owned()));
        let failed = agent["failed"].as_u64().unwrap_or(0);
        words.extend((failed > 0).then(|| format!("{failed} failed")));
        printer.line(format!(
            "{style}●{style:#} {BOLD}{name}{BOLD:#}{}  {state:<7}  {task}{}  {DIM}since {}  {} events{DIM:#}  {}",
            pad(name, names),
            pad(task, tasks),
            text(agent, "since").get(..19).unwrap_or_default().replace('T', " "),
            agent["events"],
            words.join(", "),
        ));
    }
}

/// What the list does not say by itself.
fn remark(page: &Value, listed: usize) {
    let number = |key: &str| page[key].as_u64().unwrap_or(0);
    let cursor = number("cursor");
    if number("total") == 0 {
        note(format!(
            "no event up to {cursor} names an agent; `kymo emit … --agent NAME` does"
        ));
    } else if number("total") > listed as u64 {
        note(format!(
            "{} more; --limit shows them",
            number("total") - listed as u64
        ));
    }
    if number("left_out") > 0 {
        note(format!(
            "{} that were silent longest are forgotten (hub.agents_max)",
            number("left_out")
        ));
    }
    if number("from") > 1 {
        note(format!(
            "what was before seq {} is gone and not in it",
            number("from")
        ));
    }
    if number("lost") > 0 {
        note(format!("{} events were gone and are not in it", number("lost")));
    }
}

fn text<'a>(agent: &'a Value, key: &str) -> &'a str {
    agent[key].as_str().unwrap_or_default()
}
