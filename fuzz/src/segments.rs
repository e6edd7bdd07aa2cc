//! Opening after a crash: whatever the segments hold, opening ends, and what is served is good, complete and stays so.
//!
//! The input is a list of what happened to the folder: lines written, torn, repeated, zeroed, segments begun.

use std::{collections::BTreeMap, sync::mpsc};

use kymo_event::{Batch, LineView, check_crc};
use kymo_ledger::{Ledger, LedgerSettings, testing::FaultyDisk};

use crate::{
    mutation::{Choices, damage},
    serving::{all_lines, empty, event, filters_agree, line, look, open, put, served, verified},
};

/// What happened to a ledger.
pub(crate) fn run(bytes: &[u8]) {
    let (disk, happened) = happen(Choices(bytes));
    let Ok(before) = look(&disk).map(|ledger| all_lines(&ledger)) else {
        assert!(happened.identity_changed);
        let _ = open(&disk, LedgerSettings::default());
        return;
    };
    if !happened.identity_changed {
        complete(&happened.segments, &before);
    }
    let Ok(ledger) = open(&disk, LedgerSettings::default()) else {
        panic!("what can be read can be opened");
    };
    assert!(live(&ledger) == before, "a writer opens what a reader saw");
    let after = append(&ledger, before);
    ledger.close();
    drop(ledger);

    let again = look(&disk).expect("what was written is read");
    assert!(all_lines(&again) == after, "the same again, and one line more");
    filters_agree(&again, &after);
    let report = verified(&again);
    assert_eq!(report.events, after.len() as u64);
    let expected = again
        .head()
        .map_or(0, |head| head.get() + 1 - again.first().get());
    assert!(
        expected == report.events || !report.damage.is_empty(),
        "a hole that verify does not name"
    );
}

/// The files of a folder and what is known of them.
#[derive(Default)]
struct Happened {
    segments: BTreeMap<u64, Vec<u8>>,
    identity_changed: bool,
}

fn happen(mut choices: Choices<'_>) -> (FaultyDisk, Happened) {
    let disk = empty();
    let mut happened = Happened::default();
    let (mut first, mut next, mut time) = (1, 1, 0);
    let mut segment = Vec::new();
    for _ in 0..200 {
        if choices.is_empty() {
            break;
        }
        match choices.byte() % 12 {
            0..=2 => {
                segment.extend(line(next, time, usize::from(choices.byte()) * 2));
                next += 1;
            }
            3 => time += 1,
            4 => segment.extend_from_slice(choices.text()),
            5 => segment.extend(std::iter::repeat_n(0, choices.short() % 9000)),
            6 => {
                next += u64::from(choices.byte());
                segment.extend(line(next, time, 0));
                next += 1;
            }
            7 => segment.extend(line(
                next.saturating_sub(1 + u64::from(choices.byte() % 4)).max(1),
                time,
                0,
            )),
            8 | 9 => damage(&mut segment, &mut choices),
            10 => {
                happened.segments.insert(first, std::mem::take(&mut segment));
                next += u64::from(choices.byte() % 3);
                first = next.max(first + 1);
                next = first;
            }
            _ => other_file(&disk, &mut choices, &mut happened),
        }
    }
    happened.segments.insert(first, segment);
    for (first, bytes) in &happened.segments {
        put(&disk, &format!("{first:020}.jsonl"), bytes);
    }
    (disk, happened)
}

fn other_file(disk: &FaultyDisk, choices: &mut Choices<'_>, happened: &mut Happened) {
    let name = match choices.byte() % 6 {
        0 => {
            happened.identity_changed = true;
            "ledger.json".to_owned()
        }
        1 => format!("{:020}.idx", choices.byte()),
        2 => "../cursors/sink".to_owned(),
        3 => "+0000000000000000001.jsonl".to_owned(),
        4 => "pid".to_owned(),
        _ => "notes.jsonl".to_owned(),
    };
    put(disk, &name, choices.text());
}

fn live(ledger: &Ledger) -> Vec<Vec<u8>> {
    served(
        ledger.read(ledger.first(), &kymo_event::Filter::all()),
        ledger.first().get(),
        true,
    )
}

/// One more event, behind all that is there.
fn append(ledger: &Ledger, mut lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let next = ledger.head().map_or(ledger.first().get(), |head| head.get() + 1);
    let mut batch = Batch::default();
    batch.push(&event(next, 1));
    let (done, answer) = mpsc::channel();
    ledger.append(
        batch,
        Box::new(move |result| done.send(result).expect("somebody waits")),
    );
    let appended = answer.recv().expect("an answer comes").expect("memory takes it");
    assert_eq!(appended.first.get(), next);
    let all = live(ledger);
    let new = all.last().expect("what was acknowledged is there").clone();
    assert_eq!(LineView::parse(&new).expect("a line").seq(), appended.last);
    lines.push(new);
    assert!(all == lines, "nothing else changed");
    lines
}

/// Every line that was whole and in its place is served, and no other.
fn complete(segments: &BTreeMap<u64, Vec<u8>>, served: &[Vec<u8>]) {
    let firsts: Vec<u64> = segments.keys().copied().collect();
    let mut expected = Vec::new();
    for (index, (first, bytes)) in segments.iter().enumerate() {
        match firsts.get(index + 1) {
            Some(next) => good_lines(bytes, *first, next - 1, &mut expected),
            // Zeros in the last segment may be pages of a write that nobody was told of: lines behind them go with it.
            None if has_zeros(bytes) => {
                assert!(served.len() >= expected.len() && served.starts_with(&expected));
                return;
            }
            None => good_lines(bytes, *first, u64::MAX, &mut expected),
        }
    }
    assert!(
        expected == served,
        "{} lines are served of {}",
        served.len(),
        expected.len()
    );
}

/// Whether part of it may never have been written: two zeros in a row, or one where a sector or the file ends.
fn has_zeros(bytes: &[u8]) -> bool {
    let ends = |(at, byte): (usize, &u8)| *byte == 0 && ((at + 1) % 512 == 0 || at + 1 == bytes.len());
    bytes.windows(2).any(|pair| pair == [0, 0]) || bytes.iter().enumerate().any(ends)
}

fn good_lines(bytes: &[u8], first: u64, last: u64, out: &mut Vec<Vec<u8>>) {
    let mut next = first;
    let mut pieces: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    pieces.pop();
    for piece in pieces {
        let starts = (0..piece.len()).filter(|at| piece[*at..].starts_with(b"{\"seq\":"));
        let found = starts.filter(|at| check_crc(&piece[*at..])).find_map(|at| {
            let seq = LineView::parse(&piece[at..]).ok()?.seq().get();
            (next..=last).contains(&seq).then_some((at, seq))
        });
        if let Some((at, seq)) = found {
            out.push(piece[at..].to_vec());
            next = seq + 1;
        }
    }
}
