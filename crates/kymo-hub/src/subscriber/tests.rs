//! A reader that is about to wait, and what happens just then.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use kymo_event::{Event, Filter};
use kymo_ledger::{Ledger, LedgerSettings};

use super::*;
use crate::{
    From, Hub, HubSettings, Principal, SubscribeRequest,
    samples::{Nothing, group, seq},
};

/// A reader of everything that is live, on a ledger without events; what comes is put into the ring.
struct Idle {
    reader: Subscriber,
    _hub: Hub,
    _folder: tempfile::TempDir,
}

impl Idle {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger =
            Ledger::open(folder.path(), LedgerSettings::default(), Box::new(|_| {})).expect("a ledger");
        let hub = Hub::start(HubSettings::default(), ledger);
        let request = SubscribeRequest {
            filter: Filter::all(),
            channels: vec![],
            from: From::Now,
            encoder: Arc::new(Nothing),
        };
        let reader = hub.subscribe(request, &Principal::owner()).await;
        let mut reader = reader.expect("the owner may read");
        assert!(matches!(reader.next().await, Delivery::CaughtUp { .. }));
        assert!(reader.try_next().is_none(), "it would wait now");
        Self {
            reader,
            _hub: hub,
            _folder: folder,
        }
    }

    fn commit(&self, at: u64) {
        self.reader.hub.ring.push(&group(at, [Event::new("a", "test")]));
    }
}

fn is_over_at_once(wait: impl Future<Output = ()>) -> bool {
    matches!(
        pin!(wait).poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(())
    )
}

#[tokio::test]
async fn who_has_everything_waits() {
    let mut idle = Idle::new().await;
    assert!(!is_over_at_once(idle.reader.sleep()));
}

#[tokio::test]
async fn what_came_before_it_waited_is_not_waited_for() {
    let mut idle = Idle::new().await;
    // Nobody waits, so nobody is woken.
    idle.commit(1);
    assert!(is_over_at_once(idle.reader.sleep()));
}

#[tokio::test]
async fn nobody_waits_in_a_lull_that_ended_before_they_heard_its_bell() {
    let idle = Idle::new().await;
    let lull = idle.reader.feed.lull();
    idle.reader.hub.feeds.wake_all(seq(1));
    assert!(is_over_at_once(idle.reader.wait_in(&lull, None)));
}

#[tokio::test]
async fn nobody_waits_once_nothing_can_come() {
    let mut idle = Idle::new().await;
    idle.reader.hub.ring.close();
    assert!(is_over_at_once(idle.reader.sleep()));
}

/// Times that an event comes while the reader is about to wait.
const COMMITS: u64 = 20_000;

#[test]
fn no_event_is_missed_that_comes_just_when_it_begins_to_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut idle = runtime.block_on(Idle::new());
    let hub = Arc::clone(&idle.reader.hub);
    let passed = std::sync::atomic::AtomicU64::new(0);
    let commit = |at| {
        hub.ring.push(&group(at, [Event::new("a", "test")]));
        hub.wake.committed();
    };
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for at in 1..=COMMITS {
                // As soon as it has the one before, whatever it does then.
                while passed.load(std::sync::atomic::Ordering::SeqCst) + 1 < at {
                    std::hint::spin_loop();
                }
                commit(at);
            }
        });
        for at in 1..=COMMITS {
            let next = async { tokio::time::timeout(Duration::from_secs(20), idle.reader.next()).await };
            let delivery = runtime.block_on(next).expect("it was woken");
            assert!(matches!(delivery, Delivery::Frame { cursor, .. } if cursor == seq(at)));
            passed.store(at, std::sync::atomic::Ordering::SeqCst);
        }
    });
}
