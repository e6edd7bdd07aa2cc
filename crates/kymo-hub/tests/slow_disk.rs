//! Who waits for the disk: whoever joins lone events, unless that would keep it from all else.
mod common;

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Context, Waker},
    thread::{self, ThreadId},
};

use common::*;
use kymo_event::{Limits, RecordFormat, Records};
use kymo_hub::{Combiner, Principal};

/// Far longer than what counts as slow, however many fast ones it is taken together with.
const HANGS_MS: u64 = 300;

/// Stores an event by way of the combiner; which thread waited for the disk.
async fn store(hub: &TempHub, combiner: &Combiner) -> ThreadId {
    let records =
        Records::new(br#"{"type":"a.b"}"#, RecordFormat::Json, &Limits::default()).expect("records");
    let ticket = combiner
        .take(&Arc::new(Principal::owner()), records, None, Waker::noop())
        .expect("plain");
    let mut run = Box::pin(combiner.run());
    let settled = async {
        while !ticket.is_settled() {
            let _ = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, settled)
        .await
        .expect("it is answered");
    let by = hub.faults.synced_by.lock().expect("nobody panicked");
    by.expect("it was synced")
}

#[tokio::test]
async fn a_fast_disk_is_waited_for_where_events_are_joined_and_one_that_hung_by_the_ledgers_thread() {
    let hub = TempHub::new();
    let combiner = Combiner::new(&hub.hub);
    let here = thread::current().id();
    assert_eq!(store(&hub, &combiner).await, here);
    // A machine that sleeps for long in between makes the disk fast again.
    for tries in 1.. {
        hub.faults.sync_ms.store(HANGS_MS, SeqCst);
        store(&hub, &combiner).await;
        hub.faults.sync_ms.store(0, SeqCst);
        if store(&hub, &combiner).await != here {
            break;
        }
        assert!(tries < 5, "a disk that hangs is waited for here");
    }
}
