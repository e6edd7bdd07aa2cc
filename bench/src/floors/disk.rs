//! The disk, and beside it the parser: what batches cannot be faster than.

use std::{
    fs::File,
    io::Write,
    time::{Duration, Instant},
};

use super::parse;
use crate::{
    Outcome,
    args::Scale,
    events,
    figures::{Figures, RATE, figure},
    process,
};

/// Lines of a batch.
const LINES: u64 = 1_000;

/// Appends batches of lines to a growing file, one fdatasync each. Beside it what one thread can parse.
pub(crate) fn append_and_sync(scale: &Scale) -> Outcome<Figures> {
    let folder = process::folder()?;
    let mut file = File::create(folder.path().join("floor.jsonl"))?;
    let batch = events::lines(&events::events(0, LINES));
    append(&mut file, &batch, scale.warm_up)?;
    Ok(vec![
        figure(RATE, "events/s", append(&mut file, &batch, scale.closed_loop)?),
        figure(
            "parse only",
            "events/s",
            parse::per_second(&batch, scale.warm_up)?,
        ),
    ])
}

fn append(file: &mut File, batch: &[u8], time: Duration) -> Outcome<f64> {
    let (begun, mut rounds) = (Instant::now(), 0_u64);
    while begun.elapsed() < time {
        file.write_all(batch)?;
        file.sync_data()?;
        rounds += 1;
    }
    Ok((rounds * LINES) as f64 / begun.elapsed().as_secs_f64())
}
