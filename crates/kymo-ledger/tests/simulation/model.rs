//! What must be there: everything acknowledged and everything anybody was given, but for what damage or retention took.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use kymo_event::{Filter, LineView, Seq};
use kymo_ledger::{Chunk, GapReason, Ledger, Reader};

/// What is known of the events of one ledger, from outside.
#[derive(Default)]
pub struct Model {
    /// The number of the last event that was offered.
    pub offered: u64,
    /// Which event was acknowledged under which seq.
    pub acknowledged: BTreeMap<u64, u64>,
    /// What somebody was given.
    delivered: BTreeMap<u64, Seen>,
    /// Which seq each event was given under.
    seqs: BTreeMap<u64, u64>,
    /// Seqs that damage may have cost.
    pub lost: BTreeSet<u64>,
    /// From here on damage cannot be told from a write that was never finished.
    pub doubtful_from: Option<u64>,
    /// Where the ledger began when it was last looked at.
    first: u64,
}

/// A line that was good when it was given for the first time.
struct Seen {
    line: String,
    n: u64,
    matches: bool,
}

/// What some readers ask for.
fn filter() -> &'static Filter {
    static FILTER: LazyLock<Filter> = LazyLock::new(|| Filter::parse("agent:agent-4").expect("a filter"));
    &FILTER
}

impl Model {
    /// Somebody is given a line: it is good, it is the one that was given before, it is given under one seq only.
    pub fn deliver(&mut self, seq: u64, line: &str) {
        if let Some(before) = self.delivered.get(&seq) {
            assert_eq!(before.line, line, "seq {seq} reads as it did before");
            return;
        }
        assert!(
            kymo_event::check_crc(line.as_bytes()),
            "served although its checksum is wrong: {line}"
        );
        let view = LineView::parse(line.as_bytes()).expect("a line");
        assert_eq!(view.seq().get(), seq, "in its place");
        let n = number(&view);
        assert!((1..=self.offered).contains(&n), "event {n} was offered");
        if let Some(other) = self.seqs.insert(n, seq) {
            assert_eq!(other, seq, "event {n} is there once");
        }
        let seen = Seen {
            line: line.to_owned(),
            n,
            matches: filter().matches(&view),
        };
        self.delivered.insert(seq, seen);
    }

    /// The newest seq that must still be there.
    fn newest(&self) -> u64 {
        let newest = |map: Option<&u64>| map.copied().unwrap_or(0);
        newest(self.acknowledged.keys().last()).max(newest(self.delivered.keys().last()))
    }

    /// The ledger was opened and ends at `head`.
    pub fn opened(&mut self, head: u64) {
        let newest = self.newest();
        if head < newest {
            let doubtful = self.doubtful_from.unwrap_or(u64::MAX);
            assert!(
                head + 1 >= doubtful,
                "it ends at {head}, but {newest} was acknowledged or seen"
            );
            self.acknowledged.retain(|seq, _| *seq <= head);
            self.delivered.retain(|seq, _| *seq <= head);
            self.seqs.retain(|_, seq| *seq <= head);
        }
        self.doubtful_from = None;
    }

    /// Reads all there is and holds it against what is known.
    pub fn check(&mut self, ledger: &Ledger) {
        let head = ledger.head().map_or(0, Seq::get);
        assert!(head >= self.newest(), "the head does not go back");
        let (mut next, mut there) = (1, Vec::new());
        each(
            &mut ledger.read(Seq::FIRST, &Filter::all()),
            |found| match found {
                Found::Line(seq, line) => {
                    assert_eq!(seq, next, "in order, and nothing is missing without a word");
                    self.deliver(seq, line);
                    there.push(seq);
                    next = seq + 1;
                }
                Found::Gap(from, to, GapReason::Retention) => {
                    assert_eq!((from, from), (next, 1), "retention takes from the beginning");
                    assert!(to + 1 >= self.first, "what is retired stays so");
                    self.first = to + 1;
                    next = to + 1;
                }
                Found::Gap(from, to, reason) => {
                    assert_eq!((from, reason), (next, GapReason::Damaged));
                    for seq in from..=to {
                        assert!(self.may_be_lost(seq), "seq {seq} is lost, which nothing damaged");
                    }
                    next = to + 1;
                }
            },
        );
        assert_eq!(next, head + 1, "all is accounted for up to the head");
        let gone = |seq: &u64| there.binary_search(seq).is_err();
        for (seq, n) in self.acknowledged.range(self.first..) {
            let same = !gone(seq) && self.delivered[seq].n == *n;
            assert!(same || self.may_be_lost(*seq), "seq {seq} was acknowledged");
        }
        let mut seen = self.delivered.range(self.first..).map(|(seq, _)| seq);
        let lost = seen.find(|seq| gone(seq) && !self.may_be_lost(**seq));
        assert_eq!(lost, None, "this was seen");
        self.other_ways(ledger, &there);
    }

    /// A filtered read and a read backwards find the same lines.
    fn other_ways(&self, ledger: &Ledger, there: &[u64]) {
        let mut found = Vec::new();
        each(&mut ledger.read(Seq::FIRST, filter()), |one| {
            if let Found::Line(seq, _) = one {
                found.push(seq);
            }
        });
        let matches = |seq: &u64| self.delivered[seq].matches;
        let expected: Vec<u64> = there.iter().copied().filter(matches).collect();
        assert_eq!(found, expected, "filtered");
        found.clear();
        let from = ledger.head().unwrap_or(Seq::FIRST);
        each(&mut ledger.read_back(from, &Filter::all()), |one| {
            if let Found::Line(seq, _) = one {
                found.push(seq);
            }
        });
        found.reverse();
        assert_eq!(found, there, "backwards");
    }

    pub fn may_be_lost(&self, seq: u64) -> bool {
        self.lost.contains(&seq)
    }
}

/// What a reader found.
pub enum Found<'a> {
    Line(u64, &'a str),
    Gap(u64, u64, GapReason),
}

/// Reads to the end; a read that the disk refuses ends it, too.
pub fn each(reader: &mut Reader, mut found: impl FnMut(Found<'_>)) {
    loop {
        match reader.next_chunk(64 << 10) {
            Ok(Chunk::Events { lines, .. }) => {
                for line in lines.iter() {
                    let text = std::str::from_utf8(line).expect("lines are text");
                    found(Found::Line(seq_of(text), text));
                }
            }
            Ok(Chunk::Gap(gap)) => {
                assert_eq!(gap.first.get() - gap.asked.get(), gap.lost);
                found(Found::Gap(gap.asked.get(), gap.first.get() - 1, gap.reason));
            }
            Ok(Chunk::End { .. }) | Err(_) => return,
        }
    }
}

/// The seq that a line says it has.
fn seq_of(line: &str) -> u64 {
    let digits = line
        .strip_prefix("{\"seq\":")
        .and_then(|rest| rest.split_once(','));
    digits
        .and_then(|(digits, _)| digits.parse().ok())
        .expect("a line begins with its seq")
}

/// The number an event was offered with.
fn number(view: &LineView<'_>) -> u64 {
    let data = view.data().expect("events have data");
    let digits = data.strip_prefix("{\"n\":").expect("a number");
    let end = digits.find(',').expect("and more");
    digits[..end].parse().expect("digits")
}
