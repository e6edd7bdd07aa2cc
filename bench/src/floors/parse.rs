//! What one thread can read of events: Kymo's own parser, from the bytes of a body to bodies of lines.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use kymo_event::{Batch, Limits, RecordFormat, Records, dialects};

use crate::Outcome;

/// Reads the lines again and again; events per second.
pub(super) fn per_second(lines: &[u8], time: Duration) -> Outcome<f64> {
    let (begun, mut events) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let batch = read(lines)?;
        events += batch.len();
        black_box(&batch);
    }
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}

fn read(lines: &[u8]) -> Outcome<Batch> {
    let limits = Limits::default();
    let mut batch = Batch::with_capacity(lines.len() + lines.len() / 4, 1_000);
    let refused = |refusal| format!("our own event is refused: {refusal:?}");
    for record in Records::new(lines, RecordFormat::Lines, &limits).map_err(refused)? {
        let value = record.value.map_err(refused)?;
        let event = dialects::detect(value).read(value, &limits).map_err(refused)?;
        batch.push(&event);
    }
    Ok(batch)
}
