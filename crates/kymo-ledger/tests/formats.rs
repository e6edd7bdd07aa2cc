//! Ledgers of every format there ever was, kept as they were written: they open, verify and read for ever.

mod support;

use std::{fs, path::Path};

use kymo_event::{Batch, Event, Filter, LineView, Micros, Seq};
use kymo_ledger::{Clock, Ground, LedgerSettings, ReadOnly};
use support::{TempLedger, chunks, lines, seq, seqs};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-1");
const ID: &str = "0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11";
const HEAD: &str = include_str!("fixtures/format-1.head");

fn copy_of_fixture() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("ledger")).unwrap();
    for entry in fs::read_dir(Path::new(FIXTURE).join("ledger")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join("ledger").join(entry.file_name())).unwrap();
    }
    folder
}

#[test]
fn a_ledger_of_format_1_opens_verifies_and_reads() {
    let folder = copy_of_fixture();
    let outside = ReadOnly::open(folder.path()).unwrap();
    assert_eq!(outside.id().as_str(), ID);
    let head = HEAD.trim().parse().unwrap();
    let report = outside.verify(Some(&head), &mut |_, _| {}).unwrap();
    assert_eq!((report.matches, report.events), (Some(true), 1030));
    assert_eq!(report.damage, []);
    let ledger = TempLedger::on(Ground::default(), folder.path(), LedgerSettings::default());
    assert_eq!(ledger.seqs(), (1..=1030).collect::<Vec<_>>());
    let filter = Filter::parse("agent:a-7").unwrap();
    let expected: Vec<u64> = (1..=1030).filter(|n| n % 10 == 7).collect();
    assert_eq!(seqs(&mut ledger.ledger.read(Seq::FIRST, &filter)), expected);
    assert_eq!(ledger.ledger.chain_head().unwrap(), head);
    let last = lines(&chunks(&mut ledger.ledger.read(seq(1030), &Filter::all())));
    let view = LineView::parse(last[0].as_bytes()).unwrap();
    assert_eq!((view.kind(), view.data()), ("note".into(), Some("1030")));
}

#[test]
fn its_index_is_made_again_to_the_bytes_it_had() {
    let folder = copy_of_fixture();
    let index = folder.path().join("ledger/00000000000000000001.idx");
    let before = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    TempLedger::on(Ground::default(), folder.path(), LedgerSettings::default())
        .ledger
        .close();
    assert!(fs::read(&index).unwrap() == before);
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Micros {
        Micros::parse("2026-02-14T12:00:00Z").unwrap()
    }
}

#[test]
fn what_is_written_today_is_format_1_to_the_byte() {
    let ground = Ground {
        clock: std::sync::Arc::new(Noon),
        ..Ground::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let ledger = TempLedger::on(ground, folder.path(), LedgerSettings::default());
    let mut batch = Batch::default();
    for n in 1..=1024 {
        let mut event = Event::new("note", "fixture");
        event.agent = Some(format!("a-{}", n % 10).into());
        event.id = Some(n.to_string().into());
        event.data = Some(n.to_string().into());
        batch.push(&event);
    }
    ledger.append(batch).unwrap();
    ledger.ledger.close();
    let index = |folder: &Path| fs::read(folder.join("ledger/00000000000000000001.idx")).unwrap();
    // It has the hash of the lines, so it cannot be the same where they are not.
    assert!(index(folder.path()) == index(Path::new(FIXTURE)));
}
