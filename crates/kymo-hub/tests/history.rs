//! Pages of the past: both directions, every limit, every edge.
mod common;

use common::*;
use kymo_event::{Filter, LineView, Seq};
use kymo_hub::{From, HistoryPage, HistoryRequest, Principal};
use kymo_ledger::GapReason;
use proptest::prelude::*;

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}

fn at(value: u64) -> Option<From> {
    Some(From::Seq(seq(value), None))
}

fn request(filter: &str) -> HistoryRequest {
    HistoryRequest {
        filter: Filter::parse(filter).expect("a filter"),
        channels: vec![],
        from: None,
        to: None,
        limit: 100,
        bytes_max: 1 << 20,
        newest_first: false,
    }
}

async fn page(hub: &TempHub, request: HistoryRequest) -> HistoryPage {
    hub.hub
        .history(request, &Principal::owner())
        .await
        .expect("a page")
}

fn seqs_of(page: &HistoryPage) -> Vec<u64> {
    let seq = |line: &bytes::Bytes| LineView::parse(line).expect("a line").seq().get();
    page.lines.iter().map(seq).collect()
}

#[tokio::test]
async fn a_page_ends_at_its_limit_and_says_where_the_next_begins() {
    let hub = TempHub::new();
    hub.fill(10).await;
    let first = page(
        &hub,
        HistoryRequest {
            limit: 3,
            ..request("type:even")
        },
    )
    .await;
    assert_eq!(seqs_of(&first), [2, 4, 6]);
    let next = first.next.expect("there is more");
    assert!((7..=8).contains(&next.get()), "{next}");
    assert_eq!(first.cursor, next.prev());
    let rest = page(
        &hub,
        HistoryRequest {
            from: at(next.get()),
            ..request("type:even")
        },
    )
    .await;
    assert_eq!(
        (seqs_of(&rest), rest.next, rest.cursor),
        (vec![8, 10], None, Some(seq(10)))
    );
}

#[tokio::test]
async fn newest_first_goes_the_other_way() {
    let hub = TempHub::new();
    hub.fill(10).await;
    let newest = |limit, to| HistoryRequest {
        limit,
        to,
        newest_first: true,
        ..request("")
    };
    let first = page(&hub, newest(4, None)).await;
    assert_eq!((seqs_of(&first), first.next), (vec![10, 9, 8, 7], Some(seq(7))));
    assert_eq!(first.cursor, Some(seq(7)));
    let rest = page(&hub, newest(100, at(7))).await;
    assert_eq!((seqs_of(&rest), rest.next), (vec![6, 5, 4, 3, 2, 1], None));
    assert_eq!(rest.cursor, Some(seq(1)));
}

#[tokio::test]
async fn from_is_inclusive_and_to_is_not() {
    let hub = TempHub::new();
    hub.fill(10).await;
    for newest_first in [false, true] {
        let range = HistoryRequest {
            from: at(3),
            to: at(6),
            newest_first,
            ..request("")
        };
        let mut seqs = seqs_of(&page(&hub, range).await);
        seqs.sort_unstable();
        assert_eq!(seqs, [3, 4, 5]);
    }
}

#[tokio::test]
async fn bytes_end_a_page_too_but_one_event_always_fits() {
    let hub = TempHub::new();
    hub.fill(10).await;
    let small = page(
        &hub,
        HistoryRequest {
            bytes_max: 1,
            ..request("")
        },
    )
    .await;
    assert_eq!((seqs_of(&small), small.next), (vec![1], Some(seq(2))));
    let some = page(
        &hub,
        HistoryRequest {
            bytes_max: 500,
            ..request("")
        },
    )
    .await;
    assert!((2..5).contains(&some.lines.len()));
    assert!(some.lines.iter().map(|line| line.len()).sum::<usize>() <= 500);
}

#[tokio::test]
async fn edges_that_hold_nothing_are_empty_pages() {
    let empty = TempHub::new();
    for newest_first in [false, true] {
        let nothing = page(
            &empty,
            HistoryRequest {
                newest_first,
                ..request("")
            },
        )
        .await;
        assert_eq!(
            (seqs_of(&nothing), nothing.next, nothing.cursor),
            (vec![], None, None)
        );
    }
    let hub = TempHub::new();
    hub.fill(3).await;
    let backwards = page(
        &hub,
        HistoryRequest {
            from: at(3),
            to: at(2),
            ..request("")
        },
    )
    .await;
    assert_eq!((seqs_of(&backwards), backwards.next), (vec![], None));
    let none = page(
        &hub,
        HistoryRequest {
            limit: 0,
            ..request("")
        },
    )
    .await;
    assert_eq!((seqs_of(&none), none.next), (vec![], Some(seq(1))));
}

#[tokio::test]
async fn a_beginning_beyond_the_head_is_said_to_be_a_gap() {
    let hub = TempHub::new();
    hub.fill(3).await;
    let beyond = page(
        &hub,
        HistoryRequest {
            from: at(50),
            ..request("")
        },
    )
    .await;
    assert_eq!(seqs_of(&beyond), [0_u64; 0]);
    assert_eq!(
        (beyond.gaps[0].first, beyond.gaps[0].reason),
        (seq(4), GapReason::AheadOfLedger)
    );
}

#[tokio::test]
async fn times_mean_when_an_event_was_recorded() {
    let hub = TempHub::new();
    hub.fill(2).await;
    let hour = 3_600_000_000;
    let recent = page(
        &hub,
        HistoryRequest {
            from: Some(From::Ago(hour)),
            ..request("")
        },
    )
    .await;
    assert_eq!(seqs_of(&recent), [1, 2]);
    let future = hub.hub.resolve(&From::Ago(-hour)).await.expect("a seq");
    assert_eq!(future, seq(3), "after the newest");
    let before = page(
        &hub,
        HistoryRequest {
            to: Some(From::Ago(hour)),
            ..request("")
        },
    )
    .await;
    assert_eq!(seqs_of(&before), [0_u64; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn pages_joined_are_the_whole(limit in 1_usize..40, bytes_max in 100_usize..9_000, newest_first: bool, low in 1_u64..200, length in 0_u64..300) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let hub = TempHub::new();
            hub.fill(300).await;
            let high = (low + length).min(301);
            let (mut from, mut to) = (low, high);
            let mut got = vec![];
            loop {
                let request = HistoryRequest { from: at(from), to: at(to), limit, bytes_max, newest_first, ..request("type:even") };
                let page = page(&hub, request).await;
                got.extend(seqs_of(&page));
                let Some(next) = page.next else { break };
                if newest_first { to = next.get() } else { from = next.get() }
            }
            let mut expected: Vec<_> = (low..high).filter(|seq| seq % 2 == 0).collect();
            if newest_first {
                expected.reverse();
            }
            assert_eq!(got, expected);
        });
    }
}
