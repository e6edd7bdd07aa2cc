//! Reading by seq, by time, by filter and backwards: always exactly what a look at every line would find.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use kymo_event::{Event, Filter, IdKey, LineView, Micros, Seq};
use kymo_ledger::{Chunk, Clock, Ground, LedgerSettings, Notice, ReadOnly};
use proptest::prelude::*;
use support::{TempLedger, chunks, event, lines, numbered, seq, seq_of, seqs};

const FILTERS: &[&str] = &[
    "type:note",
    "type:task.*",
    "-type:task.*",
    "level:>=error",
    "level:debug",
    "source:source-1",
    "agent:agent-4",
    "agent:*",
    "-agent:*",
    "agent:agent-*",
    "session:session-13",
    "trace:trace-1500",
    "trace:trace-99999999",
    "user:*",
    "id:id-700",
    "seq:>1500 seq:<=1510",
    "backfill:true",
    "-backfill:true level:critical",
    "type:note (agent:agent-4 OR session:session-3)",
    "-(type:note OR level:>=warn)",
    "data.n:<100",
    "\"number 777\"",
    "type:task.started \"number 1000\"",
];

fn matching(ledger: &TempLedger, filter: &Filter) -> Vec<u64> {
    let all = lines(&chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all())));
    let passes = |line: &&String| filter.matches(&LineView::parse(line.as_bytes()).unwrap());
    all.iter().filter(passes).map(|line| seq_of(line)).collect()
}

#[test]
fn filtered_reads_find_what_a_look_at_every_line_finds() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(5000);
    let ledger = ledger.reopen();
    ledger.fill(1700);
    for text in FILTERS {
        let filter = Filter::parse(text).unwrap();
        let expected = matching(&ledger, &filter);
        assert_eq!(
            seqs(&mut ledger.ledger.read(Seq::FIRST, &filter)),
            expected,
            "{text}"
        );
        let mut back = seqs(&mut ledger.ledger.read_back(seq(9999), &filter));
        back.reverse();
        assert_eq!(back, expected, "backwards: {text}");
    }
}

#[test]
fn a_filtered_read_moves_its_cursor_over_what_does_not_match() {
    let ledger = TempLedger::new();
    ledger.fill(3000);
    let filter = Filter::parse("type:nothing-like-it").unwrap();
    let mut reader = ledger.ledger.read(Seq::FIRST, &filter);
    let all = chunks(&mut reader);
    assert!(lines(&all).is_empty());
    let Some(Chunk::Events { scanned_to, .. }) = all.last() else {
        panic!("the cursor moves")
    };
    assert_eq!(*scanned_to, seq(3000));
    assert_eq!(reader.position(), seq(3001));
}

#[test]
fn reading_backwards_gives_the_newest_first_from_anywhere() {
    let ledger = TempLedger::with_segments_of(200_000);
    ledger.fill(4100);
    for from in [1, 2, 1023, 1024, 1025, 2048, 3000, 4099, 4100, 5000] {
        let got = seqs(&mut ledger.ledger.read_back(seq(from), &Filter::all()));
        assert_eq!(got, (1..=from.min(4100)).rev().collect::<Vec<_>>(), "from {from}");
    }
}

#[test]
fn a_backward_cursor_stands_where_its_chunk_says() {
    let ledger = TempLedger::new();
    ledger.fill(1500);
    let mut reader = ledger.ledger.read_back(seq(1500), &Filter::all());
    let mut expected = 1500;
    loop {
        match reader.next_chunk(2000).unwrap() {
            Chunk::Events { lines, scanned_to } => {
                for line in lines.iter() {
                    assert_eq!(LineView::parse(line).unwrap().seq(), seq(expected));
                    expected -= 1;
                }
                assert_eq!(scanned_to, seq(expected + 1));
                assert_eq!(reader.position(), seq(expected.max(1)));
            }
            Chunk::End { next } => {
                assert_eq!((expected, next), (0, Seq::FIRST));
                break;
            }
            Chunk::Gap(gap) => panic!("nothing is missing: {gap:?}"),
        }
    }
}

/// A clock that stands where it was put.
#[derive(Default)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn a_time_finds_the_first_event_recorded_at_or_after_it_even_over_steps_back() {
    let clock = Arc::new(HandClock::default());
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground {
        clock: clock.clone(),
        ..Ground::default()
    };
    let settings = LedgerSettings {
        segment_bytes_max: 100_000,
        ..LedgerSettings::default()
    };
    let ledger = TempLedger::on(ground, folder.path(), settings);
    let mut recorded = Vec::new();
    let mut now = 1_000_000_000_i64;
    for round in 0..60_u64 {
        now += if round == 30 { -120_000_000 } else { 5_000_000 };
        clock.0.store(now, Ordering::Relaxed);
        ledger.fill(70);
        recorded.extend([now; 70]);
    }
    assert!(
        ledger
            .told
            .lock()
            .contains(&Notice::ClockStepped { micros: 120_000_000 })
    );
    for time in (1_000_000_000 - 10_000_000..now + 10_000_000).step_by(1_700_000) {
        let first = recorded.iter().position(|&recorded| recorded >= time);
        let expected = first.map_or(recorded.len(), |first| first) as u64 + 1;
        assert_eq!(
            ledger.ledger.seq_at(Micros(time)).unwrap(),
            seq(expected),
            "at {time}"
        );
    }
}

#[test]
fn a_small_step_back_of_the_clock_is_held() {
    let clock = Arc::new(HandClock::default());
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground {
        clock: clock.clone(),
        ..Ground::default()
    };
    let ledger = TempLedger::on(ground, folder.path(), LedgerSettings::default());
    clock.0.store(5_000_000, Ordering::Relaxed);
    ledger.fill(1);
    let ledger = ledger.reopen();
    clock.0.store(4_500_000, Ordering::Relaxed);
    ledger.fill(1);
    let all = lines(&chunks(&mut ledger.ledger.read(Seq::FIRST, &Filter::all())));
    let times = all
        .iter()
        .map(|line| LineView::parse(line.as_bytes()).unwrap().recorded());
    assert_eq!(times.collect::<Vec<_>>(), [Micros(5_000_000), Micros(5_000_001)]);
    assert!(ledger.told.lock().is_empty());
}

fn key_of(n: u64) -> Option<IdKey> {
    let event: Event<'_> = event(n);
    event.id.as_ref().map(|id| IdKey::of(&event.source, id))
}

#[test]
fn the_newest_ids_come_back_oldest_first() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(3500);
    let ledger = ledger.reopen();
    ledger.fill(100);
    for count in [0, 1, 50, 500, 3000, 100_000] {
        let all: Vec<_> = (1..=3600).filter_map(|n| Some((key_of(n)?, seq(n)))).collect();
        let expected = &all[all.len().saturating_sub(count)..];
        assert!(ledger.ledger.recent_ids(count) == expected, "{count}");
    }
}

#[test]
fn an_id_is_found_wherever_it_is() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(3500);
    for n in [1, 2, 1000, 1024, 1025, 2047, 3100, 3500] {
        if let Some(key) = key_of(n) {
            assert_eq!(ledger.ledger.find_id(key, seq(9999)), [seq(n)], "{n}");
            assert_eq!(ledger.ledger.find_id(key, seq(n)), [], "before {n}");
        }
    }
    assert_eq!(ledger.ledger.find_id(IdKey(12345), seq(9999)), []);
    for reopened in [false, true] {
        let ledger = if reopened {
            TempLedger::with_segments_of(300_000)
        } else {
            TempLedger::new()
        };
        ledger.fill(3500);
        let ledger = if reopened { ledger.reopen() } else { ledger };
        let all: Vec<_> = (1..=3500).filter_map(|n| Some((key_of(n)?, seq(n)))).collect();
        let keys: Vec<_> = all
            .iter()
            .map(|(key, _)| *key)
            .chain((0..100).map(IdKey))
            .collect();
        assert!(ledger.ledger.find_ids(&keys, seq(9999)) == all);
        let older: Vec<_> = all.iter().copied().filter(|(_, at)| *at < seq(1700)).collect();
        assert!(ledger.ledger.find_ids(&keys, seq(1700)) == older);
    }
}

#[test]
fn an_id_used_again_and_again_gives_only_the_newest_few_places() {
    let ledger = TempLedger::with_segments_of(200_000);
    for _ in 0..5 {
        let mut batch = kymo_event::Batch::default();
        for _ in 0..700 {
            let mut event = Event::new("same", "test");
            event.id = Some("always".into());
            batch.push(&event);
        }
        ledger.append(batch).unwrap();
    }
    let key = IdKey::of("test", "always");
    let newest: Vec<_> = (3485..=3500).map(|n| (key, seq(n))).collect();
    assert_eq!(ledger.ledger.find_ids(&[key, key], seq(9999)), newest);
    let older: Vec<_> = (984..1000).map(|n| (key, seq(n))).collect();
    assert_eq!(ledger.ledger.find_ids(&[key], seq(1000)), older);
}

#[test]
fn a_folder_is_read_beside_its_writer_and_after_it() {
    let ledger = TempLedger::with_segments_of(300_000);
    ledger.fill(2500);
    let look = |expected: u64| {
        let outside = ReadOnly::open(&ledger.data).unwrap();
        assert_eq!(outside.head(), Some(seq(expected)));
        assert_eq!(outside.id(), ledger.ledger.id());
        assert_eq!(
            seqs(&mut outside.read(Seq::FIRST, &Filter::all())),
            (1..=expected).collect::<Vec<_>>()
        );
        let filter = Filter::parse("agent:agent-4 type:note").unwrap();
        assert_eq!(
            seqs(&mut outside.read(Seq::FIRST, &filter)),
            matching(&ledger, &filter)
        );
        assert_eq!(outside.chain_head().unwrap(), ledger.ledger.chain_head().unwrap());
    };
    look(2500);
    ledger.fill(800);
    look(3300);
    ledger.ledger.close();
    look(3300);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_read_of_any_ledger_is_what_a_look_at_every_line_finds(
        segment in 50_000_u64..600_000,
        batches in prop::collection::vec(1_u64..900, 1..12),
        filter in 0..FILTERS.len(),
        from in 1_u64..6000,
        bytes_max in 1_usize..200_000,
        reopen in any::<bool>(),
    ) {
        let mut ledger = TempLedger::with_segments_of(segment);
        let mut n = 0;
        for count in batches {
            ledger.append(numbered(n + 1..=n + count)).unwrap();
            n += count;
        }
        if reopen {
            ledger = ledger.reopen();
        }
        let filter = Filter::parse(FILTERS[filter]).unwrap();
        let expected: Vec<_> = matching(&ledger, &filter).into_iter().filter(|&seq| seq >= from).collect();
        let mut reader = ledger.ledger.read(seq(from.min(n + 1)), &filter);
        let (mut got, mut scanned) = (Vec::new(), from.min(n + 1) - 1);
        loop {
            match reader.next_chunk(bytes_max).unwrap() {
                Chunk::Events { lines, scanned_to } => {
                    prop_assert!(scanned_to.get() > scanned, "the cursor moves");
                    for line in lines.iter() {
                        let at = LineView::parse(line).unwrap().seq().get();
                        prop_assert!(at > scanned && at <= scanned_to.get());
                        got.push(at);
                    }
                    scanned = scanned_to.get();
                }
                Chunk::Gap(gap) => prop_assert!(false, "nothing is missing: {:?}", gap),
                Chunk::End { next } => {
                    prop_assert_eq!(next, seq(n + 1));
                    break;
                }
            }
        }
        prop_assert_eq!(got, expected);
    }
}
