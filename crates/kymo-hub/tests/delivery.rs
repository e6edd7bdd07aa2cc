//! What readers are given: the matching events, in order, once, and the truth about everything else.
mod common;

use common::*;
use kymo_event::{Filter, LedgerId, Seq};
use kymo_hub::{Delivery, From, HubSettings, Principal, SubscribeRequest};
use kymo_ledger::{Gap, GapReason, LedgerSettings};

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}

fn small_ring() -> HubSettings {
    HubSettings {
        ring_bytes_max: 8 << 10,
        frame_bytes_max: 1 << 10,
        ..HubSettings::default()
    }
}

#[tokio::test]
async fn a_reader_of_an_empty_ledger_is_live_at_once_and_gets_what_comes() {
    let hub = TempHub::new();
    let mut reader = hub.read("", From::Now);
    assert_eq!(reader.subscriber.from(), seq(1));
    assert!(matches!(reader.next().await, Delivery::CaughtUp { cursor: None }));
    assert!(reader.subscriber.try_next().is_none());
    hub.fill(3).await;
    assert_eq!(reader.up_to(3).await, [1, 2, 3]);
}

#[tokio::test]
async fn history_and_live_join_without_a_seam() {
    let hub = TempHub::with(small_ring());
    hub.fill(500).await;
    let mut reader = hub.read("", From::Start);
    let mut got = reader.up_to(400).await;
    hub.fill(500).await;
    got.extend(reader.up_to(1_000).await);
    assert_eq!(got, (1..=1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn from_a_seq_begins_with_the_first_match_at_or_after_it() {
    let hub = TempHub::with(small_ring());
    hub.fill(300).await;
    assert_eq!(
        hub.read("type:even", From::Seq(seq(7), None)).up_to(12).await[..3],
        [8, 10, 12]
    );
    let id = hub.hub.ledger().id();
    assert_eq!(
        hub.read("", From::Seq(seq(299), Some(id))).up_to(300).await,
        [299, 300]
    );
    let mut next = hub.read("", From::Seq(seq(301), None));
    next.caught_up().await;
    hub.fill(1).await;
    assert_eq!(
        next.up_to(301).await,
        [301],
        "the seq after the head is where a live reader resumes"
    );
}

#[tokio::test]
async fn a_cursor_beyond_the_head_is_told_so_and_goes_on_live() {
    let hub = TempHub::new();
    hub.fill(5).await;
    let mut reader = hub.read("", From::Seq(seq(100), None));
    let Delivery::Gap(gap) = reader.next().await else {
        panic!("the cursor is ahead of the ledger")
    };
    assert_eq!((gap.asked, gap.first, gap.lost), (seq(100), seq(6), 94));
    assert_eq!(gap.reason, GapReason::AheadOfLedger);
    reader.caught_up().await;
    hub.fill(1).await;
    assert_eq!(reader.up_to(6).await, [6]);
}

#[tokio::test]
async fn a_cursor_of_another_ledger_is_told_so_and_begins_at_the_start() {
    let hub = TempHub::new();
    hub.fill(5).await;
    let mut reader = hub.read("", From::Seq(seq(3), Some(LedgerId::new("another"))));
    let Delivery::Gap(gap) = reader.next().await else {
        panic!("the cursor is of another ledger")
    };
    assert_eq!((gap.asked, gap.first), (seq(3), seq(1)));
    assert_eq!(gap.reason, GapReason::OtherLedger);
    assert_eq!(reader.up_to(5).await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_live_reader_that_lets_the_ring_go_by_is_told_and_misses_nothing() {
    let hub = TempHub::with(small_ring());
    let mut reader = hub.read("", From::Now);
    reader.caught_up().await;
    hub.fill(1_000).await;
    let Delivery::FellBehind { cursor, lag_events } = reader.next().await else {
        panic!("eight kilobytes do not hold a thousand events")
    };
    assert_eq!((cursor, lag_events), (None, 1_000));
    assert_eq!(reader.up_to(1_000).await, (1..=1_000).collect::<Vec<_>>());
    reader.caught_up().await;
}

#[tokio::test]
async fn five_hundred_readers_share_one_frame() {
    let hub = TempHub::new();
    let mut readers: Vec<_> = (0..500).map(|_| hub.read("type:even", From::Now)).collect();
    for reader in &mut readers {
        reader.caught_up().await;
    }
    hub.fill(10).await;
    let mut places = std::collections::HashSet::new();
    for reader in &mut readers {
        let Some(Delivery::Frame {
            bytes,
            events,
            cursor,
        }) = reader.subscriber.try_next()
        else {
            panic!("a frame is there")
        };
        assert_eq!((events, cursor, seqs(&bytes)), (5, seq(10), vec![2, 4, 6, 8, 10]));
        places.insert(bytes.as_ptr());
    }
    assert_eq!(places.len(), 1, "the very same bytes");
}

#[tokio::test]
async fn readers_who_fall_behind_together_share_what_is_read_for_them() {
    let hub = TempHub::with(small_ring());
    hub.fill(2_000).await;
    let mut one = hub.read("", From::Start);
    let mut other = hub.read("", From::Seq(seq(3), None));
    let mut frames = [std::collections::HashMap::new(), std::collections::HashMap::new()];
    for (reader, frames) in [&mut one, &mut other].into_iter().zip(&mut frames) {
        loop {
            match reader.next().await {
                Delivery::Frame { bytes, cursor, .. } => frames.insert(cursor, bytes.as_ptr()),
                Delivery::CaughtUp { .. } => break,
                other => panic!("{other:?}"),
            };
        }
    }
    let shared = frames[0]
        .iter()
        .filter(|(cursor, place)| frames[1].get(cursor) == Some(place));
    let shared = shared.count();
    assert!(
        shared * 10 > frames[0].len() * 8,
        "{shared} of {} frames",
        frames[0].len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_filtered_readers_cursor_moves_after_a_second_without_a_match() {
    let hub = TempHub::new();
    let mut reader = hub.read("type:never", From::Now);
    reader.caught_up().await;
    hub.fill(3).await;
    assert!(reader.subscriber.try_next().is_none());
    let Delivery::Frame {
        bytes,
        cursor,
        events,
    } = reader.next().await
    else {
        panic!("a frame without events was due")
    };
    assert_eq!((bytes.len(), cursor, events), (0, seq(3), 0));
    assert!(reader.subscriber.try_next().is_none(), "told once");
}

#[tokio::test]
async fn a_dropped_future_loses_nothing() {
    let hub = TempHub::with(small_ring());
    hub.fill(800).await;
    let mut reader = hub.read("", From::Start);
    let mut got = vec![];
    while got.last() != Some(&800) {
        // Polled once and dropped, again and again: a door that also listens to its client does that.
        let next = tokio::select! {
            biased;
            delivery = reader.subscriber.next() => Some(delivery),
            () = tokio::task::yield_now() => None,
        };
        match next {
            Some(Delivery::Frame { bytes, .. }) => got.extend(seqs(&bytes)),
            Some(Delivery::CaughtUp { .. }) | None => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(got, (1..=800).collect::<Vec<_>>());
}

#[tokio::test]
async fn closing_delivers_what_is_durable_and_says_where_to_resume() {
    let hub = TempHub::new();
    let mut reader = hub.read("", From::Now);
    reader.caught_up().await;
    hub.fill(7).await;
    hub.hub.close().await;
    assert_eq!(reader.up_to(7).await, [1, 2, 3, 4, 5, 6, 7]);
    let delivery = reader.next().await;
    assert!(
        matches!(delivery, Delivery::Closing { cursor: Some(at) } if at == seq(7)),
        "{delivery:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_wait_all_are_woken() {
    for waiting in [1, 64, 300] {
        let hub = TempHub::new();
        let mut readers = vec![];
        for _ in 0..waiting {
            let mut reader = hub.read("", From::Now);
            reader.caught_up().await;
            readers.push(tokio::spawn(async move { reader.up_to(1).await }));
        }
        hub.fill(1).await;
        for reader in readers {
            assert_eq!(reader.await.expect("no panic"), [1]);
        }
    }
}

fn small_segments() -> LedgerSettings {
    LedgerSettings {
        segment_bytes_max: 100_000,
        ..LedgerSettings::default()
    }
}

/// Every seq that was delivered, and every gap that was told, until the reader is live.
async fn told(reader: &mut Reader) -> (Vec<u64>, Vec<Gap>) {
    let (mut got, mut gaps) = (vec![], vec![]);
    loop {
        match reader.next().await {
            Delivery::Frame { bytes, .. } => got.extend(seqs(&bytes)),
            Delivery::Gap(gap) => gaps.push(gap),
            Delivery::CaughtUp { .. } => return (got, gaps),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_retention_removed_is_told_and_the_rest_follows() {
    let settings = LedgerSettings {
        retain_bytes: Some(1),
        ..small_segments()
    };
    let hub = TempHub::with_ledger(small_ring(), settings);
    for _ in 0..4 {
        hub.fill(2_048).await;
    }
    hub.forget_the_oldest().await;
    let first = hub.hub.ledger().first().get();
    let (got, gaps) = told(&mut hub.read("source:test", From::Seq(seq(10), None))).await;
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].asked, gaps[0].first.get(), gaps[0].lost),
        (seq(10), first, first - 10)
    );
    assert_eq!(gaps[0].reason, GapReason::Retention);
    assert!(got.into_iter().eq(first..=8_192));
    let (_, gaps) = told(&mut hub.read("source:test", From::Start)).await;
    assert_eq!(gaps, [], "the start is where the ledger begins");
}

#[tokio::test]
async fn damage_is_told_and_costs_only_itself() {
    let hub = TempHub::with_ledger(small_ring(), small_segments());
    for _ in 0..4 {
        hub.fill(2_048).await;
    }
    let hub = hub.restarted().await;
    let path = &hub.segments()[1];
    let mut bytes = std::fs::read(path).expect("a segment");
    let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    bytes[line + 60] ^= 1;
    std::fs::write(path, &bytes).expect("a damaged segment");
    let (got, gaps) = told(&mut hub.read("source:test", From::Start)).await;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].reason, gaps[0].lost), (GapReason::Damaged, 1));
    let lost = gaps[0].asked.get();
    assert!(got.into_iter().eq((1..=8_192).filter(|at| *at != lost)));
}

#[tokio::test]
async fn from_a_time_begins_with_what_was_recorded_since() {
    let hub = TempHub::new();
    hub.fill(3).await;
    for (ago, first) in [(3_600_000_000, 1), (-3_600_000_000, 4)] {
        let request = SubscribeRequest {
            filter: Filter::all(),
            channels: vec![],
            from: From::Ago(ago),
            encoder: std::sync::Arc::new(Seqs),
        };
        let subscriber = hub
            .hub
            .subscribe(request, &Principal::owner())
            .await
            .expect("it may read");
        assert_eq!(subscriber.from(), seq(first));
    }
}
