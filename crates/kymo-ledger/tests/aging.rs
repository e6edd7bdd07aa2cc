//! What becomes of old segments: compressed, they read the same; retired, they are a declared gap.

mod support;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use kymo_event::{Filter, IdKey, Micros, Seq};
use kymo_ledger::{
    Chunk, Clock, Gap, GapReason, Ground, LedgerSettings, Notice, ReadOnly, testing::FaultyDisk,
};
use support::{TempLedger, chunks, holes, lines, numbered, seq, seqs};

#[derive(Default)]
struct HandClock(AtomicI64);

impl HandClock {
    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::Relaxed))
    }
}

/// A ledger of several segments of a block, a hundred seconds apart, and its clock.
fn aged(settings: LedgerSettings) -> (TempLedger, Arc<HandClock>, tempfile::TempDir) {
    aged_in(LedgerSettings {
        segment_bytes_max: 200_000,
        ..settings
    })
}

fn aged_in(settings: LedgerSettings) -> (TempLedger, Arc<HandClock>, tempfile::TempDir) {
    let clock = Arc::new(HandClock::default());
    clock.pass(1_700_000_000);
    let ground = Ground {
        clock: clock.clone(),
        ..Ground::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let ledger = TempLedger::on(ground, &folder.path().join(".kymo"), settings);
    for _ in 0..6 {
        ledger.fill(1024);
        clock.pass(100);
    }
    (ledger, clock, folder)
}

fn compressed(ledger: &TempLedger) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(ledger.data.join("ledger"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".jsonl.zst"))
        .collect();
    paths.sort();
    paths
}

/// Maintains once all complete segments have their index: reopening waits for that.
fn maintained(ledger: TempLedger) -> TempLedger {
    let ledger = ledger.reopen();
    ledger.ledger.maintain().unwrap();
    ledger
}

fn compressing() -> LedgerSettings {
    LedgerSettings {
        compress_after_s: Some(250),
        ..LedgerSettings::default()
    }
}

#[test]
fn a_compressed_segment_reads_the_same_in_every_way() {
    let (ledger, _, _folder) = aged(compressing());
    let plain: Vec<u8> = fs::read(ledger.segment_path(1)).unwrap();
    let filters = ["", "type:note", "agent:agent-4", "data.n:<900", "level:>=error"]
        .map(|text| Filter::parse(text).unwrap());
    let forward = filters
        .each_ref()
        .map(|filter| lines(&chunks(&mut ledger.ledger.read(Seq::FIRST, filter))));
    let backward = filters
        .each_ref()
        .map(|filter| lines(&chunks(&mut ledger.ledger.read_back(seq(9999), filter))));
    let chain = ledger.ledger.chain_head().unwrap();
    let size = ledger.ledger.size_bytes();
    let ledger = maintained(ledger);
    assert!(compressed(&ledger).len() >= 2, "{:?}", compressed(&ledger));
    assert!(!ledger.segment_path(1).exists());
    assert!(ledger.ledger.size_bytes() < size);
    let told = ledger.told.lock().clone();
    assert!(
        told.iter()
            .all(|notice| matches!(notice, Notice::Compressed { .. })),
        "{told:?}"
    );
    for _ in 0..2 {
        for (filter, (forward, backward)) in filters.iter().zip(forward.iter().zip(&backward)) {
            assert!(
                lines(&chunks(&mut ledger.ledger.read(Seq::FIRST, filter))) == *forward,
                "{filter:?}"
            );
            assert!(
                lines(&chunks(&mut ledger.ledger.read_back(seq(9999), filter))) == *backward,
                "{filter:?}"
            );
        }
        ledger.ledger.maintain().unwrap();
    }
    assert_eq!(
        seqs(&mut ledger.ledger.read(seq(700), &Filter::all())),
        (700..=6144).collect::<Vec<_>>()
    );
    let ledger = ledger.reopen();
    assert_eq!(ledger.ledger.chain_head().unwrap(), chain);
    let outside = ReadOnly::open(&ledger.data).unwrap();
    let report = outside.verify(Some(&chain), &mut |_, _| {}).unwrap();
    assert_eq!(
        (report.matches, report.damage.len(), report.events),
        (Some(true), 0, 6144)
    );
    // Any zstd reads it.
    let mut unpacked = Vec::new();
    let file = fs::File::open(&compressed(&ledger)[0]).unwrap();
    zstd::stream::read::Decoder::new(file)
        .unwrap()
        .read_to_end(&mut unpacked)
        .unwrap();
    assert!(unpacked == plain);
}

#[test]
fn a_reader_in_the_middle_of_a_segment_does_not_mind_its_compression() {
    let (ledger, _, _folder) = aged(compressing());
    let ledger = ledger.reopen();
    let mut reader = ledger.ledger.read(Seq::FIRST, &Filter::all());
    let Ok(Chunk::Events { scanned_to, .. }) = reader.next_chunk(20_000) else {
        panic!("events come")
    };
    ledger.ledger.maintain().unwrap();
    assert!(!ledger.segment_path(1).exists());
    assert_eq!(
        seqs(&mut reader),
        (scanned_to.get() + 1..=6144).collect::<Vec<_>>()
    );
}

#[test]
fn an_index_lost_beside_a_compressed_segment_is_made_again() {
    let (ledger, _, _folder) = aged(compressing());
    let ledger = maintained(ledger);
    let index = fs::read(ledger.index_path(1)).unwrap();
    let ledger =
        ledger.reopen_after(|data| fs::remove_file(data.join("ledger/00000000000000000001.idx")).unwrap());
    assert_eq!(ledger.seqs(), (1..=6144).collect::<Vec<_>>());
    let ledger = ledger.reopen();
    assert!(fs::read(ledger.index_path(1)).unwrap() == index);
}

#[test]
fn damage_in_a_compressed_segment_costs_no_more_than_its_block() {
    let (ledger, _, _folder) = aged(compressing());
    let ledger = maintained(ledger);
    let path = compressed(&ledger)[0].clone();
    let good = fs::read(&path).unwrap();
    for part in 0..12 {
        let mut bytes = good.clone();
        let at = bytes.len() * part / 12 + 5;
        bytes[at] ^= 8;
        fs::write(&path, &bytes).unwrap();
        let outside = ReadOnly::open(&ledger.data).unwrap();
        let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
        let lost: u64 = holes(&all).iter().map(|(first, last)| last - first + 1).sum();
        assert!(lost <= 1024, "{lost} lost at {at}");
        assert_eq!(lines(&all).len() as u64, 6144 - lost);
        let report = outside.verify(None, &mut |_, _| {}).unwrap();
        assert_eq!(report.damage.is_empty(), lost == 0, "{:?}", report.damage);
    }
}

#[test]
fn a_compressed_segment_cut_to_nothing_is_a_hole_and_has_no_size() {
    let (ledger, _, _folder) = aged(compressing());
    let ledger = maintained(ledger);
    let path = compressed(&ledger)[0].clone();
    let whole = ReadOnly::open(&ledger.data).unwrap().size_bytes();
    fs::write(&path, b"").unwrap();
    let outside = ReadOnly::open(&ledger.data).unwrap();
    assert!(
        outside.size_bytes() < whole,
        "{} of {whole}",
        outside.size_bytes()
    );
    let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
    assert_eq!(holes(&all), [(1, 1024)]);
    let report = outside.verify(None, &mut |_, _| {}).unwrap();
    assert_eq!((report.events, report.damage.is_empty()), (5 * 1024, false));
}

#[test]
fn a_frame_of_nothing_is_not_taken_for_the_frame_behind_it() {
    let (ledger, _, _folder) = aged(compressing());
    let ledger = maintained(ledger);
    let path = compressed(&ledger)[0].clone();
    let mut bytes = b"\x50\x2a\x4d\x18\0\0\0\0".to_vec();
    bytes.extend(fs::read(&path).unwrap());
    fs::write(&path, bytes).unwrap();
    let outside = ReadOnly::open(&ledger.data).unwrap();
    let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
    assert_eq!(lines(&all).len(), 6144, "{:?}", holes(&all));
}

#[test]
fn any_byte_of_a_frame_s_head_or_of_the_seek_table_costs_no_more_than_a_block() {
    let (ledger, _, _folder) = aged_in(LedgerSettings {
        segment_bytes_max: 700_000,
        compress_after_s: Some(50),
        ..LedgerSettings::default()
    });
    let ledger = maintained(ledger);
    let path = compressed(&ledger)[0].clone();
    let good = fs::read(&path).unwrap();
    let last = |n: usize| {
        let from = good.len() - n;
        u32::from_le_bytes(good[from..from + 4].try_into().unwrap()) as usize
    };
    let frames = last(9);
    assert!(frames > 2, "{frames}");
    let expected = lines(&chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all())));
    let table = good.len() - 9 - 8 * frames - 8;
    for at in (0..18).chain(table..good.len()) {
        for bit in [0, 2, 5, 7] {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            let outside = ReadOnly::open(&ledger.data).unwrap();
            let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
            let lost = holes(&all);
            let is_lost = |n: u64| lost.iter().any(|(first, last)| (*first..=*last).contains(&n));
            let kept: Vec<_> = expected
                .iter()
                .zip(1..)
                .filter(|(_, n)| !is_lost(*n))
                .map(|(line, _)| line)
                .collect();
            assert!(lines(&all).iter().eq(kept), "bit {bit} of {at}: {lost:?}");
            let lost: u64 = lost.iter().map(|(first, last)| last - first + 1).sum();
            assert!(lost <= 1024, "{lost} lost by bit {bit} of {at}");
            if lost > 0 && bit == 0 {
                let report = outside.verify(None, &mut |_, _| {}).unwrap();
                assert!(!report.damage.is_empty(), "byte {at} is not named");
            }
        }
    }
}

/// The same on a disk that fails on demand.
fn aged_on(disk: &FaultyDisk, settings: LedgerSettings) -> TempLedger {
    let clock = Arc::new(HandClock::default());
    clock.pass(1_700_000_000);
    let ground = Ground {
        disk: Arc::new(disk.clone()),
        clock: clock.clone(),
    };
    let ledger = TempLedger::on(ground, Path::new("/data"), settings);
    for _ in 0..6 {
        ledger.fill(1024);
        clock.pass(100);
    }
    ledger
}

/// Opens it again, all indexes sealed, with one that cannot be read from the start: nothing remembers what it says.
fn without_index(ledger: TempLedger, disk: &FaultyDisk, first: u64) -> TempLedger {
    ledger
        .reopen()
        .reopen_after(|data| disk.fail_open(&data.join(format!("ledger/{first:020}.idx"))))
}

#[test]
fn an_index_that_cannot_be_read_keeps_no_other_segment_from_being_compressed() {
    let disk = FaultyDisk::new();
    let ledger = aged_on(
        &disk,
        LedgerSettings {
            segment_bytes_max: 200_000,
            ..compressing()
        },
    );
    let ledger = without_index(ledger, &disk, 1);
    ledger.ledger.maintain().unwrap();
    assert!(disk.read(&ledger.segment_path(1)).is_some());
    assert!(disk.read(&ledger.segment_path(1025)).is_none());
    disk.heal();
    assert_eq!(ledger.seqs(), (1..=6144).collect::<Vec<_>>());
}

#[test]
fn retention_stops_at_a_segment_it_cannot_judge() {
    let disk = FaultyDisk::new();
    let ledger = aged_on(
        &disk,
        LedgerSettings {
            segment_bytes_max: 200_000,
            retain_s: Some(50),
            ..LedgerSettings::default()
        },
    );
    let ledger = without_index(ledger, &disk, 1025);
    ledger.ledger.maintain().unwrap();
    assert_eq!(ledger.ledger.first(), seq(1025));
    disk.heal();
    ledger.ledger.maintain().unwrap();
    assert!(ledger.ledger.first() > seq(1025));
}

#[test]
fn ids_are_found_in_the_lines_where_an_index_cannot_be_read() {
    let disk = FaultyDisk::new();
    let ledger = aged_on(
        &disk,
        LedgerSettings {
            segment_bytes_max: 200_000,
            ..LedgerSettings::default()
        },
    );
    let ledger = without_index(ledger, &disk, 1025);
    let key_of = |n: u64| {
        let event = support::event(n);
        IdKey::of(&event.source, event.id.as_deref().unwrap())
    };
    for n in [1, 1000, 1500, 3000, 6000] {
        assert_eq!(ledger.ledger.find_id(key_of(n), seq(9999)), [seq(n)], "{n}");
    }
    let recent = ledger.ledger.recent_ids(9999);
    let with_id = (1..=6144).filter(|n| n % 5 != 4).count();
    assert_eq!(recent.len(), with_id, "of every segment");
}

#[test]
fn old_segments_are_retired_and_their_readers_told() {
    let (ledger, clock, _folder) = aged(LedgerSettings {
        retain_s: Some(250),
        ..LedgerSettings::default()
    });
    let chain = ledger.ledger.chain_head().unwrap();
    let ledger = maintained(ledger);
    let first = ledger.ledger.first();
    assert!(first > seq(1) && first.get() % 1024 == 1, "{first}");
    assert_eq!(ledger.segments()[0], first.get());
    let told = ledger.told.lock().clone();
    let [
        Notice::Retired {
            first: told_first,
            events,
            ..
        },
    ] = told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((told_first, events), (first, first.get() - 1));
    let gap = Gap {
        asked: seq(5),
        first,
        lost: first.get() - 5,
        reason: GapReason::Retention,
    };
    let ledger = ledger.reopen();
    {
        let mut reader = ledger.ledger.read(seq(5), &Filter::all());
        assert!(matches!(reader.next_chunk(1000), Ok(Chunk::Gap(found)) if found == gap));
        assert_eq!(seqs(&mut reader), (first.get()..=6144).collect::<Vec<_>>());
        let mut back = ledger.ledger.read_back(seq(6144), &Filter::all());
        let all = chunks(&mut back);
        assert_eq!(holes(&all), [(1, first.get() - 1)], "told at the bottom");
        assert_eq!(lines(&all).len() as u64, 6145 - first.get());
        let outside = ReadOnly::open(&ledger.data).unwrap();
        let report = outside.verify(Some(&chain), &mut |_, _| {}).unwrap();
        assert_eq!((report.matches, report.damage.len()), (Some(true), 0));
        // The index of the first segment left can be made again: the chain before it is remembered.
        let index = fs::read(ledger.index_path(first.get())).unwrap();
        let ledger = ledger.reopen_after(|_| {});
        fs::remove_file(ledger.index_path(first.get())).unwrap();
        let ledger = ledger.reopen();
        ledger.ledger.close();
        assert!(fs::read(ledger.index_path(first.get())).unwrap() == index);
        clock.pass(100_000);
        let ledger = maintained(ledger);
        assert!(ledger.ledger.head().is_some(), "the last segment always stays");
    }
}

#[test]
fn what_a_crash_left_of_retired_segments_is_removed_on_open() {
    let (ledger, _, _folder) = aged(LedgerSettings {
        retain_s: Some(250),
        ..LedgerSettings::default()
    });
    let ledger = ledger.reopen();
    let (segment, index) = (
        fs::read(ledger.segment_path(1)).unwrap(),
        fs::read(ledger.index_path(1)).unwrap(),
    );
    ledger.ledger.maintain().unwrap();
    let ledger = ledger.reopen_after(|data| {
        fs::write(data.join("ledger/00000000000000000001.jsonl"), &segment).unwrap();
        fs::write(data.join("ledger/00000000000000000001.idx"), &index).unwrap();
    });
    assert!(!ledger.segment_path(1).exists() && !ledger.index_path(1).exists());
    assert!(ledger.ledger.first() > seq(1));
}

#[test]
fn a_ledger_grows_no_larger_than_it_may() {
    let (ledger, _, _folder) = aged(LedgerSettings {
        retain_bytes: Some(900_000),
        ..LedgerSettings::default()
    });
    assert!(ledger.ledger.size_bytes() > 900_000);
    let ledger = maintained(ledger);
    assert!(ledger.ledger.size_bytes() <= 900_000);
    let first = ledger.ledger.first().get();
    assert_eq!(
        seqs(&mut ledger.ledger.read(seq(first), &Filter::all())),
        (first..=6144).collect::<Vec<_>>()
    );
    ledger.append(numbered(1..=1)).unwrap();
}

#[test]
fn what_is_still_needed_is_not_retired() {
    let (ledger, _, _folder) = aged(LedgerSettings {
        retain_s: Some(1),
        ..LedgerSettings::default()
    });
    let ledger = ledger.reopen();
    ledger.ledger.keep_from(seq(1500));
    ledger.ledger.maintain().unwrap();
    assert_eq!(ledger.ledger.first(), seq(1025));
    ledger.ledger.keep_from(seq(9999));
    ledger.ledger.maintain().unwrap();
    assert!(ledger.ledger.first() > seq(1025));
}
