//! An event on its way through a line: stored, and given out in any dialect.
use kymo_event::{Batch, Event, LedgerId, LineView, Micros, Seq, dialects::Dialect, write_line};

/// When the line was recorded.
pub(crate) const RECORDED: Micros = Micros(1_771_095_683_457_102);

pub(crate) fn ledger() -> LedgerId {
    LedgerId::new("0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11")
}

/// The event as the seventh line of a ledger.
pub(crate) fn line_of(event: &Event<'_>) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(event);
    let mut line = Vec::new();
    write_line(&mut line, Seq::new(7).unwrap(), &RECORDED.text(), batch.body(0));
    line.pop();
    line
}

/// What a dialect makes of the event's line.
pub(crate) fn given_out(dialect: &dyn Dialect, event: &Event<'_>) -> String {
    let line = line_of(event);
    let mut out = Vec::new();
    dialect.write(&LineView::parse(&line).unwrap(), &ledger(), &mut out);
    String::from_utf8(out).unwrap()
}
