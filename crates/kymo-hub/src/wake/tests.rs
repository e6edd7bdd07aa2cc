//! What a reader may believe of its lull while others look.

use std::thread;

use kymo_event::{Batch, Event, Filter, LineView, Micros, write_line};
use kymo_ledger::Lines;

use super::*;
use crate::{Encoder, feeds::Feed};

#[derive(Debug)]
struct Nothing;

impl Encoder for Nothing {
    fn name(&self) -> &str {
        "nothing"
    }
    fn frame(&self, _: u32, _: Seq, _: &mut dyn Iterator<Item = LineView<'_>>, _: &mut Vec<u8>) {}
}

const EVENTS: u64 = 5_000;
/// One in so many is for the reader.
const ITS_OWN: u64 = 3;

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}

fn line(at: u64) -> Lines {
    let kind = if at.is_multiple_of(ITS_OWN) {
        "its.own"
    } else {
        "other"
    };
    let (mut batch, mut bytes) = (Batch::default(), Vec::new());
    batch.push(&Event::new(kind, "test"));
    write_line(&mut bytes, seq(at), &Micros(0).text(), batch.body(0));
    Lines {
        first: seq(at),
        ends: [u32::try_from(bytes.len()).expect("short")].into(),
        bytes: bytes.into(),
    }
}

fn feed(wake: &Wake, filter: &str) -> Arc<Feed> {
    wake.feeds
        .join(Filter::parse(filter).expect("a filter"), Arc::new(Nothing))
}

#[test]
fn no_lull_goes_on_over_what_is_for_those_who_wait_in_it() {
    let ring = Arc::new(Ring::new(1 << 20, 1 << 16, Seq::FIRST));
    let wake = Wake::new(Arc::clone(&ring), Arc::default());
    // Others that are looked at before and after, so that looking takes a while.
    let others: Vec<_> = (0..40)
        .map(|n| feed(&wake, &format!("type:never-{n}*")))
        .collect();
    let waiting: Vec<_> = others.iter().map(|feed| (feed.lull(), wake.wait())).collect();
    let its_own = feed(&wake, "type:its.*");
    let at_end = AtomicU64::new(1);
    let read = || {
        let (mut next, mut passed_asleep) = (1, 0);
        while next <= EVENTS {
            at_end.store(next, SeqCst);
            let _waiting = wake.wait();
            let lull = its_own.lull();
            let end = ring.horizon().end.get();
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
    let passed_asleep = thread::scope(|threads| {
        let reader = threads.spawn(read);
        for at in 1..=EVENTS {
            // Nobody waits where there is something.
            while at_end.load(SeqCst) < at && !reader.is_finished() {
                thread::yield_now();
            }
            ring.push(&line(at));
            wake.look();
        }
        reader.join().expect("the reader saw nothing wrong")
    });
    assert!(
        passed_asleep > EVENTS / 20,
        "it hardly ever waited: {passed_asleep}"
    );
    assert!(
        waiting.iter().all(|(lull, _)| !lull.is_over()),
        "nothing came for the others"
    );
}
