//! Disks that fail: acknowledged is present, read is present, and nothing else is lost.

mod support;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kymo_event::{Filter, Seq};
use kymo_ledger::{
    AppendError, Chunk, Durability, LedgerSettings, Notice, ReadOnly,
    testing::{FaultyDisk, Leaves},
};
use parking_lot::Mutex;
use support::{
    TempLedger,
    faulty::{DATA, ground, index_of, lines_of},
    numbered, seq, seqs, sized,
};

fn on(disk: &FaultyDisk) -> TempLedger {
    TempLedger::on(ground(disk), Path::new(DATA), LedgerSettings::default())
}

#[test]
fn a_full_disk_at_every_byte_of_a_group_acknowledges_nothing_and_resumes_by_itself() {
    let group = {
        let disk = FaultyDisk::new();
        let ledger = on(&disk);
        ledger.append(numbered(1..=2)).unwrap();
        let before = disk.read(&lines_of(1)).unwrap().len();
        ledger.append(numbered(3..=5)).unwrap();
        disk.read(&lines_of(1)).unwrap().len() - before
    };
    for byte in 0..group as u64 {
        let disk = FaultyDisk::new();
        let ledger = on(&disk);
        ledger.append(numbered(1..=2)).unwrap();
        disk.set_space(Some(byte));
        assert!(
            matches!(ledger.append(numbered(3..=5)), Err(AppendError::DiskFull)),
            "at byte {byte}"
        );
        assert_eq!(ledger.seqs(), [1, 2], "reading goes on");
        assert!(matches!(
            ledger.append(numbered(3..=3)),
            Err(AppendError::DiskFull)
        ));
        disk.set_space(None);
        assert_eq!(
            ledger.append(numbered(3..=4)).unwrap().first,
            seq(3),
            "at byte {byte}"
        );
        assert_eq!(ledger.seqs(), [1, 2, 3, 4]);
        let told = ledger.told.lock().clone();
        assert!(
            matches!(told[..], [Notice::WriteFailed { .. }, Notice::WriteResumed]),
            "{told:?}"
        );
        let ledger = ledger.reopen();
        assert_eq!(ledger.seqs(), [1, 2, 3, 4]);
        assert!(
            ledger.told.lock().is_empty(),
            "nothing is damaged: {:?}",
            ledger.told.lock()
        );
    }
}

#[test]
fn a_failed_sync_acknowledges_nothing_and_its_segment_is_left() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.append(numbered(1..=2)).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    ledger
        .ledger
        .on_commit(Box::new(move |lines| sees.lock().push(lines.first)));
    disk.fail_sync(Some(0));
    assert!(matches!(
        ledger.append(numbered(3..=9)),
        Err(AppendError::Write(_))
    ));
    assert_eq!(ledger.ledger.head(), Some(seq(2)));
    assert_eq!(ledger.seqs(), [1, 2]);
    assert!(seen.lock().is_empty());
    ledger.append(numbered(3..=3)).unwrap();
    assert_eq!(*seen.lock(), [seq(3)]);
    assert!(disk.read(&lines_of(3)).is_some(), "a new segment was begun");
    disk.cut_power(Leaves::Nothing);
    let ledger = on(&disk);
    assert_eq!(ledger.seqs(), [1, 2, 3]);
}

#[test]
fn what_a_failed_sync_left_is_not_seen_and_then_gone_when_the_program_ends_before_it_is_cut_off() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.append(numbered(1..=2)).unwrap();
    ledger.ledger.settle();
    // The write goes well, the sync fails, and then the program is no more.
    disk.fail_sync(Some(0));
    disk.lose_power_after(Some(2));
    assert!(ledger.append(numbered(3..=9)).is_err());
    disk.cut_power(Leaves::Everything);
    let again = on(&disk);
    let seen = again.seqs();
    assert!(seen.starts_with(&[1, 2]));
    disk.cut_power(Leaves::Nothing);
    assert_eq!(on(&disk).seqs(), seen);
}

#[test]
fn an_index_whose_sync_failed_is_written_again_before_it_is_believed() {
    for (good, leaves) in (0..5).flat_map(|good| (0..8).map(move |seed| (good, Leaves::Any(seed)))) {
        let disk = FaultyDisk::new();
        let settings = LedgerSettings {
            segment_bytes_max: 100_000,
            ..LedgerSettings::default()
        };
        let ledger = TempLedger::on(ground(&disk), Path::new(DATA), settings);
        ledger.append(numbered(1..=1000)).unwrap();
        ledger.ledger.settle();
        disk.fail_sync(Some(good));
        let _ = ledger.append(numbered(1001..=1500));
        ledger.ledger.settle();
        disk.heal();
        ledger.fill(2000);
        ledger.ledger.close();
        disk.cut_power(leaves);
        let again = on(&disk);
        again.ledger.close();
        let outside = ReadOnly::open_on(&ground(&disk), Path::new(DATA)).unwrap();
        let report = outside.verify(None, &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, [], "after {good} good syncs, {leaves:?}");
    }
}

#[test]
fn a_failed_write_acknowledges_nothing() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    // Before anything is committed nothing is indexed: only the writer can meet the fault.
    disk.fail_write(Some(0));
    assert!(matches!(
        ledger.append(numbered(1..=7)),
        Err(AppendError::Write(_))
    ));
    ledger.append(numbered(1..=3)).unwrap();
    assert_eq!(ledger.seqs(), [1, 2, 3]);
}

#[test]
fn short_writes_are_carried_on() {
    let disk = FaultyDisk::new();
    disk.short_writes(Some(7));
    let ledger = on(&disk);
    ledger.fill(500);
    assert_eq!(ledger.seqs(), (1..=500).collect::<Vec<_>>());
    let ledger = ledger.reopen();
    assert_eq!(ledger.seqs(), (1..=500).collect::<Vec<_>>());
}

#[test]
fn a_first_segment_that_cannot_be_made_is_made_later() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    for good in 0..2 {
        disk.fail_sync(Some(good));
        assert!(matches!(ledger.append(sized(10)), Err(AppendError::Write(_))));
        assert_eq!(ledger.ledger.head(), None);
    }
    ledger.append(numbered(1..=1)).unwrap();
    disk.cut_power(Leaves::Nothing);
    assert_eq!(on(&disk).seqs(), [1]);
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_that_forgets_everything_unsynced() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.fill(1500);
    let chain = ledger.ledger.chain_head().unwrap();
    disk.cut_power(Leaves::Nothing);
    let again = on(&disk);
    assert_eq!(again.seqs(), (1..=1500).collect::<Vec<_>>());
    assert_eq!(again.ledger.chain_head().unwrap(), chain);
}

#[test]
fn a_group_that_fills_a_segment_is_taken_back_whole() {
    let settings = LedgerSettings {
        segment_bytes_max: 100_000,
        ..LedgerSettings::default()
    };
    for good in 0..6 {
        let disk = FaultyDisk::new();
        let ledger = TempLedger::on(ground(&disk), Path::new(DATA), settings.clone());
        ledger.append(numbered(1..=100)).unwrap();
        disk.fail_sync(Some(good));
        // This one batch spans several segments; each is synced on its way.
        let result = ledger.append(numbered(101..=3000));
        disk.fail_sync(None);
        let expected = if result.is_ok() { 3000 } else { 100 };
        assert_eq!(
            ledger.seqs(),
            (1..=expected).collect::<Vec<_>>(),
            "after {good} good syncs"
        );
        ledger.append(numbered(1..=10)).unwrap();
        let ledger = ledger.reopen();
        assert_eq!(
            ledger.seqs(),
            (1..=expected + 10).collect::<Vec<_>>(),
            "after {good} good syncs"
        );
        ledger.ledger.close();
        let report = ReadOnly::open_on(&ground(&disk), Path::new(DATA)).unwrap();
        let report = report.verify(None, &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, [], "after {good} good syncs");
    }
}

#[test]
fn a_disk_that_cannot_be_written_can_still_be_read() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.fill(1500);
    disk.set_read_only(true);
    assert!(matches!(
        ledger.append(numbered(1..=1)),
        Err(AppendError::Write(_))
    ));
    assert_eq!(ledger.seqs(), (1..=1500).collect::<Vec<_>>());
    ledger.ledger.close();
    let refused = TempLedger::try_on(ground(&disk), Path::new(DATA), LedgerSettings::default());
    assert!(refused.is_err(), "no writer on a read-only disk");
    let files = disk.files();
    let outside = ReadOnly::open_on(&ground(&disk), Path::new(DATA)).unwrap();
    assert_eq!(
        seqs(&mut outside.read(Seq::FIRST, &Filter::all())),
        (1..=1500).collect::<Vec<_>>()
    );
    assert_eq!(disk.files(), files);
}

#[test]
fn a_full_disk_at_open_keeps_the_unfinished_tail_where_it_is() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.fill(5);
    ledger.ledger.close();
    let mut bytes = disk.read(&lines_of(1)).unwrap();
    bytes.extend_from_slice(b"{\"seq\":6,\"rec");
    disk.spoil(&lines_of(1), bytes);
    // Room for the pid file, not for the quarantine.
    disk.set_space(Some(10));
    let ledger = on(&disk);
    assert_eq!(ledger.seqs(), [1, 2, 3, 4, 5]);
    disk.set_space(None);
    let mut reader = ledger.ledger.read(seq(4), &Filter::all());
    assert_eq!(seqs(&mut reader), [4, 5]);
    ledger.append(numbered(6..=6)).unwrap();
    assert_eq!(ledger.seqs(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        seqs(&mut reader),
        [6],
        "a reader at the end goes on in the new segment"
    );
    let ledger = ledger.reopen();
    assert_eq!(ledger.seqs(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_segment_without_a_whole_line_goes_into_quarantine_also_when_the_disk_is_full() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.fill(1);
    ledger.ledger.close();
    disk.spoil(&lines_of(1), b"{\"seq\":1,\"rec".to_vec());
    disk.take_away(&index_of(1));
    disk.set_space(Some(10));
    let ledger = on(&disk);
    assert_eq!(ledger.ledger.head(), None);
    let told = ledger.told.lock().clone();
    let [Notice::TailCut { quarantine, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(disk.read(quarantine).unwrap(), b"{\"seq\":1,\"rec");
    disk.set_space(None);
    ledger.append(numbered(1..=1)).unwrap();
    assert_eq!(ledger.seqs(), [1]);
}

#[test]
fn relaxed_durability_syncs_within_a_second_also_under_constant_load() {
    let disk = FaultyDisk::new();
    let settings = LedgerSettings {
        durability: Durability::Relaxed,
        ..LedgerSettings::default()
    };
    let ledger = TempLedger::on(ground(&disk), Path::new(DATA), settings);
    let appended = ledger.append(numbered(1..=1)).unwrap();
    assert_eq!(appended.durability, Durability::Relaxed);
    let before = disk.syncs();
    let begun = Instant::now();
    while disk.syncs() == before {
        ledger.append(numbered(1..=1)).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was synced");
    }
    let head = ledger.ledger.head().unwrap().get();
    disk.cut_power(Leaves::Nothing);
    let ledger = on(&disk);
    assert!(
        ledger.ledger.head().unwrap().get() >= head - 1,
        "what was synced is there"
    );
}

#[test]
fn a_chunk_is_never_read_past_the_durable_head() {
    let disk = FaultyDisk::new();
    let ledger = on(&disk);
    ledger.fill(10);
    disk.fail_sync(Some(0));
    let mut reader = ledger.ledger.read(seq(5), &Filter::all());
    assert!(ledger.append(numbered(11..=20)).is_err());
    assert_eq!(seqs(&mut reader), (5..=10).collect::<Vec<_>>());
    assert!(matches!(reader.next_chunk(1), Ok(Chunk::End { next }) if next == seq(11)));
}
