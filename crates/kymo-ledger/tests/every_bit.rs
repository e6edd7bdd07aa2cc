//! Every bit of a small ledger turned, every file of it cut at every byte, files swapped, removed and renamed: `verify`
//! names it, the ledger opens, everything else is served, and nothing that is not as it was written.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use kymo_event::{Filter, Micros, Seq};
use kymo_ledger::{Clock, Damage, Ground, Ledger, LedgerSettings, OpenError, ReadOnly, testing::FaultyDisk};
use support::{
    TempLedger, chunks,
    faulty::{DATA, ground, index_of, lines_of},
    holes, lines, numbered, seq_of,
};

const LAST: u64 = 20;

struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::Relaxed))
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(DATA).join("ledger").join(name)
}

fn compressed(first: u64) -> PathBuf {
    file(&format!("{first:020}.jsonl.zst"))
}

/// A closed ledger of three small segments (a failed sync ends one): 1 to 6 compressed, 7 to 13, 14 to 20.
fn small() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let clock = Arc::new(HandClock(AtomicI64::new(1_700_000_000_000_000)));
    let ground = Ground {
        disk: Arc::new(disk.clone()),
        clock: clock.clone(),
    };
    let settings = LedgerSettings {
        compress_after_s: Some(100),
        ..LedgerSettings::default()
    };
    let mut ledger = TempLedger::on(ground, Path::new(DATA), settings);
    for range in [1..=6, 7..=13, 14..=LAST] {
        ledger.ledger.settle();
        disk.fail_sync((*range.start() > 1).then_some(0));
        let _ = ledger.append(numbered(range.clone()));
        if ledger.ledger.head().map_or(0, Seq::get) < *range.start() {
            clock.0.fetch_add(150_000_000, Ordering::Relaxed);
            ledger.append(numbered(range)).expect("in a segment of their own");
        }
    }
    clock.0.fetch_sub(150_000_000, Ordering::Relaxed);
    // Closing waits for the indexes.
    ledger = ledger.reopen();
    ledger.ledger.maintain().expect("the oldest is compressed");
    ledger.ledger.close();
    assert!(disk.read(&compressed(1)).is_some() && disk.read(&lines_of(14)).is_some());
    assert_eq!(verify(&disk), []);
    disk.copy()
}

fn verify(disk: &FaultyDisk) -> Vec<Damage> {
    let outside = ReadOnly::open_on(&ground(disk), Path::new(DATA)).expect("it opens");
    let report = outside.verify(None, &mut |_, _| {});
    report.expect("it can be read").damage
}

/// The lines by seq.
fn whole(disk: &FaultyDisk) -> BTreeMap<u64, String> {
    let outside = ReadOnly::open_on(&ground(disk), Path::new(DATA)).expect("it opens");
    let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
    lines(&all)
        .into_iter()
        .map(|line| (seq_of(&line), line))
        .collect()
}

/// What a look from outside is served: no line that was not written, every other one, and the rest declared.
fn served(disk: &FaultyDisk, good: &BTreeMap<u64, String>, what: &str) -> BTreeSet<u64> {
    let outside = ReadOnly::open_on(&ground(disk), Path::new(DATA)).expect("it opens");
    let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
    let mut lost: BTreeSet<u64> = holes(&all).iter().flat_map(|&(from, to)| from..=to).collect();
    for line in lines(&all) {
        let seq = seq_of(&line);
        assert_eq!(good.get(&seq), Some(&line), "{what}");
        assert!(!lost.contains(&seq), "{what}");
    }
    let head = outside.head().map_or(0, Seq::get);
    lost.extend(head + 1..=LAST);
    assert_eq!(
        lines(&all).len() + lost.len(),
        good.len(),
        "{what}: all is accounted for"
    );
    let filter = Filter::parse("agent:agent-4").expect("a filter");
    let matching = lines(&chunks(&mut outside.read(Seq::FIRST, &filter)));
    let expected = good.iter().filter(|(seq, line)| {
        !lost.contains(seq) && filter.matches(&kymo_event::LineView::parse(line.as_bytes()).expect("a line"))
    });
    assert_eq!(
        matching,
        expected.map(|(_, line)| line.clone()).collect::<Vec<_>>(),
        "{what}"
    );
    lost
}

/// The same after a writer has opened it, and gone on.
fn opens(disk: &FaultyDisk, lost: &BTreeSet<u64>, what: &str) {
    let opened = TempLedger::on(ground(disk), Path::new(DATA), LedgerSettings::default());
    let appended = opened.append(numbered(LAST + 1..=LAST + 1)).expect("it goes on");
    assert_eq!(appended.first.get(), LAST + 1, "{what}: no seq is given twice");
    let expected: Vec<u64> = (1..=LAST + 1).filter(|seq| !lost.contains(seq)).collect();
    assert_eq!(opened.seqs(), expected, "{what}");
    opened.ledger.close();
}

/// The seqs of the lines that byte `at` is part of.
fn line_at(bytes: &[u8], first: u64, at: usize) -> u64 {
    first + bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64
}

fn names(damage: &[Damage], path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    !damage.is_empty() && damage.iter().all(|damage| damage.file == name)
}

#[test]
fn any_bit_of_a_segment_is_named_and_costs_its_line() {
    let disk = small();
    let good = whole(&disk);
    for first in [7, 14] {
        let path = lines_of(first);
        let bytes = disk.read(&path).expect("it is there");
        for at in 0..bytes.len() {
            let line = line_at(&bytes, first, at);
            for bit in 0..8 {
                let what = format!("bit {bit} of byte {at} of segment {first}");
                let mut turned = bytes.clone();
                turned[at] ^= 1 << bit;
                disk.spoil(&path, turned);
                let damage = verify(&disk);
                assert!(names(&damage, &path), "{what}: {damage:?}");
                let one = &damage[0];
                let inside = (one.byte..one.byte + one.bytes).contains(&(at as u64));
                assert!(damage.len() == 1 && inside, "{what}: {damage:?}");
                assert_eq!((one.first.get(), one.last.get()), (line, line), "{what}");
                assert_eq!(served(&disk, &good, &what), BTreeSet::from([line]), "{what}");
            }
            opens(
                &disk.copy(),
                &BTreeSet::from([line]),
                &format!("byte {at} of segment {first}"),
            );
        }
        disk.spoil(&path, bytes);
    }
}

#[test]
fn any_bit_of_an_index_is_named_and_costs_nothing() {
    let disk = small();
    let good = whole(&disk);
    for first in [1, 7, 14] {
        let path = index_of(first);
        let bytes = disk.read(&path).expect("it is there");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let what = format!("bit {bit} of byte {at} of index {first}");
                let mut turned = bytes.clone();
                turned[at] ^= 1 << bit;
                disk.spoil(&path, turned);
                let damage = verify(&disk);
                assert!(names(&damage, &path), "{what}: {damage:?}");
                let inside = |one: &Damage| (one.byte..one.byte + one.bytes.max(1)).contains(&(at as u64));
                assert!(damage.iter().any(inside), "{what}: {damage:?}");
                assert_eq!(served(&disk, &good, &what), BTreeSet::new(), "{what}");
            }
            opens(
                &disk.copy(),
                &BTreeSet::new(),
                &format!("byte {at} of index {first}"),
            );
        }
        disk.spoil(&path, bytes);
    }
}

#[test]
fn any_bit_of_a_compressed_segment_is_named_and_costs_no_more_than_its_frame() {
    let disk = small();
    let good = whole(&disk);
    let path = compressed(1);
    let bytes = disk.read(&path).expect("it is there");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let what = format!("bit {bit} of byte {at} of {}", bytes.len());
            let mut turned = bytes.clone();
            turned[at] ^= 1 << bit;
            disk.spoil(&path, turned);
            let damage = verify(&disk);
            assert!(names(&damage, &path), "{what}: {damage:?}");
            let lost = served(&disk, &good, &what);
            assert!(lost.is_empty() || lost == (1..=6).collect(), "{what}: {lost:?}");
        }
        let lost = served(&disk, &good, "");
        opens(&disk.copy(), &lost, &format!("byte {at}"));
    }
}

#[test]
fn a_cut_at_any_byte_is_named_and_costs_what_was_cut() {
    let disk = small();
    let good = whole(&disk);
    for first in [7, 14] {
        let (path, last) = (lines_of(first), if first == 7 { 13 } else { LAST });
        let bytes = disk.read(&path).expect("it is there");
        for at in 0..bytes.len() {
            let what = format!("cut at byte {at} of segment {first}");
            disk.spoil(&path, bytes[..at].to_vec());
            let lost: BTreeSet<u64> = (line_at(&bytes, first, at)..=last).collect();
            let damage = verify(&disk);
            assert!(names(&damage, &path), "{what}: {damage:?}");
            let named: BTreeSet<u64> = damage
                .iter()
                .flat_map(|one| one.first.get()..=one.last.get())
                .collect();
            assert_eq!(named, lost, "{what}: {damage:?}");
            assert_eq!(served(&disk, &good, &what), lost, "{what}");
            opens(&disk.copy(), &lost, &what);
        }
        disk.spoil(&path, bytes);
    }
    for (path, costs) in [(index_of(1), false), (index_of(7), false), (compressed(1), true)] {
        let bytes = disk.read(&path).expect("it is there");
        for at in 0..bytes.len() {
            let what = format!("cut at byte {at} of {}", path.display());
            disk.spoil(&path, bytes[..at].to_vec());
            let damage = verify(&disk);
            assert!(names(&damage, &path), "{what}: {damage:?}");
            let lost = served(&disk, &good, &what);
            assert!(
                lost.is_empty() || (costs && lost == (1..=6).collect()),
                "{what}: {lost:?}"
            );
            opens(&disk.copy(), &lost, &what);
        }
        disk.spoil(&path, bytes);
    }
}

/// The index of the last segment says only how far that one reached: a crash leaves it cut as well.
#[test]
fn a_cut_of_the_last_index_costs_nothing() {
    let disk = small();
    let good = whole(&disk);
    let path = index_of(14);
    let bytes = disk.read(&path).expect("it is there");
    for at in 0..bytes.len() {
        let what = format!("cut at byte {at}");
        disk.spoil(&path, bytes[..at].to_vec());
        assert!(
            verify(&disk)
                .iter()
                .all(|one| names(std::slice::from_ref(one), &path)),
            "{what}"
        );
        assert_eq!(served(&disk, &good, &what), BTreeSet::new(), "{what}");
        opens(&disk.copy(), &BTreeSet::new(), &what);
    }
}

#[test]
fn files_that_are_not_where_they_belong_cost_their_own_events_only() {
    type Change = fn(&FaultyDisk);
    let changes: [(&str, Change, BTreeSet<u64>); 8] = [
        (
            "two segments swapped",
            |disk| swap(disk, &lines_of(7), &lines_of(14)),
            (7..=20).collect(),
        ),
        (
            "two indexes swapped",
            |disk| swap(disk, &index_of(7), &index_of(14)),
            BTreeSet::new(),
        ),
        (
            "an index of another segment",
            |disk| copy(disk, &index_of(1), &index_of(7)),
            BTreeSet::new(),
        ),
        (
            "a segment called too high",
            |disk| rename(disk, 7, 9),
            (7..=8).collect(),
        ),
        (
            "a segment called too low",
            |disk| rename(disk, 14, 12),
            (12..=13).collect(),
        ),
        (
            "a segment that is gone",
            |disk| disk.take_away(&lines_of(7)),
            (7..=13).collect(),
        ),
        (
            "the compressed one gone",
            |disk| disk.take_away(&compressed(1)),
            (1..=6).collect(),
        ),
        (
            "the last one gone",
            |disk| disk.take_away(&lines_of(14)),
            (14..=20).collect(),
        ),
    ];
    let good = whole(&small());
    for (what, change, lost) in changes {
        let disk = small();
        change(&disk);
        assert!(!verify(&disk).is_empty(), "{what}");
        assert_eq!(served(&disk, &good, what), lost, "{what}");
        opens(&disk, &lost, what);
    }
}

fn swap(disk: &FaultyDisk, one: &Path, other: &Path) {
    let (first, second) = (disk.read(one).expect("there"), disk.read(other).expect("there"));
    disk.put(one, second);
    disk.put(other, first);
}

fn copy(disk: &FaultyDisk, from: &Path, to: &Path) {
    disk.put(to, disk.read(from).expect("there"));
}

fn rename(disk: &FaultyDisk, from: u64, to: u64) {
    for path in [lines_of, index_of] {
        disk.put(&path(to), disk.read(&path(from)).expect("there"));
        disk.take_away(&path(from));
    }
}

#[test]
fn files_that_are_none_of_the_ledgers_are_left_alone() {
    let disk = small();
    let good = whole(&disk);
    for name in [
        "notes.txt",
        "00000000000000000009.idx",
        "00000000000000000000.jsonl",
        "9.jsonl",
    ] {
        disk.put(&file(name), b"not ours".to_vec());
    }
    assert_eq!(verify(&disk), []);
    assert_eq!(served(&disk, &good, "strange files"), BTreeSet::new());
    opens(&disk, &BTreeSet::new(), "strange files");
    assert_eq!(disk.read(&file("notes.txt")).as_deref(), Some(&b"not ours"[..]));
}

#[test]
fn zeros_anywhere_are_named_and_cost_the_lines_they_are_in() {
    let disk = small();
    let good = whole(&disk);
    let path = lines_of(7);
    let bytes = disk.read(&path).expect("it is there");
    for (from, count) in [(0, 512), (512, 512), (100, 1), (300, 900), (0, bytes.len())] {
        let what = format!("{count} zeros from {from}");
        let to = bytes.len().min(from + count);
        let mut zeroed = bytes.clone();
        zeroed[from..to].fill(0);
        disk.spoil(&path, zeroed);
        let lost = (line_at(&bytes, 7, from)..=line_at(&bytes, 7, to - 1)).collect();
        assert!(names(&verify(&disk), &path), "{what}");
        assert_eq!(served(&disk, &good, &what), lost, "{what}");
        opens(&disk.copy(), &lost, &what);
    }
}

#[test]
fn a_damaged_identity_is_refused_with_its_file_never_replaced() {
    let disk = small();
    let path = file("ledger.json");
    let bytes = disk.read(&path).expect("it is there");
    for at in 0..bytes.len() {
        disk.spoil(&path, bytes[..at].to_vec());
        if let Err(error) = open(&disk) {
            assert!(
                matches!(&error, OpenError::Io { path: named, .. } if *named == path),
                "{error}"
            );
            assert_eq!(disk.read(&path).as_deref(), Some(&bytes[..at]), "left as it is");
        } else {
            assert_eq!(&bytes[at..], b"\n", "only its line feed may be missing");
        }
        disk.spoil(&path, bytes.clone());
    }
}

fn open(disk: &FaultyDisk) -> Result<(), OpenError> {
    let opened = Ledger::open_on(
        ground(disk),
        Path::new(DATA),
        LedgerSettings::default(),
        Box::new(|_| {}),
    )?;
    opened.close();
    Ok(())
}

#[test]
fn a_compressed_segment_that_claims_too_much_is_damage_and_costs_no_memory() {
    let good = whole(&small());
    // A frame that says it holds 2^62 bytes, of one byte repeated; alone, and with tables that promise as much.
    let frame = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
        &(1_u64 << 62).to_le_bytes(),
        &[0x03, 0, 0x10, b'x'],
    ]
    .concat();
    let entry = |packed: u32, bytes: u32| [packed.to_le_bytes(), bytes.to_le_bytes()].concat();
    let table = |entries: &[Vec<u8>], count: u32| {
        let all = entries.concat();
        let size = u32::try_from(all.len() + 9).expect("small").to_le_bytes();
        let head = [&0x184D_2A5E_u32.to_le_bytes()[..], &size].concat();
        let foot = [&count.to_le_bytes()[..], &[0], &0x8F92_EAB1_u32.to_le_bytes()].concat();
        [head, all, foot].concat()
    };
    let packed = u32::try_from(frame.len()).expect("small");
    let bombs = [
        frame.clone(),
        [frame.clone(), table(&[entry(packed, u32::MAX)], 1)].concat(),
        [frame.clone(), table(&[entry(u32::MAX, u32::MAX)], 1)].concat(),
        [frame.clone(), table(&[entry(packed, 1 << 22)], u32::MAX)].concat(),
        [frame.clone(), table(&vec![entry(0, 1 << 22); 5000], 5000)].concat(),
        // A skippable frame that says it is 4 GiB.
        [&0x184D_2A50_u32.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat(),
    ];
    for (number, bomb) in bombs.into_iter().enumerate() {
        let (disk, what) = (small(), format!("bomb {number}"));
        disk.put(&compressed(1), bomb);
        assert!(names(&verify(&disk), &compressed(1)), "{what}");
        let lost = (1..=6).collect();
        assert_eq!(served(&disk, &good, &what), lost, "{what}");
        opens(&disk, &lost, &what);
    }
}
