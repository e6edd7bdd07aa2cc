//! A ledger on a disk in memory, and everything it serves: each line good, in order, with every hole declared.

use std::{path::Path, sync::Arc};

use kymo_event::{Batch, Event, Filter, LineView, Micros, Seq, check_crc, write_line};
use kymo_ledger::{
    Chunk, Clock, Ground, Ledger, LedgerSettings, OpenError, ReadOnly, Reader, VerifyReport,
    testing::FaultyDisk,
};

/// The data folder.
pub(crate) const DATA: &str = "/data";
/// When all of it happened.
pub(crate) const NOW: Micros = Micros(1_771_095_683_457_102);
/// The identity of a ledger nobody has written to.
const IDENTITY: &[u8] =
    br#"{"format":1,"id":"0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11","created":"2026-02-14T12:00:00.000000Z"}"#;

struct Still;

impl Clock for Still {
    fn now(&self) -> Micros {
        NOW
    }
}

/// A disk with an empty ledger.
pub(crate) fn empty() -> FaultyDisk {
    let disk = FaultyDisk::new();
    put(&disk, "ledger.json", IDENTITY);
    disk
}

/// Puts a file into the ledger's folder.
pub(crate) fn put(disk: &FaultyDisk, name: &str, bytes: &[u8]) {
    disk.put(&Path::new(DATA).join("ledger").join(name), bytes.to_vec());
}

pub(crate) fn ground(disk: &FaultyDisk) -> Ground {
    Ground {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(Still),
    }
}

pub(crate) fn open(disk: &FaultyDisk, settings: LedgerSettings) -> Result<Ledger, OpenError> {
    Ledger::open_on(ground(disk), Path::new(DATA), settings, Box::new(drop))
}

pub(crate) fn look(disk: &FaultyDisk) -> Result<ReadOnly, OpenError> {
    ReadOnly::open_on(&ground(disk), Path::new(DATA))
}

/// The line that the writer would give to event `seq`.
pub(crate) fn line(seq: u64, time: u8, size: usize) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(&event(seq, size));
    let mut line = Vec::new();
    let seq = Seq::new(seq).expect("seqs begin at 1");
    write_line(
        &mut line,
        seq,
        &Micros(NOW.0 + i64::from(time)).text(),
        batch.body(0),
    );
    line
}

/// An event whose keys depend on its number.
pub(crate) fn event(n: u64, size: usize) -> Event<'static> {
    let pick = |of: usize| usize::try_from(n).expect("a few events") % of;
    let types = ["task.started", "task.ended", "note"];
    let mut event = Event::new(types[pick(3)], if pick(4) == 0 { "b" } else { "a" });
    event.agent = (pick(3) > 0).then(|| format!("agent-{}", pick(5)).into());
    event.id = (pick(2) == 0).then(|| format!("id-{n}").into());
    event.level = kymo_event::Level::ALL[pick(5)];
    event.data = Some(format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(size)).into());
    event
}

/// Everything a reader gives from `first` on. Panics where a line is not good, not in order, or missing unsaid.
pub(crate) fn served(mut reader: Reader, first: u64, whole: bool) -> Vec<Vec<u8>> {
    let (mut at, mut all) = (first, Vec::new());
    loop {
        match reader.next_chunk(4 << 10).expect("memory can be read") {
            Chunk::Events { lines, scanned_to } => {
                for line in lines.iter() {
                    assert!(check_crc(line), "served although its checksum is wrong");
                    let seq = LineView::parse(line).expect("a line").seq().get();
                    assert!(
                        if whole { seq == at } else { seq >= at },
                        "{seq} is served where {at} must follow"
                    );
                    at = seq + 1;
                    all.push(line.to_vec());
                }
                assert!(scanned_to.get() + 1 >= at);
                at = scanned_to.get() + 1;
            }
            Chunk::Gap(gap) => {
                assert!(gap.asked.get() == at && gap.first.get() > at, "{gap:?} at {at}");
                assert_eq!(gap.lost, gap.first.get() - gap.asked.get());
                at = gap.first.get();
            }
            Chunk::End { next } => {
                assert_eq!(next.get(), at);
                return all;
            }
        }
    }
}

/// All lines from the first on, forwards, and the same backwards.
pub(crate) fn all_lines(ledger: &ReadOnly) -> Vec<Vec<u8>> {
    let everything = Filter::all();
    let lines = served(
        ledger.read(ledger.first(), &everything),
        ledger.first().get(),
        true,
    );
    if let Some(head) = ledger.head() {
        let mut back = backwards(ledger.read_back(head, &everything));
        back.reverse();
        assert!(
            back == lines,
            "backwards there are {} of {} lines",
            back.len(),
            lines.len()
        );
    }
    lines
}

fn backwards(mut reader: Reader) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        match reader.next_chunk(4 << 10).expect("memory can be read") {
            Chunk::Events { lines, .. } => all.extend(lines.iter().map(<[u8]>::to_vec)),
            Chunk::Gap(_) => {}
            Chunk::End { .. } => return all,
        }
    }
}

/// What is served by filters is what the lines say, whatever an index says.
pub(crate) fn filters_agree(ledger: &ReadOnly, lines: &[Vec<u8>]) {
    for text in [
        "type:task.* -agent:agent-1",
        "id:id-4 OR level:>=error",
        "source:b agent:*",
        "agent:nobody",
    ] {
        let filter = Filter::parse(text).expect("a filter");
        let found = served(ledger.read(ledger.first(), &filter), ledger.first().get(), false);
        let expected = lines
            .iter()
            .filter(|line| filter.matches(&LineView::parse(line).expect("a line")));
        assert!(found.iter().eq(expected), "{text}");
    }
}

pub(crate) fn verified(ledger: &ReadOnly) -> VerifyReport {
    ledger.verify(None, &mut |_, _| {}).expect("memory can be read")
}
