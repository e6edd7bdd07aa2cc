//! Ledgers that are already there: filled through `kymo-ledger` itself, without a server, as fast as the disk takes it.

use std::{path::Path, sync::mpsc, time::Duration};

use kymo_event::{Batch, Event};
use kymo_ledger::{Ledger, LedgerSettings};

use crate::Outcome;

const BATCH: u64 = 1_000;
/// Batches that may wait for the disk.
const WAITING: usize = 8;
/// One event in so many is of a rare type.
const RARE: u64 = 100;

/// The trace of the one event in the middle of a ledger of `events` events.
pub(crate) const NEEDLE: &str = "needle";

/// Puts `events` events of 350 bytes, as an emitter sends them, into the ledger of a data folder.
pub(crate) fn fill(data: &Path, events: u64) -> Outcome {
    add(&open(data, LedgerSettings::default())?, events)
}

/// The same where there may be some already; more are left as they are.
pub(crate) fn fill_up_to(data: &Path, events: u64) -> Outcome {
    let ledger = open(data, LedgerSettings::default())?;
    let there = ledger.head().map_or(0, kymo_event::Seq::get);
    add(&ledger, events.saturating_sub(there))
}

fn open(data: &Path, settings: LedgerSettings) -> Outcome<Ledger> {
    Ok(Ledger::open(data, settings, Box::new(|_| {}))?)
}

fn add(ledger: &Ledger, events: u64) -> Outcome {
    let (done, answers) = mpsc::sync_channel(WAITING);
    let mut waiting = 0;
    for first in (0..events).step_by(usize::try_from(BATCH)?) {
        let batch = batch(first..(first + BATCH).min(events), events / 2);
        if waiting == WAITING {
            answers.recv()??;
            waiting -= 1;
        }
        let done = done.clone();
        // Nobody waits any more only where an earlier batch has failed.
        ledger.append(batch, Box::new(move |result| drop(done.send(result))));
        waiting += 1;
    }
    for _ in 0..waiting {
        answers.recv()??;
    }
    ledger.close();
    Ok(())
}

/// The same, and compresses all but the segment that still grows, which is a small one.
pub(crate) fn fill_and_compress(data: &Path, events: u64) -> Outcome {
    let settings = LedgerSettings {
        compress_after_s: Some(0),
        segment_bytes_max: 16 << 20,
        ..LedgerSettings::default()
    };
    add(&open(data, settings.clone())?, events)?;
    // Ages are whole seconds: what is younger than one is not compressed.
    std::thread::sleep(Duration::from_millis(1_500));
    let ledger = open(data, settings)?;
    ledger.maintain()?;
    ledger.close();
    Ok(())
}

fn batch(numbers: std::ops::Range<u64>, needle: u64) -> Batch {
    const NOTE: &str = "what the agent said about this step of its work, in some words that a person may read later; what the agent said about this step of its work, in some words that a person may read l";
    let mut batch = Batch::with_capacity(400 * numbers.clone().count(), numbers.clone().count());
    for number in numbers {
        let kind = if number.is_multiple_of(RARE) {
            "bench.rare"
        } else {
            "bench.step"
        };
        let mut event = Event::new(kind, "bench");
        event.agent = Some("planner".into());
        event.session = Some("3f2a".into());
        event.task = Some("demo-001".into());
        event.trace = (number == needle).then_some(NEEDLE.into());
        let shard = number % 10;
        event.data = Some(
            format!(
                r#"{{"n":{number},"shard":{shard},"tool":"Bash","command":"cargo test","note":"{NOTE}"}}"#
            )
            .into(),
        );
        batch.push(&event);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_filled_once_and_its_events_have_the_usual_size() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), 2_500).unwrap();
        fill_up_to(folder.path(), 2_500).unwrap();
        let ledger = open(folder.path(), LedgerSettings::default()).unwrap();
        assert_eq!(ledger.head().map(kymo_event::Seq::get), Some(2_500));
        let bytes =
            crate::process::bytes_below(&folder.path().join("ledger"), &|name| name.ends_with(".jsonl"));
        assert!((425..450).contains(&(bytes / 2_500)), "{bytes} bytes");
    }
}
