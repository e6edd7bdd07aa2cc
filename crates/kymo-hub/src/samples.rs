//! What the tests inside this crate share: lines as the ledger hands them on, and an encoder for who looks at no frame.

use kymo_event::{Batch, Event, LineView, Micros, Seq, write_line};
use kymo_ledger::Lines;

use crate::Encoder;

pub(crate) fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}

/// A group as it is committed, whose first event has the seq `first`.
pub(crate) fn group<'e>(first: u64, events: impl IntoIterator<Item = Event<'e>>) -> Lines {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for (at, event) in (first..).zip(events) {
        let mut batch = Batch::default();
        batch.push(&event);
        write_line(&mut bytes, seq(at), &Micros(0).text(), batch.body(0));
        ends.push(u32::try_from(bytes.len()).expect("small"));
    }
    Lines {
        first: seq(first),
        bytes: bytes.into(),
        ends: ends.into(),
    }
}

/// Builds frames without anything in them.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Encoder for Nothing {
    fn name(&self) -> &str {
        "nothing"
    }
    fn frame(&self, _: u32, _: Seq, _: &mut dyn Iterator<Item = LineView<'_>>, _: &mut Vec<u8>) {}
}
