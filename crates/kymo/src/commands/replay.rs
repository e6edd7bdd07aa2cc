//! `kymo replay`: the past at its own pace, printed here or emitted into another Kymo.
use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use kymo_event::LineView;

use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    history::{Beginning, Flow, Item, Past, Selection, Span},
    moment::Moment,
    printer::{Printer, note},
    show::{self, Show},
};

mod copies;

use copies::Copies;

const EXAMPLES: &str = "\
Examples:
  kymo replay --since 1h --speed 10         the last hour in six minutes
  kymo replay --from 18000 --until 18500   a stretch at its own pace
  kymo replay session:3f2a --speed max --json
  kymo replay --since 1d --speed max --to http://127.0.0.1:7801

With --to, copies are emitted: new ids, marked as backfill, and `ext.origin` says which ledger and
seq each is of.";

/// Arguments of `replay`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    beginning: Beginning,
    /// Up to before this moment
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    until: Option<Moment>,
    /// How many times faster than it happened; `max` does not wait
    #[arg(long, value_name = "N|max", default_value = "1")]
    speed: Speed,
    /// Wait no longer than this many seconds between two events
    #[arg(long, value_name = "SECONDS")]
    pause_max: Option<f64>,
    /// Emit copies to this server (its address, or its data folder)
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Token for that server
    #[arg(
        long,
        env = "KYMO_TO_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        requires = "to"
    )]
    to_token: Option<String>,
    /// Print the ledger's own lines
    #[arg(long, conflicts_with = "to")]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    Times(f64),
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.trim_end_matches('x').parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err(format!(
                "`{text}` is no speed; write a number above 0 (10, 0.5) or max"
            )),
        }
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.selection.filter()?;
        let past = Past::open(&self.place)?;
        let mut copies = match &self.to {
            Some(to) => Some(Copies::open(to, self.to_token.as_deref(), past.ledger()?)?),
            None => None,
        };
        let mut screen = Screen {
            printer: Printer::new(),
            show: Show::new(),
            json: self.json,
        };
        let mut pace = Pace::new(self.speed, self.pause_max);
        let span = Span {
            from: self.beginning.from,
            to: self.until,
            newest_first: false,
        };
        past.visit(&self.selection, span, &mut |item| {
            match item {
                Item::Event(view) => {
                    let due = pace.due(&view);
                    if due > Instant::now() {
                        // What came before must be seen before we wait.
                        screen.printer.flush();
                        copies.as_mut().map_or(Ok(()), Copies::flush)?;
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    match &mut copies {
                        Some(copies) => copies.emit(&view)?,
                        None => screen.event(&view),
                    }
                }
                Item::Hole(hole) => note(show::describe(&hole)),
            }
            Ok(Flow::Continue)
        })?;
        copies.map_or(Ok(Exit::Done), Copies::finish)
    }
}

struct Screen {
    printer: Printer,
    show: Show,
    json: bool,
}

impl Screen {
    fn event(&mut self, view: &LineView<'_>) {
        if self.json {
            self.printer.raw_line(view.line());
        } else {
            self.show.event(&mut self.printer, view);
        }
    }
}

/// When each event is due. Each is placed relative to the one before, so that a long pause can be shortened.
struct Pace {
    speed: Speed,
    pause_max: Duration,
    last: Option<(i64, Instant)>,
}

impl Pace {
    fn new(speed: Speed, pause_max_s: Option<f64>) -> Self {
        let pause_max = pause_max_s
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .unwrap_or(Duration::MAX);
        Self {
            speed,
            pause_max,
            last: None,
        }
    }

    fn due(&mut self, view: &LineView<'_>) -> Instant {
        let recorded = view.recorded().0;
        let due = match self.last {
            Some((before, then)) => {
                let pause = pause(self.speed, recorded.saturating_sub(before)).min(self.pause_max);
                then.checked_add(pause).unwrap_or(then)
            }
            None => Instant::now(),
        };
        self.last = Some((recorded, due));
        due
    }
}

/// The clock may have stepped back between two events; nothing waits for that.
fn pause(speed: Speed, micros: i64) -> Duration {
    match speed {
        Speed::Max => Duration::ZERO,
        Speed::Times(times) => {
            let micros = u64::try_from(micros).unwrap_or(0);
            Duration::try_from_secs_f64(Duration::from_micros(micros).as_secs_f64() / times)
                .unwrap_or(Duration::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_shrinks_with_speed_and_a_step_back_is_none() {
        assert_eq!(pause(Speed::Times(1.0), 2_000_000), Duration::from_secs(2));
        assert_eq!(pause(Speed::Times(10.0), 2_000_000), Duration::from_millis(200));
        assert_eq!(pause(Speed::Max, 2_000_000), Duration::ZERO);
        assert_eq!(pause(Speed::Times(1.0), -5), Duration::ZERO);
    }

    #[test]
    fn a_speed_of_nothing_is_refused() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5x".parse(), Ok(Speed::Times(2.5)));
        assert!("0".parse::<Speed>().is_err());
        assert!("fast".parse::<Speed>().is_err());
    }
}
