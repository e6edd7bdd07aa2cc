//! Events from standard input: JSON lines, sent on as they come.
use std::{
    io::BufReader,
    sync::mpsc::{Receiver, sync_channel},
};

use kymo_event::{Event, Limits, RawJson, Refusal, dialects};

use super::{Args, PATIENCE, Tally};
use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    lines::{Line, Lines},
    native,
    outbox::Outbox,
    printer::note,
    receipt::Rejected,
};

/// Lines that may wait while a request is under way.
const LINES_WAITING: usize = 4_096;
/// Records of one request.
const RECORDS_MAX: usize = 1_000;

/// Bytes of a line that are read at all; the server's own limit is lower.
const LINE_BYTES_MAX: usize = 32 << 20;

impl Args {
    /// Reads until the end of standard input. Lines that come while a request is under way share the next one.
    pub(super) fn stream(&self, place: &Where) -> Result<Exit, Failure> {
        if !self.fields.is_empty() || self.data.is_some() || self.id.is_some() {
            return Err(Failure::usage(
                "with JSON lines on standard input the events say their own data and id",
            ));
        }
        let mut outbox = Outbox::open(place, PATIENCE)?.telling_denials();
        let mut told = None;
        let mut tally = Tally::default();
        let lines = read_lines();
        while let Ok(first) = lines.recv() {
            let batch = std::iter::once(first).chain(lines.try_iter().take(RECORDS_MAX - 1));
            let spooled = tally.spooled;
            self.send(batch, &mut outbox, &mut tally)?;
            if tally.spooled > spooled {
                tell_once(&outbox, &mut told);
            }
        }
        self.report(&tally, outbox)
    }

    fn send(
        &self,
        batch: impl Iterator<Item = Line>,
        outbox: &mut Outbox,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let mut records = Vec::new();
        let mut numbers = Vec::new();
        for line in batch.filter(|line| !line.is_blank()) {
            match self.record(&line) {
                Ok(record) => {
                    records.push(record);
                    numbers.push(line.number);
                }
                Err(refusal) => tally.receipt.rejected.push(Rejected {
                    index: line.number,
                    byte: refusal.byte.map(|byte| byte as u64),
                    code: refusal.code.to_owned(),
                    message: refusal.message,
                }),
            }
        }
        let before = (tally.receipt.rejected.len(), tally.receipt.duplicates.len());
        tally.add(outbox.deliver(&records)?, records.len());
        if !records.is_empty() {
            // What was read from a pipe is nowhere else: a token that stops being good costs no event.
            outbox.keep_denied();
        }
        // The server counts records of a request; people count lines of their input.
        for rejected in &mut tally.receipt.rejected[before.0..] {
            rejected.index = numbers.get(rejected.index).copied().unwrap_or(rejected.index);
        }
        for duplicate in &mut tally.receipt.duplicates[before.1..] {
            duplicate.index = numbers.get(duplicate.index).copied().unwrap_or(duplicate.index);
        }
        Ok(())
    }

    /// A line as a native record.
    fn record(&self, line: &Line) -> Result<String, Refusal> {
        let text = native::text(line)?;
        let limits = Limits::default();
        let json = RawJson::parse(text, limits.nesting_max)?;
        let mut event: Event<'_> = dialects::detect(json).read(json, &limits)?;
        if event.level == kymo_event::Level::default() {
            event.level = self.level.unwrap_or_default();
        }
        event.backfill |= self.backfill;
        self.labels.fill(&mut event);
        native::make_sendable(&mut event);
        Ok(native::json(&event))
    }
}

/// Says that events wait on disk instead, each reason once: a stream may run for days before its summary.
fn tell_once(outbox: &Outbox, told: &mut Option<String>) {
    let why = outbox.why_away();
    if why != told.as_deref()
        && let Some(why) = why
    {
        note(format!("{why}; events wait on disk"));
    }
    *told = why.map(str::to_owned);
}

fn read_lines() -> Receiver<Line> {
    let (sender, receiver) = sync_channel(LINES_WAITING);
    std::thread::spawn(move || {
        let mut lines = Lines::new(
            BufReader::with_capacity(256 << 10, std::io::stdin()),
            LINE_BYTES_MAX,
        );
        while let Ok(Some(line)) = lines.next() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
