//! The sidecar: made live or made again, it is the same; missing or damaged, nothing is lost but time.

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use kymo_event::{Filter, Seq};
use kymo_ledger::{ChainHead, ReadOnly};
use support::{TempLedger, chunks, holes, numbered, seq, seqs};

fn indexes(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(data.join("ledger")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".idx") {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn an_index_made_again_has_the_same_bytes_chain_included() {
    let ledger = TempLedger::with_segments_of(300_000);
    for n in (1..6000).step_by(13) {
        ledger.append(numbered(n..=n + 12)).unwrap();
    }
    let chain = ledger.ledger.chain_head().unwrap();
    ledger.ledger.close();
    let live = indexes(&ledger.data);
    assert!(live.len() >= 3, "{:?}", live.keys());
    let ledger = ledger.reopen_after(|data| {
        for name in live.keys() {
            fs::remove_file(data.join("ledger").join(name)).unwrap();
        }
    });
    assert_eq!(ledger.ledger.chain_head().unwrap(), chain);
    ledger.ledger.close();
    let again = indexes(&ledger.data);
    assert_eq!(again.keys().collect::<Vec<_>>(), live.keys().collect::<Vec<_>>());
    for (name, bytes) in &live {
        assert!(again[name] == *bytes, "{name} differs");
    }
}

#[test]
fn an_index_cut_anywhere_is_completed_to_the_same_bytes() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(2500);
    ledger.ledger.close();
    let live = indexes(&ledger.data);
    let mut ledger = ledger;
    for part in 0..20 {
        ledger = ledger.reopen_after(|data| {
            for (name, bytes) in &live {
                fs::write(data.join("ledger").join(name), &bytes[..bytes.len() * part / 20]).unwrap();
            }
        });
        ledger.ledger.close();
        assert!(indexes(&ledger.data) == live, "cut to {part} twentieths");
    }
}

#[test]
fn lines_that_only_the_index_knows_of_are_a_declared_hole() {
    let ledger = TempLedger::new();
    ledger.fill(3000);
    let ledger = ledger.reopen_after(|data| {
        let path = data.join("ledger/00000000000000000001.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.split_inclusive('\n').take(1500).collect();
        fs::write(&path, lines.concat()).unwrap();
    });
    // Also when nothing is written until it is opened again.
    let ledger = ledger.reopen();
    assert_eq!(ledger.ledger.head(), Some(seq(3000)));
    ledger.append(numbered(3001..=3001)).unwrap();
    for _ in 0..2 {
        let all = chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all()));
        assert_eq!(holes(&all), [(1501, 3000)]);
        let filter = Filter::parse("agent:agent-4").unwrap();
        let there = (1..=1500).chain([3001]);
        let expected: Vec<_> = there.filter(|n| n % 3 != 0 && n % 11 == 4).collect();
        assert_eq!(seqs(&mut ledger.ledger.read(Seq::FIRST, &filter)), expected);
    }
}

#[test]
fn a_head_kept_elsewhere_proves_that_what_it_covers_is_unchanged() {
    let ledger = TempLedger::with_segments_of(300_000);
    let mut heads: Vec<ChainHead> = Vec::new();
    for count in [1, 1022, 1, 1, 700, 2000] {
        ledger.fill(count);
        heads.push(ledger.ledger.chain_head().unwrap());
    }
    ledger.ledger.close();
    let outside = ReadOnly::open(&ledger.data).unwrap();
    for head in &heads {
        let report = outside.verify(Some(head), &mut |_, _| {}).unwrap();
        assert_eq!((report.matches, report.damage.len()), (Some(true), 0), "{head}");
        let mut other = head.clone();
        other.chain[7] ^= 1;
        assert_eq!(
            outside.verify(Some(&other), &mut |_, _| {}).unwrap().matches,
            Some(false)
        );
    }
    let report = outside.verify(None, &mut |_, _| {}).unwrap();
    assert_eq!(
        (report.events, report.first, report.head),
        (3725, Some(seq(1)), Some(seq(3725)))
    );
    assert_eq!(format!("3725:{}", report.chain), heads[5].to_string());
    assert_eq!(report.matches, None);
}

#[test]
fn verify_tells_its_progress_up_to_the_end() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(3000);
    ledger.ledger.close();
    let mut told = Vec::new();
    let outside = ReadOnly::open(&ledger.data).unwrap();
    outside
        .verify(None, &mut |done, all| told.push((done, all)))
        .unwrap();
    assert!(told.is_sorted());
    let (done, all) = told.last().unwrap();
    assert_eq!(done, all);
}
