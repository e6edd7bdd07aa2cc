//! What a reader may believe of its lull while others look.

use std::{sync::atomic::AtomicBool, thread};

use kymo_event::{Event, Filter};
use kymo_ledger::Lines;

use super::*;
use crate::{
    feeds::Feed,
    samples::{Nothing, group, seq},
};

const EVENTS: u64 = 5_000;
/// One in so many is for the reader.
const ITS_OWN: u64 = 3;

fn line(at: u64) -> Lines {
    let kind = if at.is_multiple_of(ITS_OWN) {
        "its.own"
    } else {
        "other"
    };
    group(at, [Event::new(kind, "test")])
}

fn wake() -> Wake {
    Wake::new(Arc::new(Ring::new(1 << 20, 1 << 16, Seq::FIRST)), Arc::default())
}

fn feed(wake: &Wake, filter: &str) -> Arc<Feed> {
    wake.feeds
        .join(Filter::parse(filter).expect("a filter"), Arc::new(Nothing))
}

/// Reads what is its own of [`EVENTS`], while `commit` makes each known; `beside` goes on until all are read. Returns
/// how many the reader passed asleep.
fn reads_while(wake: &Wake, commit: impl Fn(), beside: impl Fn() + Sync) -> u64 {
    let its_own = feed(wake, "type:its.*");
    let at_end = AtomicU64::new(1);
    let read = || {
        let (mut next, mut passed_asleep) = (1, 0);
        while next <= EVENTS {
            at_end.store(next, SeqCst);
            let _waiting = wake.wait();
            let lull = its_own.lull();
            let end = wake.ring.horizon().end.get();
            if next < end || lull.is_over() {
                // It reads what the ring has.
                next = end;
                continue;
            }
            loop {
                let is_over = lull.is_over();
                let passed = lull.passed(wake.looked()).get();
                assert!(
                    (next..passed).all(|at| !at.is_multiple_of(ITS_OWN)),
                    "{next} to {passed} was said to be for others"
                );
                passed_asleep += passed.saturating_sub(next);
                next = next.max(passed);
                at_end.store(next, SeqCst);
                if is_over || next > EVENTS {
                    break;
                }
                std::hint::spin_loop();
            }
        }
        passed_asleep
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let reader = threads.spawn(read);
        threads.spawn(|| {
            while !is_over.load(SeqCst) {
                beside();
                thread::yield_now();
            }
        });
        for at in 1..=EVENTS {
            // Nobody waits where there is something.
            while at_end.load(SeqCst) < at && !reader.is_finished() {
                thread::yield_now();
            }
            wake.ring.push(&line(at));
            commit();
        }
        let passed_asleep = reader.join();
        is_over.store(true, SeqCst);
        passed_asleep.expect("the reader saw nothing wrong")
    })
}

#[test]
fn no_lull_goes_on_over_what_is_for_those_who_wait_in_it() {
    let wake = wake();
    // Others that are looked at before and after, so that looking takes a while.
    let others: Vec<_> = (0..40)
        .map(|n| feed(&wake, &format!("type:never-{n}*")))
        .collect();
    let waiting: Vec<_> = others.iter().map(|feed| (feed.lull(), wake.wait())).collect();
    let passed_asleep = reads_while(&wake, || wake.look(), || {});
    assert!(
        passed_asleep > EVENTS / 20,
        "it hardly ever waited: {passed_asleep}"
    );
    assert!(
        waiting.iter().all(|(lull, _)| !lull.is_over()),
        "nothing came for the others"
    );
}

#[test]
fn who_is_woken_by_the_writer_while_another_looks_passes_nothing_of_its_own() {
    let wake = wake();
    let few: Vec<_> = (0..10)
        .map(|n| feed(&wake, &format!("type:never-{n}*")))
        .collect();
    let _waiting: Vec<_> = few.iter().map(|_| wake.wait()).collect();
    // The writer's way leaves the waking to the other where that one is at the feeds.
    reads_while(&wake, || wake.committed(), || wake.look());
}

#[test]
fn a_fault_in_looking_wakes_all_and_the_next_look_is_as_ever() {
    let wake = wake();
    let mine = feed(&wake, "type:its.*");
    let (lull, _waiting) = (mine.lull(), wake.wait());
    // A line that ends where there are no bytes.
    wake.ring.push(&Lines {
        ends: [9_999].into(),
        ..line(1)
    });
    wake.look();
    assert!(lull.is_over(), "who waits finds out for themselves");
    assert_eq!((lull.passed(seq(9)), wake.looked()), (seq(1), seq(2)));
    let lull = mine.lull();
    wake.ring.push(&line(2));
    wake.look();
    assert!(!lull.is_over(), "what came is for others");
    wake.ring.push(&line(3));
    wake.look();
    assert!(lull.is_over());
    assert_eq!(lull.passed(seq(9)), seq(3));
}
