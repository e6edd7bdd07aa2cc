//! Very many readers who wait: nobody is woken for what is not theirs, and nobody misses what is.
mod common;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Instant,
};

use common::*;
use kymo_event::Event;
use kymo_hub::{Delivery, From, HubSettings};
use tokio::task::JoinHandle;

/// More than are woken one and all.
const CROWD: usize = 200;
const COMMITS: u64 = 300;

fn of_agent(agent: &str) -> Event<'static> {
    let mut event = numbered(0);
    event.agent = Some(agent.to_owned().into());
    event
}

/// Waits until `is_so`, and lets others work meanwhile.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::task::yield_now().await;
    }
}

fn is_up_to_date(hub: &TempHub) -> bool {
    hub.hub
        .counters()
        .readers
        .iter()
        .all(|reader| reader.lag_events == 0)
}

/// Readers that wait, and how often any of them was woken.
struct Crowd {
    wakes: Arc<AtomicUsize>,
    /// Each ends with the first events it is given, and what else it was told before.
    members: Vec<JoinHandle<(Vec<u64>, Vec<Delivery>)>>,
}

impl Crowd {
    async fn gather(hub: &TempHub, filter: impl Fn(usize) -> String) -> Self {
        let (wakes, waiting) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut members = vec![];
        for member in 0..CROWD {
            let mut reader = hub.read(&filter(member), From::Now);
            reader.caught_up().await;
            let (wakes, waiting) = (Arc::clone(&wakes), Arc::clone(&waiting));
            members.push(tokio::spawn(async move {
                let mut told = vec![];
                loop {
                    let mut is_first = told.is_empty();
                    let mut next = pin!(reader.next());
                    let delivery = std::future::poll_fn(|cx| {
                        let counter = if std::mem::take(&mut is_first) {
                            &waiting
                        } else {
                            &wakes
                        };
                        counter.fetch_add(1, SeqCst);
                        next.as_mut().poll(cx)
                    });
                    match delivery.await {
                        Delivery::Frame { bytes, events, .. } if events > 0 => return (seqs(&bytes), told),
                        other => told.push(other),
                    }
                }
            }));
        }
        until("all wait", || waiting.load(SeqCst) >= CROWD).await;
        Self { wakes, members }
    }
}

async fn nobody_is_woken(filter: impl Fn(usize) -> String) {
    let hub = TempHub::new();
    let crowd = Crowd::gather(&hub, filter).await;
    let mut busy = hub.read("agent:busy", From::Now);
    busy.caught_up().await;
    for commit in 1..=COMMITS {
        hub.publish([of_agent("busy")]).await;
        assert_eq!(
            busy.up_to(commit).await,
            [commit],
            "who waits among many is woken for its own"
        );
    }
    let wakes = crowd.wakes.load(SeqCst) as u64;
    // Now and then each is told its cursor; by how often, time decides, and not how much is committed.
    assert!(
        wakes < CROWD as u64 * COMMITS / 10,
        "{wakes} wake-ups for nothing"
    );
    until("all have passed what is not theirs", || is_up_to_date(&hub)).await;
    crowd.members.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_with_one_filter_sleeps_through_what_is_not_theirs() {
    nobody_is_woken(|_| "agent:idle".into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_with_a_value_for_each_sleeps_through_what_is_not_theirs() {
    nobody_is_woken(|member| format!("agent:idle-{member} nothing")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_with_a_pattern_for_each_sleeps_through_what_is_not_theirs() {
    nobody_is_woken(|member| format!("type:idle.{member}.*")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_slept_while_the_ring_went_by_did_not_fall_behind_and_gets_what_is_theirs() {
    let hub = TempHub::with(HubSettings {
        ring_bytes_max: 64 << 10,
        ..HubSettings::default()
    });
    let crowd = Crowd::gather(&hub, |_| "agent:idle".into()).await;
    let mut follower = hub.read("", From::Now);
    follower.caught_up().await;
    for commit in 1..=COMMITS {
        hub.publish((0..4).map(|_| of_agent("busy"))).await;
        // Who looks on behalf of others keeps up, too; else the ring would have gone by indeed.
        follower.up_to(commit * 4).await;
        until("what came was looked at", || is_up_to_date(&hub)).await;
    }
    let theirs = hub
        .publish([of_agent("idle")])
        .await
        .first
        .expect("it is stored")
        .get();
    for member in crowd.members {
        let (given, told) = member.await.expect("no panic");
        assert_eq!(given, [theirs]);
        for delivery in told {
            assert!(
                matches!(delivery, Delivery::Frame { events: 0, .. }),
                "nothing but cursors: {delivery:?}"
            );
        }
    }
}
