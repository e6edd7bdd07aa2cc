//! What an append promises, and that a reader sees exactly what was acknowledged.

mod support;

use std::sync::{Arc, mpsc};

use kymo_event::{Filter, Seq};
use kymo_ledger::{AppendError, Chunk, GapReason, LedgerSettings};
use parking_lot::Mutex;
use support::{TempLedger, chunks, numbered, seq, seqs, sized};

#[test]
fn what_was_acknowledged_is_read_back_after_a_reopen() {
    let ledger = TempLedger::new();
    let first = ledger.append(numbered(1..=3)).unwrap();
    let second = ledger.append(numbered(4..=4)).unwrap();
    assert_eq!((first.first, first.last), (seq(1), seq(3)));
    assert_eq!((second.first, second.last), (seq(4), seq(4)));
    assert_eq!(ledger.seqs(), [1, 2, 3, 4]);
    let id = ledger.ledger.id();
    let ledger = ledger.reopen();
    assert_eq!(ledger.seqs(), [1, 2, 3, 4]);
    assert_eq!(ledger.ledger.id(), id);
    assert_eq!(ledger.append(numbered(5..=5)).unwrap().first, seq(5));
    assert_eq!(ledger.seqs(), [1, 2, 3, 4, 5]);
}

#[test]
fn an_empty_ledger_has_no_head_and_its_first_seq_is_still_to_come() {
    let ledger = TempLedger::new();
    assert_eq!(ledger.ledger.head(), None);
    assert_eq!(ledger.ledger.first(), Seq::FIRST);
    let mut reader = ledger.ledger.read(Seq::FIRST, &Filter::all());
    assert!(matches!(
        reader.next_chunk(1000),
        Ok(Chunk::End { next: Seq::FIRST })
    ));
}

#[test]
fn observers_get_each_group_before_its_ack() {
    let ledger = TempLedger::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    ledger.ledger.on_commit(Box::new(move |lines| {
        for index in 0..lines.len() {
            let line = String::from_utf8(lines.line(index).to_vec()).unwrap();
            assert_eq!(support::seq_of(&line), lines.first.plus(index as u64).get());
        }
        sees.lock().push((lines.first.get(), lines.last().get()));
    }));
    let ack = ledger.append(numbered(1..=10)).unwrap();
    assert_eq!(*seen.lock(), [(1, 10)]);
    assert_eq!(ack.last, seq(10));
}

#[test]
fn many_writers_get_contiguous_seqs_in_order() {
    let ledger = TempLedger::new();
    let acks = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let ack = ledger.append(numbered(1..=3)).unwrap();
                    assert_eq!(ack.last, ack.first.plus(2));
                    acks.lock().push(ack.first.get());
                }
            });
        }
    });
    let mut firsts = acks.lock().clone();
    firsts.sort_unstable();
    assert_eq!(firsts, (0..400).map(|n| n * 3 + 1).collect::<Vec<_>>());
    assert_eq!(ledger.seqs(), (1..=1200).collect::<Vec<_>>());
}

#[test]
fn an_empty_batch_is_acknowledged_and_changes_nothing() {
    let ledger = TempLedger::new();
    ledger.append(numbered(1..=2)).unwrap();
    assert!(ledger.append(kymo_event::Batch::default()).is_ok());
    assert_eq!(ledger.append(numbered(3..=3)).unwrap().first, seq(3));
    assert_eq!(ledger.seqs(), [1, 2, 3]);
}

#[test]
fn a_full_queue_says_busy_and_a_closed_ledger_says_closed() {
    let ledger = TempLedger::with(LedgerSettings {
        queue_bytes_max: 1000,
        ..LedgerSettings::default()
    });
    // The writer is held inside an ack, so that the queue fills up.
    let (held, holds) = mpsc::channel::<()>();
    let (entered, enters) = mpsc::channel();
    ledger.ledger.append(
        numbered(1..=1),
        Box::new(move |_| {
            entered.send(()).unwrap();
            holds.recv().unwrap();
        }),
    );
    enters.recv().unwrap();
    let (done, dones) = mpsc::channel();
    for _ in 0..3 {
        let done = done.clone();
        ledger
            .ledger
            .append(sized(600), Box::new(move |result| done.send(result).unwrap()));
    }
    for _ in 0..2 {
        assert!(matches!(dones.recv().unwrap(), Err(AppendError::Busy)));
    }
    held.send(()).unwrap();
    assert!(dones.recv().unwrap().is_ok());
    ledger.ledger.close();
    assert!(matches!(ledger.append(sized(1)), Err(AppendError::Closed)));
    assert_eq!(ledger.seqs(), [1, 2], "a closed ledger can still be read");
}

#[test]
fn a_reader_goes_on_where_it_ended_when_more_comes() {
    let ledger = TempLedger::new();
    ledger.fill(10);
    let mut reader = ledger.ledger.read(seq(4), &Filter::all());
    assert_eq!(seqs(&mut reader), (4..=10).collect::<Vec<_>>());
    assert_eq!(reader.position(), seq(11));
    ledger.fill(3000);
    assert_eq!(seqs(&mut reader), (11..=3010).collect::<Vec<_>>());
}

#[test]
fn a_cursor_beyond_the_head_is_told_so() {
    let ledger = TempLedger::new();
    ledger.fill(5);
    let mut reader = ledger.ledger.read(seq(9), &Filter::all());
    let Ok(Chunk::Gap(gap)) = reader.next_chunk(100) else {
        panic!("a gap is declared")
    };
    assert_eq!((gap.asked, gap.first, gap.lost), (seq(9), seq(6), 0));
    assert_eq!(gap.reason, GapReason::AheadOfLedger);
    assert!(matches!(reader.next_chunk(100), Ok(Chunk::End { next }) if next == seq(6)));
}

#[test]
fn chunks_keep_about_to_the_size_asked_for() {
    let ledger = TempLedger::new();
    ledger.fill(2000);
    let mut reader = ledger.ledger.read(Seq::FIRST, &Filter::all());
    let Ok(Chunk::Events { lines, scanned_to }) = reader.next_chunk(1) else {
        panic!("events come")
    };
    assert_eq!((lines.len(), scanned_to), (1, seq(1)));
    for chunk in chunks(&mut reader) {
        let Chunk::Events { lines, .. } = chunk else {
            panic!("only events come")
        };
        assert!(lines.bytes().len() < (64 << 10) + 1000);
    }
}

#[test]
fn segments_roll_at_block_ends_and_read_as_one() {
    let ledger = TempLedger::with_segments_of(100_000);
    ledger.fill(10_000);
    let firsts = ledger.segments();
    assert!(firsts.len() > 5, "{firsts:?}");
    assert!(firsts.iter().all(|first| (first - 1) % 1024 == 0), "{firsts:?}");
    assert_eq!(ledger.seqs(), (1..=10_000).collect::<Vec<_>>());
    let ledger = ledger.reopen();
    assert_eq!(ledger.segments(), firsts);
    assert_eq!(ledger.seqs(), (1..=10_000).collect::<Vec<_>>());
}

#[test]
fn a_full_segment_stays_full_when_the_ledger_is_opened_again() {
    let ledger = TempLedger::with_segments_of(1);
    ledger.fill(1024);
    let ledger = ledger.reopen();
    ledger.fill(10);
    assert_eq!(ledger.segments(), [1, 1025]);
    assert_eq!(ledger.seqs(), (1..=1034).collect::<Vec<_>>());
}

#[test]
fn segments_are_the_same_however_the_events_were_grouped() {
    let (one, other) = (
        TempLedger::with_segments_of(100_000),
        TempLedger::with_segments_of(100_000),
    );
    one.append(numbered(1..=5000)).unwrap();
    for n in (1..5000).step_by(7) {
        other.append(numbered(n..=5000.min(n + 6))).unwrap();
    }
    assert_eq!(one.segments(), other.segments());
}

#[test]
fn the_last_handle_may_go_inside_an_ack() {
    let ledger = TempLedger::new();
    let (data, handle) = (ledger.data.clone(), ledger.ledger.clone());
    let (done, dones) = mpsc::channel();
    let (gone, goes) = mpsc::channel::<()>();
    ledger.ledger.append(
        numbered(1..=1),
        Box::new(move |_| {
            goes.recv().unwrap();
            drop(handle);
            done.send(()).unwrap();
        }),
    );
    let folder = ledger.give_up();
    gone.send(()).unwrap();
    dones.recv().unwrap();
    let begun = std::time::Instant::now();
    while kymo_ledger::lock_state(&data).unwrap() != kymo_ledger::LockState::Free {
        assert!(begun.elapsed().as_secs() < 60, "the lock is let go");
        std::thread::yield_now();
    }
    drop(folder);
}

#[test]
fn a_caller_that_may_wait_for_the_disk_commits_on_its_own_thread() {
    let ledger = TempLedger::new();
    let (tell, told) = mpsc::channel();
    for number in 1..=3 {
        let tell = tell.clone();
        let done = move |appended: Result<kymo_ledger::Appended, AppendError>| {
            let first = appended.expect("durable").first;
            tell.send((first, std::thread::current().id())).expect("awaited");
        };
        ledger
            .ledger
            .append_here(numbered(number..=number), Box::new(done));
    }
    let here = std::thread::current().id();
    let expected: Vec<_> = (1..=3).map(|number| (seq(number), here)).collect();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
    assert_eq!(ledger.seqs(), [1, 2, 3]);
    assert_eq!(ledger.append(numbered(4..=4)).unwrap().first, seq(4));
}

#[test]
fn callers_on_many_threads_are_all_answered_whoever_writes() {
    let ledger = TempLedger::new();
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (tell, ledger) = (tell.clone(), &ledger.ledger);
            scope.spawn(move || {
                for number in 0..200 {
                    let tell = tell.clone();
                    let done = Box::new(move |appended: Result<kymo_ledger::Appended, AppendError>| {
                        tell.send(appended.expect("durable").first).expect("awaited");
                    });
                    // Half of them own a thread that may wait, and one waits for the ledger's own.
                    match (thread + number) % 2 {
                        0 => drop(ledger.append_here(numbered(1..=1), done)),
                        _ => ledger.append(numbered(1..=1), done),
                    }
                }
            });
        }
    });
    drop(tell);
    let patience = std::time::Duration::from_secs(30);
    let mut seqs: Vec<_> = (0..800)
        .map(|_| told.recv_timeout(patience).expect("answered").get())
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=800).collect::<Vec<_>>());
}
