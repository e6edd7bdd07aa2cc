//! A disk that fails: nothing is claimed that is not so, and everything goes on when it works again.
mod common;

use std::sync::atomic::Ordering::SeqCst;

use common::*;
use kymo_hub::{Delivery, From, HubSettings, PublishError};

#[tokio::test]
async fn what_could_not_be_written_is_refused_and_can_be_sent_again() {
    let hub = TempHub::new();
    hub.publish([with_id("a", "1")]).await;
    hub.faults.writes.store(true, SeqCst);
    let refused = publish(&hub.hub, [with_id("b", "2"), with_id("a", "1")]).await;
    assert!(
        matches!(&refused, Err(PublishError::Unwritable(cause)) if cause.contains("injected")),
        "{refused:?}"
    );
    let known = hub.publish([with_id("a", "1")]).await;
    assert_eq!(
        (known.accepted, known.duplicates.len()),
        (0, 1),
        "what is stored is known without writing"
    );
    hub.faults.writes.store(false, SeqCst);
    let again = hub.publish([with_id("b", "2"), with_id("a", "1")]).await;
    assert_eq!(
        (again.accepted, again.duplicates.len()),
        (1, 1),
        "the failed try left no claim"
    );
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full() {
    let hub = TempHub::new();
    hub.fill(1).await;
    hub.faults.full.store(true, SeqCst);
    assert_eq!(
        publish(&hub.hub, [numbered(1)]).await,
        Err(PublishError::DiskFull)
    );
    let mut reader = hub.read("", From::Start);
    assert_eq!(reader.up_to(1).await, [1], "reading goes on");
    hub.faults.full.store(false, SeqCst);
    assert_eq!(hub.fill(1).await.accepted, 1, "accepting resumes by itself");
}

#[tokio::test]
async fn no_reader_sees_what_was_not_written() {
    let hub = TempHub::new();
    let mut reader = hub.read("", From::Now);
    reader.caught_up().await;
    for round in 0..20_u64 {
        hub.faults.writes.store(true, SeqCst);
        publish(&hub.hub, [numbered(1), numbered(2)])
            .await
            .expect_err("the disk fails");
        assert!(reader.subscriber.try_next().is_none());
        hub.faults.writes.store(false, SeqCst);
        hub.fill(1).await;
        assert_eq!(reader.up_to(round + 1).await, [round + 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_cannot_be_read_is_said_and_read_again_later() {
    let hub = TempHub::with(HubSettings {
        ring_bytes_max: 0,
        ..HubSettings::default()
    });
    hub.fill(100).await;
    hub.faults.reads.store(true, SeqCst);
    let mut reader = hub.read("", From::Start);
    for _ in 0..3 {
        let Delivery::Failed { code, message } = reader.next().await else {
            panic!("the disk fails")
        };
        assert_eq!(code, "ledger_unreadable");
        assert!(
            message.contains("injected") && message.contains("kymo verify"),
            "{message}"
        );
    }
    hub.faults.reads.store(false, SeqCst);
    assert_eq!(reader.up_to(100).await.len(), 100);
}

#[tokio::test]
async fn notes_wait_for_a_ledger_that_cannot_be_written() {
    let hub = TempHub::made(Made {
        notices: true,
        ..Made::default()
    });
    hub.fill(1).await;
    hub.faults.writes.store(true, SeqCst);
    publish(&hub.hub, [numbered(1)])
        .await
        .expect_err("the disk fails");
    hub.faults.writes.store(false, SeqCst);
    let mut reader = hub.read("type:kymo.ledger.write_failed", From::Start);
    loop {
        if let Delivery::Frame { events: 1.., .. } = reader.next().await {
            break;
        }
    }
}
