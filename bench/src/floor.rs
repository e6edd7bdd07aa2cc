//! What this machine's disk allows when nothing else is done.

use std::{fs::File, io::Write, time::Instant};

use crate::{Outcome, events};

/// Lines of a batch.
const LINES: u64 = 1_000;

/// Appends batches of finished lines to a growing file, one fdatasync each; events per second.
pub(crate) fn append_and_sync(total: usize) -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let mut file = File::create(folder.path().join("floor.jsonl"))?;
    let batch = events::batch(0, LINES);
    let rounds = total / usize::try_from(LINES)?;
    let begun = Instant::now();
    for _ in 0..rounds {
        file.write_all(&batch)?;
        file.sync_data()?;
    }
    Ok(total as f64 / begun.elapsed().as_secs_f64())
}
