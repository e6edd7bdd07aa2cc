//! A damaged index beside good segments: it is found out, or it says what the lines say.
//!
//! With its checksums made right again (so that what lies behind them meets the damage too) nothing may break, and every
//! line that is served is a good one.

use std::{
    path::Path,
    sync::{OnceLock, mpsc},
};

use kymo_event::Batch;
use kymo_ledger::{Ledger, LedgerSettings};

use crate::{
    mutation::{Choices, damage},
    serving::{DATA, all_lines, empty, event, filters_agree, line, look, open, put, served, verified},
};

const LINES: u64 = 40;
const MORE: u64 = 20;
const SEALED: &str = "00000000000000000001";
const GROWING: &str = "00000000000000000041";

/// The first byte says what is damaged and how; the rest is the damage.
pub(crate) fn run(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let how = choices.byte();
    let files = files();
    let mut index = if how & 1 == 0 {
        files.index.clone()
    } else {
        Vec::new()
    };
    while !choices.is_empty() && index.len() < 64 << 10 {
        match index.is_empty() {
            true => index = choices.bytes(usize::MAX).to_vec(),
            false => damage(&mut index, &mut choices),
        }
    }
    let mended = how & 2 != 0;
    if mended {
        mend(&mut index);
    }
    let disk = empty();
    put(&disk, &format!("{SEALED}.jsonl"), &files.sealed);
    if how & 4 == 0 {
        put(&disk, &format!("{GROWING}.jsonl"), &files.growing);
    }
    put(&disk, &format!("{SEALED}.idx"), &index);
    let ledger = look(&disk).expect("an index keeps nobody from reading");
    if mended {
        // It may lie now, but only about where the lines are.
        served(
            ledger.read(ledger.first(), &kymo_event::Filter::all()),
            ledger.first().get(),
            true,
        );
        let _ = ledger.verify(None, &mut |_, _| {});
        let _ = ledger.chain_head();
        return;
    }
    let lines = all_lines(&ledger);
    assert_eq!(
        lines.len() as u64,
        if how & 4 == 0 { LINES + MORE } else { LINES }
    );
    filters_agree(&ledger, &lines);
    let report = verified(&ledger);
    assert_eq!(report.events, lines.len() as u64);
    assert_eq!(report.chain, chain_of(how));
}

struct Files {
    sealed: Vec<u8>,
    growing: Vec<u8>,
    index: Vec<u8>,
}

/// A segment that was ended early, as a failed write does it, with its index, and the one that follows it.
fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = empty();
        let ledger = open(&disk, LedgerSettings::default()).expect("an empty ledger opens");
        append(&ledger, 1, LINES);
        ledger.close();
        drop(ledger);
        let following = (LINES + 1..=LINES + MORE).flat_map(|n| line(n, 1, 3));
        put(&disk, &format!("{GROWING}.jsonl"), &following.collect::<Vec<_>>());
        let ledger = open(&disk, LedgerSettings::default()).expect("the ledger opens again");
        ledger.close();
        let read = |name: String| {
            disk.read(&Path::new(DATA).join("ledger").join(&name))
                .unwrap_or_else(|| panic!("{name} is there: {:?}", disk.files()))
        };
        Files {
            sealed: read(format!("{SEALED}.jsonl")),
            growing: read(format!("{GROWING}.jsonl")),
            index: read(format!("{SEALED}.idx")),
        }
    })
}

fn append(ledger: &Ledger, first: u64, last: u64) {
    let mut batch = Batch::default();
    (first..=last).for_each(|n| batch.push(&event(n, 3)));
    let (done, answer) = mpsc::channel();
    ledger.append(
        batch,
        Box::new(move |result| done.send(result).expect("somebody waits")),
    );
    answer.recv().expect("an answer comes").expect("memory takes it");
}

/// The chain over lines that nobody has touched.
fn chain_of(how: u8) -> String {
    static CHAINS: OnceLock<[String; 2]> = OnceLock::new();
    let chains = CHAINS.get_or_init(|| {
        [true, false].map(|both| {
            let disk = empty();
            put(&disk, &format!("{SEALED}.jsonl"), &files().sealed);
            if both {
                put(&disk, &format!("{GROWING}.jsonl"), &files().growing);
            }
            verified(&look(&disk).expect("a good ledger is read")).chain
        })
    });
    chains[usize::from(how & 4 != 0)].clone()
}

const FILE_HEAD: usize = 64;
const TRAILER: usize = 192;

/// Makes the checksums right again, as docs/ledger-format.md says where they are.
fn mend(index: &mut [u8]) {
    sum(index, 0, 60, 60);
    let mut at = FILE_HEAD;
    while index.get(at..).is_some_and(|rest| rest.starts_with(b"KBLK")) {
        let [Some(summary), Some(columns), Some(ids)] = [8, 12, 20].map(|field| number(index, at + field))
        else {
            return;
        };
        let columns_at = at + 192 + summary;
        let ids_at = columns_at + columns;
        sum(index, columns_at, ids_at, at + 16);
        sum(index, ids_at, ids_at + ids, at + 24);
        sum(index, at + 8, columns_at, at + 4);
        at = ids_at + ids;
    }
    let Some(trailer) = index.len().checked_sub(TRAILER) else {
        return;
    };
    for table in 0..3 {
        let fields = trailer + 88 + table * 16;
        if let (Some(offset), Some(bytes)) = (number(index, fields), number(index, fields + 8)) {
            sum(index, offset, offset + bytes, fields + 12);
        }
    }
    sum(index, trailer, trailer + 188, trailer + 188);
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*number) as usize)
}

/// Writes the checksum of `from..to` to `place`.
fn sum(bytes: &mut [u8], from: usize, to: usize, place: usize) {
    let Some(sum) = bytes.get(from..to).map(crc32c) else {
        return;
    };
    if let Some(place) = bytes.get_mut(place..place + 4) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// CRC-32C bit by bit, as a stranger would write it.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}
