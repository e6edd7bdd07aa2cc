//! Two things that happen to one ledger, one after the other: what its index knows of lines that are gone outlives a power
//! cut, and damage to the one does not let `verify` accuse the other.

mod support;

use std::path::Path;

use kymo_event::{Filter, Seq};
use kymo_ledger::{
    Damage, LedgerSettings, ReadOnly,
    testing::{FaultyDisk, Leaves},
};
use support::{
    TempLedger, chunks,
    faulty::{DATA, ground, index_of, lines_of},
    holes, numbered,
};

fn with_segments_of(disk: &FaultyDisk, bytes: u64) -> TempLedger {
    let settings = LedgerSettings {
        segment_bytes_max: bytes,
        ..LedgerSettings::default()
    };
    TempLedger::on(ground(disk), Path::new(DATA), settings)
}

/// Segments of one block.
fn on(disk: &FaultyDisk) -> TempLedger {
    with_segments_of(disk, 100_000)
}

/// Segments of three blocks.
fn several_blocks(disk: &FaultyDisk) -> TempLedger {
    with_segments_of(disk, 500_000)
}

/// Segments that never end.
fn long(disk: &FaultyDisk) -> TempLedger {
    TempLedger::on(ground(disk), Path::new(DATA), LedgerSettings::default())
}

fn change(disk: &FaultyDisk, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.read(path).expect("the file is there");
    edit(&mut bytes);
    disk.spoil(path, bytes);
}

/// Where line `number` (from 0) of a file begins.
fn start_of(bytes: &[u8], number: usize) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.take(number).map(<[u8]>::len).sum()
}

/// Cuts a file `bytes` behind the beginning of line `number`.
fn cut(disk: &FaultyDisk, path: &Path, number: usize, bytes: usize) {
    change(disk, path, |all| all.truncate(start_of(all, number) + bytes));
}

/// Turns a bit of line `number`.
fn turn_a_bit(disk: &FaultyDisk, path: &Path, number: usize) {
    change(disk, path, |all| {
        let at = start_of(all, number) + 60;
        all[at] ^= 1;
    });
}

fn verify(disk: &FaultyDisk) -> Vec<Damage> {
    let outside = ReadOnly::open_on(&ground(disk), Path::new(DATA)).expect("it opens");
    let report = outside.verify(None, &mut |_, _| {});
    report.expect("it can be read").damage
}

/// File, first and last seq of each.
fn named(disk: &FaultyDisk) -> Vec<(String, u64, u64)> {
    let short = |damage: &Damage| damage.file.trim_start_matches('0').to_owned();
    verify(disk)
        .iter()
        .map(|damage| (short(damage), damage.first.get(), damage.last.get()))
        .collect()
}

fn gone(ledger: &TempLedger) -> Vec<(u64, u64)> {
    holes(&chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all())))
}

fn head(ledger: &TempLedger) -> u64 {
    ledger.ledger.head().map_or(0, Seq::get)
}

#[test]
fn an_orderly_end_is_known_for_good_also_after_a_write_that_failed() {
    let disk = FaultyDisk::new();
    let ledger = long(&disk);
    ledger.fill(20);
    ledger.ledger.settle();
    disk.fail_sync(Some(0));
    assert!(ledger.append(numbered(21..=21)).is_err());
    ledger.ledger.close();
    disk.cut_power(Leaves::Nothing);
    cut(&disk, &lines_of(1), 10, 0);
    let ledger = long(&disk);
    assert_eq!((head(&ledger), gone(&ledger)), (20, vec![(11, 20)]));
}

#[test]
fn what_only_the_index_knew_when_the_ledger_was_opened_is_known_after_a_power_cut() {
    let disk = FaultyDisk::new();
    let ledger = long(&disk);
    ledger.fill(20);
    ledger.ledger.settle();
    disk.fail_sync(Some(0));
    ledger.ledger.close();
    cut(&disk, &lines_of(1), 10, 0);
    assert_eq!(head(&long(&disk)), 20);
    disk.cut_power(Leaves::Nothing);
    assert_eq!(head(&long(&disk)), 20);
}

#[test]
fn an_index_of_events_that_are_gone_does_not_come_back_for_those_that_have_their_seqs() {
    let disk = FaultyDisk::new();
    let ledger = long(&disk);
    ledger.fill(20);
    ledger.ledger.close();
    let ledger = long(&disk);
    ledger.ledger.settle();
    disk.cut_power(Leaves::Everything);
    cut(&disk, &lines_of(1), 10, 0);
    let again = long(&disk);
    assert_eq!(head(&again), 10, "nobody knows of more");
    again.fill(5);
    again.ledger.settle();
    disk.cut_power(Leaves::Nothing);
    let again = long(&disk);
    assert_eq!((head(&again), gone(&again)), (15, vec![]));
}

#[test]
fn a_segment_that_is_cut_inside_a_line_keeps_none_behind_it_from_being_indexed() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.fill(1100);
    ledger.ledger.close();
    cut(&disk, &lines_of(1), 700, 50);
    disk.take_away(&index_of(1));
    let ledger = on(&disk);
    ledger.fill(10);
    ledger.ledger.close();
    cut(&disk, &lines_of(1025), 40, 0);
    let ledger = on(&disk);
    assert_eq!(
        (head(&ledger), gone(&ledger)),
        (1110, vec![(701, 1024), (1065, 1110)])
    );
}

#[test]
fn lines_behind_zeros_that_an_older_index_knew_of_are_indexed_again() {
    let disk = FaultyDisk::new();
    let ledger = long(&disk);
    ledger.fill(100);
    ledger.ledger.close();
    let older = disk.read(&index_of(1)).expect("it is sealed");
    let ledger = long(&disk);
    ledger.fill(20);
    ledger.ledger.close();
    disk.spoil(&index_of(1), older);
    change(&disk, &lines_of(1), |bytes| {
        let at = start_of(bytes, 49) + 20;
        bytes[at..at + 40].fill(0);
    });
    let ledger = long(&disk);
    assert_eq!((head(&ledger), gone(&ledger)), (120, vec![(50, 50)]));
    ledger.ledger.close();
    cut(&disk, &lines_of(1), 110, 0);
    let ledger = long(&disk);
    assert_eq!((head(&ledger), gone(&ledger)), (120, vec![(50, 50), (111, 120)]));
}

#[test]
fn a_damaged_line_and_a_damaged_record_of_its_block_are_named_and_nothing_else() {
    let disk = FaultyDisk::new();
    let ledger = long(&disk);
    ledger.fill(2500);
    ledger.ledger.close();
    turn_a_bit(&disk, &lines_of(1), 9);
    change(&disk, &index_of(1), |bytes| bytes[5000] ^= 1);
    let expected = [("1.jsonl", 10, 10), ("1.idx", 1, 1024)];
    let expected = expected.map(|(file, first, last)| (file.to_owned(), first, last));
    assert_eq!(named(&disk), expected);
}

#[test]
fn the_line_with_the_first_event_of_a_source_is_named_alone() {
    let disk = FaultyDisk::new();
    let ledger = long(&disk);
    ledger.fill(2500);
    ledger.ledger.close();
    for line in 0..20 {
        let whole = disk.copy();
        turn_a_bit(&whole, &lines_of(1), line);
        let seq = line as u64 + 1;
        assert_eq!(named(&whole), [("1.jsonl".to_owned(), seq, seq)]);
    }
}

#[test]
fn an_index_that_a_crash_left_unfinished_is_not_named_because_of_lines_before_it() {
    let disk = FaultyDisk::new();
    let ledger = several_blocks(&disk);
    ledger.fill(4200);
    ledger.ledger.close();
    let whole = disk.read(&index_of(3073)).expect("it is sealed");
    for (file, line) in [(1, 4), (3073, 4)] {
        for bytes in [64, 100, 300, 600, 1000, 20_000] {
            let torn = disk.copy();
            torn.spoil(&index_of(3073), whole[..bytes].to_vec());
            turn_a_bit(&torn, &lines_of(file), line);
            let seq = file + line as u64;
            assert_eq!(
                named(&torn),
                [(format!("{file}.jsonl"), seq, seq)],
                "{bytes} bytes"
            );
        }
    }
}

#[test]
fn of_blocks_without_a_line_the_damaged_record_is_named() {
    let disk = FaultyDisk::new();
    let ledger = several_blocks(&disk);
    ledger.fill(3500);
    ledger.ledger.close();
    cut(&disk, &lines_of(1), 100, 0);
    let (cut_only, index) = (named(&disk), disk.read(&index_of(1)).expect("it is sealed"));
    assert_eq!(cut_only.len(), 1, "{cut_only:?}");
    for at in [30_000, 50_000] {
        change(&disk, &index_of(1), |bytes| bytes[at] ^= 1);
        let all = named(&disk);
        assert_eq!(
            (&all[0], all[1].0.as_str(), all.len()),
            (&cut_only[0], "1.idx", 2),
            "{all:?}"
        );
        disk.spoil(&index_of(1), index.clone());
    }
}

#[test]
fn a_torn_end_of_the_newest_index_is_named_as_unfinished_and_no_damage() {
    let disk = FaultyDisk::new();
    let ledger = several_blocks(&disk);
    ledger.fill(4200);
    ledger.ledger.close();
    let whole = disk.read(&index_of(3073)).expect("it is sealed").len();
    // Parts of the last write that never came to the disk: of a record, of the tables behind it, and of both.
    for from in [0, 64, 512, whole - 300, whole - 100] {
        let torn = disk.copy();
        change(&torn, &index_of(3073), |bytes| bytes[from..].fill(0));
        let damage = verify(&torn);
        assert!(
            damage
                .iter()
                .all(|damage| damage.reason.contains("was not finished")),
            "{damage:?}"
        );
        assert!(damage.len() <= 1, "{damage:?}");
        assert_eq!(
            damage
                .first()
                .map_or("3073.idx", |damage| damage.file.trim_start_matches('0')),
            "3073.idx"
        );
        several_blocks(&torn).ledger.close();
        assert_eq!(named(&torn), [], "opening the ledger finishes it");
    }
}

#[test]
fn an_index_whose_end_is_damaged_is_named_alone_where_no_line_of_its_segment_is_left() {
    let disk = FaultyDisk::new();
    let ledger = several_blocks(&disk);
    ledger.fill(3500);
    ledger.ledger.close();
    change(&disk, &lines_of(1), |bytes| bytes.fill(0));
    let lines = named(&disk);
    assert_eq!(lines.len(), 1, "{lines:?}");
    // The last record and the trailer.
    for from in [70_000, 600, 100, 64] {
        let both = disk.copy();
        change(&both, &index_of(1), |bytes| {
            let from = from.min(bytes.len() - 2_000);
            bytes[from..].fill(0xa5);
        });
        let all = named(&both);
        assert!(all.len() > 1 && all[0] == lines[0], "{all:?}");
        assert!(
            all[1..].iter().all(|(file, ..)| file == "1.idx"),
            "{from}: {all:?}"
        );
    }
}
