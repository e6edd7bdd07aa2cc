//! Damage is named, never hidden, and costs only itself.

mod support;

use std::{fs, path::Path};

use kymo_event::{Filter, Seq};
use kymo_ledger::{Chunk, GapReason, LockState, Notice, OpenError, ReadOnly, lock_state};
use proptest::prelude::*;
use support::{TempLedger, chunks, holes, lines, numbered, seq, seq_of, seqs};

fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// As after a crash before anything was indexed: nothing says where the segment ended.
fn killed(data: &Path) {
    fs::remove_file(data.join("ledger/00000000000000000001.idx")).unwrap();
}

/// Where line `n` (from 1) of a segment's bytes begins and ends.
fn line_span(bytes: &[u8], n: usize) -> (usize, usize) {
    let mut feeds = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    let start = if n == 1 { 0 } else { feeds.nth(n - 2).unwrap() };
    (start, feeds.next().unwrap())
}

#[test]
fn a_torn_last_record_is_cut_at_whatever_byte_it_ends() {
    let whole = TempLedger::new();
    whole.append(numbered(1..=3)).unwrap();
    whole.ledger.close();
    let bytes = fs::read(whole.segment_path(1)).unwrap();
    let (start, end) = line_span(&bytes, 3);
    let mut ledger = whole;
    for cut in start..end {
        ledger = ledger.reopen_after(|data| {
            killed(data);
            fs::write(data.join("ledger/00000000000000000001.jsonl"), &bytes[..cut]).unwrap();
        });
        assert_eq!(ledger.seqs(), [1, 2], "cut at {cut}");
        let told = ledger.told.lock().clone();
        if cut == start {
            assert!(told.is_empty(), "{told:?}");
        } else {
            let [
                Notice::TailCut {
                    segment,
                    bytes: gone,
                    quarantine,
                },
            ] = &told[..]
            else {
                panic!("{told:?}")
            };
            assert_eq!((*segment, *gone), (seq(1), (cut - start) as u64));
            assert_eq!(
                fs::read(quarantine).unwrap(),
                &bytes[start..cut],
                "nothing is thrown away"
            );
        }
        assert_eq!(ledger.append(numbered(3..=3)).unwrap().first, seq(3));
        assert_eq!(ledger.seqs(), [1, 2, 3]);
    }
}

#[test]
fn a_damaged_line_is_a_hole_of_one_and_everything_else_is_served() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(3000);
    let ledger = ledger.reopen_after(|data| {
        change(&data.join("ledger/00000000000000000001.jsonl"), |bytes| {
            let (start, _) = line_span(bytes, 700);
            bytes[start + 60] ^= 4;
        });
    });
    let mut reader = ledger.ledger.read(Seq::FIRST, &Filter::all());
    let all = chunks(&mut reader);
    assert_eq!(holes(&all), [(700, 700)]);
    let expected: Vec<u64> = (1..=3000).filter(|n| *n != 700).collect();
    assert_eq!(
        lines(&all).iter().map(|line| seq_of(line)).collect::<Vec<_>>(),
        expected
    );
    let gap = all.iter().find_map(|chunk| match chunk {
        Chunk::Gap(gap) => Some(gap.clone()),
        _ => None,
    });
    assert_eq!(gap.unwrap().reason, GapReason::Damaged);
    assert_eq!(ledger.seqs(), expected, "a second reader finds the same");
    let told = ledger.told.lock().clone();
    let [Notice::Damaged(damage)] = &told[..] else {
        panic!("told once: {told:?}")
    };
    assert_eq!((damage.first, damage.last), (seq(700), seq(700)));
    assert_eq!(damage.file, "00000000000000000001.jsonl");
    let mut back = chunks(&mut ledger.ledger.read_back(seq(3000), &Filter::all()));
    assert_eq!(holes(&back), [(700, 700)]);
    back.reverse();
    assert_eq!(lines(&back).len(), 2999);
}

#[test]
fn a_damaged_last_line_keeps_its_seq() {
    let ledger = TempLedger::new();
    ledger.fill(10);
    let ledger = ledger.reopen_after(|data| {
        change(&data.join("ledger/00000000000000000001.jsonl"), |bytes| {
            let (start, _) = line_span(bytes, 10);
            bytes[start + 60] ^= 4;
        });
    });
    assert_eq!(ledger.ledger.head(), Some(seq(10)));
    assert_eq!(ledger.append(numbered(11..=11)).unwrap().first, seq(11));
    let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all()));
    assert_eq!(holes(&all), [(10, 10)]);
    assert_eq!(lines(&all).len(), 10);
}

#[test]
fn pages_that_were_never_written_are_an_unfinished_tail() {
    let ledger = TempLedger::new();
    ledger.fill(20);
    let ledger = ledger.reopen_after(|data| {
        killed(data);
        change(&data.join("ledger/00000000000000000001.jsonl"), |bytes| {
            let (start, _) = line_span(bytes, 15);
            bytes[start + 30..start + 90].fill(0);
        });
    });
    assert_eq!(ledger.ledger.head(), Some(seq(14)));
    assert!(matches!(ledger.told.lock()[..], [Notice::TailCut { .. }]));
}

#[test]
fn zeros_and_cuts_after_the_ledger_was_closed_are_damage_up_to_its_last_line() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [(Edit, u64); 3] = [
        (|bytes| zero(bytes, 15, 60), 15),
        (|bytes| zero(bytes, 20, 60), 20),
        (|bytes| bytes.truncate(line_span(bytes, 18).1), 19),
    ];
    for (edit, first) in edits {
        let ledger = TempLedger::new();
        ledger.fill(20);
        let last = if first == 19 { 20 } else { first };
        let ledger = ledger.reopen_after(|data| {
            change(&data.join("ledger/00000000000000000001.jsonl"), edit);
            let report = ReadOnly::open(data)
                .unwrap()
                .verify(None, &mut |_, _| {})
                .unwrap();
            let [damage] = &report.damage[..] else {
                panic!("{:?}", report.damage)
            };
            assert_eq!((damage.first, damage.last), (seq(first), seq(last)));
        });
        assert_eq!(ledger.ledger.head(), Some(seq(20)));
        let ledger = ledger.reopen();
        assert_eq!(ledger.append(numbered(21..=21)).unwrap().first, seq(21));
        let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all()));
        assert_eq!(holes(&all), [(first, last)]);
    }
}

#[test]
fn a_last_segment_that_is_gone_is_a_declared_hole() {
    let ledger = TempLedger::with_segments_of(100_000);
    ledger.fill(3000);
    let last = *ledger.segments().last().unwrap();
    assert!(last < 3000);
    let ledger = ledger.reopen_after(|data| {
        fs::remove_file(data.join(format!("ledger/{last:020}.jsonl"))).unwrap();
        let outside = ReadOnly::open(data).unwrap();
        let report = outside.verify(None, &mut |_, _| {}).unwrap();
        assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
        let damage = &report.damage[0];
        assert_eq!((damage.first, damage.last), (seq(last), seq(3000)));
    });
    assert_eq!(ledger.append(numbered(3001..=3001)).unwrap().first, seq(3001));
    let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all()));
    assert_eq!(holes(&all), [(last, 3000)]);
}

fn zero(bytes: &mut [u8], line: usize, count: usize) {
    let (start, _) = line_span(bytes, line);
    bytes[start + 30..start + 30 + count].fill(0);
}

#[test]
fn zeros_in_what_was_synced_before_other_groups_are_damage() {
    let ledger = TempLedger::new();
    for n in 1..=20 {
        ledger.append(numbered(n..=n)).unwrap();
    }
    let ledger = ledger.reopen_after(|data| {
        killed(data);
        change(&data.join("ledger/00000000000000000001.jsonl"), |bytes| {
            let (start, _) = line_span(bytes, 15);
            bytes[start + 30..start + 90].fill(0);
        });
    });
    assert_eq!(ledger.ledger.head(), Some(seq(20)));
    let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all()));
    assert_eq!(holes(&all), [(15, 15)]);
    assert_eq!(lines(&all).len(), 19);
}

#[test]
fn zeros_in_the_last_group_are_an_unfinished_tail_also_behind_zeros_that_are_damage() {
    let ledger = TempLedger::new();
    for group in [1..=5, 6..=10, 11..=15] {
        ledger.append(numbered(group)).unwrap();
    }
    let ledger = ledger.reopen_after(|data| {
        killed(data);
        change(&data.join("ledger/00000000000000000001.jsonl"), |bytes| {
            zero(bytes, 8, 60);
            zero(bytes, 11, 60);
        });
    });
    assert_eq!(ledger.seqs(), [1, 2, 3, 4, 5, 6, 7, 9, 10]);
    assert_eq!(ledger.ledger.head(), Some(seq(10)));
}

#[test]
fn a_missing_segment_is_a_hole_and_what_follows_is_served() {
    let ledger = TempLedger::with_segments_of(100_000);
    ledger.fill(4000);
    let firsts = ledger.segments();
    assert!(firsts.len() > 3);
    let ledger = ledger.reopen_after(|data| {
        fs::remove_file(data.join(format!("ledger/{:020}.jsonl", firsts[1]))).unwrap();
        fs::remove_file(data.join(format!("ledger/{:020}.idx", firsts[1]))).unwrap();
    });
    let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all()));
    assert_eq!(holes(&all), [(firsts[1], firsts[2] - 1)]);
    assert_eq!(lines(&all).len() as u64, 4000 - (firsts[2] - firsts[1]));
    let report = ReadOnly::open(&ledger.data)
        .unwrap()
        .verify(None, &mut |_, _| {})
        .unwrap();
    assert!(
        report
            .damage
            .iter()
            .any(|damage| (damage.first.get(), damage.last.get()) == (firsts[1], firsts[2] - 1))
    );
}

#[test]
fn a_missing_first_segment_is_damage_not_retention() {
    let ledger = TempLedger::with_segments_of(100_000);
    ledger.fill(3000);
    let firsts = ledger.segments();
    let ledger = ledger.reopen_after(|data| {
        fs::remove_file(data.join("ledger/00000000000000000001.jsonl")).unwrap();
    });
    assert_eq!(ledger.ledger.first(), seq(firsts[1]));
    let mut reader = ledger.ledger.read(Seq::FIRST, &Filter::all());
    let Ok(Chunk::Gap(gap)) = reader.next_chunk(1000) else {
        panic!("a gap comes first")
    };
    assert_eq!(
        (gap.asked, gap.first, gap.reason),
        (seq(1), seq(firsts[1]), GapReason::Damaged)
    );
}

#[test]
fn lines_removed_by_hand_cost_only_themselves_though_all_offsets_are_wrong() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(3000);
    let ledger = ledger.reopen_after(|data| {
        change(&data.join("ledger/00000000000000000001.jsonl"), |bytes| {
            let (start, _) = line_span(bytes, 10);
            let (_, end) = line_span(bytes, 12);
            bytes.drain(start..end);
        });
    });
    for filter in ["", "type:note", "agent:agent-4"] {
        let filter = Filter::parse(filter).unwrap();
        let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &filter));
        for (first, last) in holes(&all) {
            assert_eq!((first, last), (10, 12), "{filter:?}");
        }
        let whole = TempLedger::with_segments_of(300_000);
        whole.fill(3000);
        let mut expected = seqs(&mut whole.ledger.read(Seq::FIRST, &filter));
        expected.retain(|n| !(10..=12).contains(n));
        assert_eq!(
            lines(&all).iter().map(|line| seq_of(line)).collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
    }
}

#[test]
fn a_second_opener_is_told_who_writes_here() {
    let ledger = TempLedger::new();
    let pid = std::process::id();
    assert_eq!(
        lock_state(&ledger.data).unwrap(),
        LockState::Held { pid: Some(pid) }
    );
    let second = TempLedger::try_on(ledger.ground.clone(), &ledger.data, ledger.settings.clone());
    let Err(OpenError::Locked {
        pid: Some(holder), ..
    }) = second
    else {
        panic!("it is refused with a pid")
    };
    assert_eq!(holder, pid);
    ledger.ledger.close();
    assert_eq!(lock_state(&ledger.data).unwrap(), LockState::Free);
    assert_eq!(lock_state(Path::new("/nowhere/at/all")).unwrap(), LockState::Free);
}

#[test]
fn a_cursor_ahead_of_the_recovered_head_gives_the_ledger_a_new_id() {
    let ledger = TempLedger::new();
    ledger.fill(10);
    let id = ledger.ledger.id();
    let write = |data: &Path, ledger: &str, seq: u64| {
        fs::create_dir_all(data.join("cursors")).unwrap();
        let cursor = format!("{{\"ledger\":\"{ledger}\",\"seq\":{seq}}}");
        fs::write(data.join("cursors/bridge.json"), cursor).unwrap();
    };
    let ledger = ledger.reopen_after(|data| write(data, id.as_str(), 10));
    assert_eq!(ledger.ledger.id(), id, "a cursor at the head is fine");
    let ledger = ledger.reopen_after(|data| write(data, "another", 99));
    assert_eq!(ledger.ledger.id(), id, "another ledger's cursor is none of ours");
    let ledger = ledger.reopen_after(|data| write(data, id.as_str(), 11));
    assert_ne!(ledger.ledger.id(), id);
    assert!(matches!(&ledger.told.lock()[..], [Notice::Renamed { former, .. }] if *former == id.to_string()));
    let said = fs::read_to_string(ledger.data.join("ledger/ledger.json")).unwrap();
    assert!(said.contains(id.as_str()), "the former id is remembered: {said}");
    assert_eq!(ledger.seqs(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_ledger_of_a_later_format_is_left_alone() {
    let ledger = TempLedger::new();
    ledger.ledger.close();
    change(&ledger.data.join("ledger/ledger.json"), |bytes| {
        *bytes = br#"{"format":2,"new":"things"}"#.to_vec()
    });
    let opened = TempLedger::try_on(ledger.ground.clone(), &ledger.data, ledger.settings.clone());
    assert!(matches!(
        opened,
        Err(OpenError::Format {
            found: 2,
            known: 1,
            ..
        })
    ));
    assert!(matches!(
        ReadOnly::open(&ledger.data),
        Err(OpenError::Format { .. })
    ));
}

#[test]
fn the_data_folder_is_kept_out_of_git() {
    let ledger = TempLedger::new();
    assert_eq!(fs::read_to_string(ledger.data.join(".gitignore")).unwrap(), "*\n");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_bit_anywhere_is_found_survived_and_never_served(
        place in any::<prop::sample::Index>(),
        file in 0_usize..4,
        bit in 0_u32..8,
        filter in prop::sample::select(vec!["", "agent:agent-4", "type:note", "level:>=warn", "-backfill:true"]),
        beside in any::<bool>(),
    ) {
        let ledger = TempLedger::with_segments_of(250_000);
        ledger.fill(2500);
        let filter = Filter::parse(filter).unwrap();
        let good = seqs(&mut ledger.ledger.read(Seq::FIRST, &filter));
        ledger.ledger.close();
        let firsts = ledger.segments();
        let first = firsts[file / 2 % firsts.len()];
        let path = if file % 2 == 0 { ledger.segment_path(first) } else { ledger.index_path(first) };
        let mut at = 0;
        change(&path, |bytes| {
            at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
        });
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();

        // Found: named by file and byte.
        let report = ReadOnly::open(&ledger.data).unwrap().verify(None, &mut |_, _| {}).unwrap();
        let named = report.damage.iter().any(|damage| {
            damage.file == name && (damage.byte..damage.byte + damage.bytes.max(1)).contains(&(at as u64))
        });
        let last_line = file % 2 == 0 && first == *firsts.last().unwrap() && report.head != Some(seq(2500));
        prop_assert!(named || last_line, "{} at {}: {:?}", name, at, report.damage);

        // Survived, and never served: what comes is what was good, but for declared holes.
        let check = |all: Vec<Chunk>, head: u64| {
            let lost = holes(&all);
            let found: Vec<u64> = lines(&all).iter().map(|line| seq_of(line)).collect();
            let is_lost = |seq: &u64| *seq > head || lost.iter().any(|(from, to)| (*from..=*to).contains(seq));
            let expected: Vec<u64> = good.iter().copied().filter(|seq| !is_lost(seq)).collect();
            let count: u64 = lost.iter().map(|(from, to)| to - from + 1).sum();
            (found, expected, count)
        };
        let outside = ReadOnly::open(&ledger.data).unwrap();
        let head = outside.head().unwrap().get();
        let (found, expected, lost) = check(chunks(&mut outside.read(Seq::FIRST, &filter)), head);
        prop_assert_eq!(found, expected);
        prop_assert!(lost <= 1, "one bit costs one line, not {}", lost);
        if beside {
            let ledger = ledger.reopen();
            let head = ledger.ledger.head().unwrap().get();
            prop_assert!(head >= 2499);
            let (found, expected, lost) = check(chunks(&mut ledger.ledger.read(Seq::FIRST, &filter)), head);
            prop_assert_eq!(found, expected);
            prop_assert!(lost <= 1, "one bit costs one line, not {}", lost);
            ledger.append(numbered(1..=5)).unwrap();
            prop_assert_eq!(ledger.ledger.head().unwrap().get(), head + 5);
        }
    }

    #[test]
    fn a_cut_anywhere_is_found_survived_and_costs_what_was_cut(
        place in any::<prop::sample::Index>(),
        file in 0_usize..4,
    ) {
        let ledger = TempLedger::with_segments_of(250_000);
        ledger.fill(2500);
        ledger.ledger.close();
        let firsts = ledger.segments();
        let first = firsts[file / 2 % firsts.len()];
        let path = if file % 2 == 0 { ledger.segment_path(first) } else { ledger.index_path(first) };
        let mut kept = 0;
        change(&path, |bytes| {
            bytes.truncate(place.index(bytes.len()));
            kept = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        });
        let outside = ReadOnly::open(&ledger.data).unwrap();
        let all = chunks(&mut outside.read(Seq::FIRST, &Filter::all()));
        let found: Vec<u64> = lines(&all).iter().map(|line| seq_of(line)).collect();
        let lost = if file % 2 == 1 {
            0..0
        } else if first == *firsts.last().unwrap() {
            first + kept..2501
        } else {
            first + kept..firsts[file / 2 + 1]
        };
        let expected: Vec<u64> = (1..=2500).filter(|seq| !lost.contains(seq)).collect();
        prop_assert_eq!(found, expected);
    }
}
