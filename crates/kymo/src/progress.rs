//! How far a long task is: a bar on a terminal, a plain line every few seconds in a pipe. Always on standard error.
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A task with a known or unknown number of bytes.
pub(crate) struct Progress {
    what: &'static str,
    bar: ProgressBar,
    plain: bool,
    started: Instant,
    line_due: Instant,
    total: Option<u64>,
}

impl Progress {
    /// `what` is one word that stands before the bar; `total` in bytes, where known.
    pub(crate) fn bytes(what: &'static str, total: Option<u64>) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10))
        };
        let template = if total.is_some() {
            "{prefix:>10} {bar:30} {bytes}/{total_bytes} {msg} {eta:>4} left"
        } else {
            "{prefix:>10} {spinner} {bytes} {msg}"
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is ours"));
        bar.set_prefix(what);
        let now = Instant::now();
        Self {
            what,
            bar,
            plain,
            started: now,
            line_due: now + LINE_EVERY,
            total,
        }
    }

    /// So many bytes are done, with so many events.
    pub(crate) fn at(&mut self, bytes: u64, events: u64) {
        if self.plain {
            self.plain_line(bytes, events);
        } else {
            self.bar.set_position(bytes);
            self.bar.set_message(format!(
                "{} events {}/s",
                HumanCount(events),
                HumanCount(self.rate(events))
            ));
        }
    }

    /// A line that stays, above the bar.
    pub(crate) fn say(&self, text: &str) {
        if self.plain {
            anstream::eprintln!("{text}");
        } else {
            self.bar.suspend(|| anstream::eprintln!("{text}"));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Events per second since the start.
    pub(crate) fn rate(&self, events: u64) -> u64 {
        let millis = self.started.elapsed().as_millis().max(1);
        u64::try_from(u128::from(events) * 1000 / millis).unwrap_or(u64::MAX)
    }

    fn plain_line(&mut self, bytes: u64, events: u64) {
        if Instant::now() < self.line_due {
            return;
        }
        self.line_due = Instant::now() + LINE_EVERY;
        let of = self
            .total
            .map_or(String::new(), |total| format!(" of {}", HumanBytes(total)));
        anstream::eprintln!(
            "{}: {}{of}, {} events, {}/s",
            self.what,
            HumanBytes(bytes),
            HumanCount(events),
            HumanCount(self.rate(events))
        );
    }
}
