//! Lone events with ids, joined with those of others: each is stored once, whoever brings it again, when and which way.
mod common;

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::atomic::Ordering::SeqCst,
    task::{Context, Waker},
};

use common::{rounds::*, *};
use kymo_event::{Event, LineView};
use kymo_hub::{Combiner, HubSettings, Principal, PublishError, Receipt};
use proptest::prelude::*;

/// As a client sends what [`with_id`] makes.
fn named(id: &str, data: &str) -> String {
    format!(r#"{{"type":"a.b","source":"test","id":"{id}","data":{data}}}"#)
}

fn array(events: &[String]) -> String {
    format!("[{}]", events.join(","))
}

/// A hub that has its ids in memory, and holds one event.
async fn loaded(hub: TempHub) -> TempHub {
    hub.publish([with_id("first", "0")]).await;
    hub
}

/// What is said of a request: its span and its duplicates.
type Told = ((usize, Option<u64>, Option<u64>), Vec<(usize, u64)>);

fn told(receipt: &Receipt) -> Told {
    (span(receipt), duplicates(receipt))
}

async fn told_of(combiner: &Combiner, body: &str) -> Told {
    let ticket = take(combiner, body).expect("it is joined");
    told(&settled(combiner, &ticket).await.expect("stored"))
}

#[tokio::test]
async fn repeats_within_a_round_are_stored_once_whoever_brings_them() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    let several = array(&[
        named("b", "2"),
        named("a", "1"),
        named("c", "3"),
        named("b", "2"),
        r#"{"type":"a.b"}"#.to_owned(),
    ]);
    let bodies = [named("a", "1"), several, named("a", "1")];
    let tickets = bodies.map(|body| take(&combiner, &body).expect("it is joined"));
    settled(&combiner, &tickets[2]).await.expect("stored");
    let answers = tickets.map(|ticket| told(&ticket.receipt().expect("settled").expect("stored")));
    assert_eq!(
        answers,
        [
            ((1, Some(2), Some(2)), vec![]),
            ((3, Some(3), Some(5)), vec![(1, 2), (3, 3)]),
            ((0, None, None), vec![(0, 2)]),
        ]
    );
    let counted = hub.hub.counters();
    assert_eq!((counted.events, counted.duplicates, counted.id_reused), (5, 3, 0));
    assert_eq!(counted.by_type.iter().map(|(_, count)| count).sum::<u64>(), 5);
}

#[tokio::test]
async fn repeats_over_rounds_are_answered_at_once_and_beside_what_is_new() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    assert_eq!(
        told_of(&combiner, &named("a", "1")).await,
        ((1, Some(2), Some(2)), vec![])
    );
    let again = take(&combiner, &named("a", "1")).expect("it is known");
    let receipt = again.receipt().expect("nothing is waited for").expect("known");
    assert_eq!(told(&receipt), ((0, None, None), vec![(0, 2)]));
    let both = array(&[named("a", "1"), named("d", "4"), named("first", "0")]);
    assert_eq!(
        told_of(&combiner, &both).await,
        ((1, Some(3), Some(3)), vec![(0, 2), (2, 1)])
    );
    assert_eq!((hub.head(), hub.hub.counters().duplicates), (3, 3));
}

#[tokio::test]
async fn what_others_stored_is_known_in_the_lane_and_what_it_stored_by_others() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    assert_eq!(
        told_of(&combiner, &named("first", "0")).await,
        ((0, None, None), vec![(0, 1)])
    );
    for number in 0..40 {
        take(&combiner, &named(&number.to_string(), "1")).expect("it is joined");
    }
    told_of(&combiner, &named("last", "1")).await;
    let again = hub
        .publish([with_id("7", "1"), with_id("last", "1"), with_id("new", "1")])
        .await;
    assert_eq!(told(&again), ((1, Some(43), Some(43)), vec![(0, 9), (1, 42)]));
    let hub = hub.restarted().await;
    let again = hub.publish([with_id("39", "1"), with_id("last", "1")]).await;
    assert_eq!(duplicates(&again), [(0, 41), (1, 42)]);
}

#[tokio::test]
async fn the_same_id_with_other_content_is_stored_and_counted() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    let round = array(&[
        named("a", "1"),
        named("a", "2"),
        named("a", "2"),
        named("first", "9"),
    ]);
    assert_eq!(
        told_of(&combiner, &round).await,
        ((3, Some(2), Some(4)), vec![(2, 3)])
    );
    assert_eq!(hub.hub.counters().id_reused, 2);
    let again = array(&[named("a", "3"), named("a", "1")]);
    assert_eq!(
        told_of(&combiner, &again).await,
        ((1, Some(5), Some(5)), vec![(1, 2)])
    );
    assert_eq!((hub.head(), hub.hub.counters().id_reused), (5, 3));
    let other_source = named("a", "1").replace("\"test\"", "\"elsewhere\"");
    assert_eq!(told_of(&combiner, &other_source).await.1, []);
    assert_eq!(hub.hub.counters().id_reused, 3);
}

#[tokio::test]
async fn who_repeats_what_waits_in_a_round_is_told_where_it_went() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    let ticket = take(&combiner, &named("a", "1")).expect("it is joined");
    let mut other = pin!(publish(&hub.hub, [with_id("a", "1")]));
    let polled = other.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "the first is still being written");
    let receipt = settled(&combiner, &ticket).await.expect("stored");
    assert_eq!(told(&receipt), ((1, Some(2), Some(2)), vec![]));
    let other = tokio::time::timeout(PATIENCE, other)
        .await
        .expect("it is answered");
    assert_eq!(told(&other.expect("known")), ((0, None, None), vec![(0, 2)]));
}

#[tokio::test]
async fn what_others_are_storing_is_for_those_who_can_wait() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    let mut intake = hub.hub.intake(Principal::owner(), "test");
    intake.event(0, with_id("a", "1"));
    // Its claims are down, and it is not with the ledger.
    intake.look_up_ids().await;
    assert!(take(&combiner, &named("a", "1")).is_none());
    let mixed = array(&[named("b", "1"), r#"{"type":"a.c"}"#.to_owned(), named("a", "1")]);
    assert!(take(&combiner, &mixed).is_none());
    let receipt = intake.commit().await.expect("stored");
    assert_eq!(told(&receipt), ((1, Some(2), Some(2)), vec![]));
    let both = array(&[named("a", "1"), named("b", "1")]);
    assert_eq!(
        told_of(&combiner, &both).await,
        ((1, Some(3), Some(3)), vec![(0, 2)])
    );
    assert_eq!(hub.head(), 3);
}

#[tokio::test]
async fn a_request_that_is_not_joined_leaves_no_claim_behind() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    for (id, others) in [("x", false), ("y", true)] {
        let joined = others.then(|| take(&combiner, &named("b", "1")).expect("it is joined"));
        let refused = array(&[named(id, "1"), named(id, "1"), r#"{"type":""}"#.to_owned()]);
        assert!(take(&combiner, &refused).is_none());
        let published = tokio::time::timeout(PATIENCE, publish(&hub.hub, [with_id(id, "1")]));
        let receipt = published.await.expect("nobody holds it").expect("stored");
        assert_eq!(receipt.accepted, 1);
        if let Some(ticket) = joined {
            assert_eq!(settled(&combiner, &ticket).await.expect("stored").accepted, 1);
        }
    }
}

#[tokio::test]
async fn what_the_disk_refuses_is_not_remembered_as_stored() {
    let hub = loaded(TempHub::new()).await;
    let combiner = Combiner::new(&hub.hub);
    hub.faults.full.store(true, SeqCst);
    let new_and_known = array(&[named("first", "0"), named("b", "1")]);
    let bodies = [named("a", "1"), named("a", "1"), new_and_known];
    let tickets = bodies.map(|body| take(&combiner, &body).expect("it is joined"));
    for ticket in &tickets {
        assert_eq!(settled(&combiner, ticket).await, Err(PublishError::DiskFull));
    }
    let known = told_of(&combiner, &named("first", "0")).await;
    assert_eq!(known, ((0, None, None), vec![(0, 1)]), "what is stored is stored");
    assert_eq!(
        hub.hub.counters().duplicates,
        1,
        "nothing of a failed round is counted"
    );
    hub.faults.full.store(false, SeqCst);
    let both = array(&[named("a", "1"), named("a", "1")]);
    assert_eq!(
        told_of(&combiner, &both).await,
        ((1, Some(2), Some(2)), vec![(1, 2)])
    );
    let receipt = hub.publish([with_id("b", "1")]).await;
    assert_eq!(told(&receipt), ((1, Some(3), Some(3)), vec![]));
}

/// A hub with more ids in its ledger than in its memory: `id0` to `id1499`, at one seq more.
async fn long() -> TempHub {
    let hub = TempHub::with(HubSettings {
        ids_max: 64,
        ring_bytes_max: 1 << 12,
        ..HubSettings::default()
    });
    for from in (0..1_500_u64).step_by(300) {
        let events = (from..from + 300).map(|number| with_id(&format!("id{number}"), &number.to_string()));
        assert_eq!(hub.publish(events).await.accepted, 300);
    }
    hub
}

#[tokio::test]
async fn repeats_of_old_segments_are_found_for_a_whole_round() {
    let hub = long().await;
    let combiner = Combiner::new(&hub.hub);
    let mixed = array(&[
        named("new1", "1"),
        named("id100", "100"),
        named("new1", "1"),
        named("new2", "1"),
        named("id101", "101"),
        r#"{"type":"a.b"}"#.to_owned(),
    ]);
    let bodies = [
        named("id7", "7"),
        mixed,
        named("id100", "100"),
        r#"{"type":"a.b"}"#.to_owned(),
        named("id8", "\"other\""),
        array(&[named("id9", "9"), named("id10", "10")]),
    ];
    let tickets = bodies.map(|body| take(&combiner, &body).expect("it is joined"));
    settled(&combiner, &tickets[0]).await.expect("stored");
    let answers = tickets.map(|ticket| told(&ticket.receipt().expect("settled").expect("stored")));
    assert_eq!(
        answers,
        [
            ((0, None, None), vec![(0, 8)]),
            (
                (3, Some(1_501), Some(1_503)),
                vec![(1, 101), (2, 1_501), (4, 102)]
            ),
            ((0, None, None), vec![(0, 101)]),
            ((1, Some(1_504), Some(1_504)), vec![]),
            ((1, Some(1_505), Some(1_505)), vec![]),
            ((0, None, None), vec![(0, 10), (1, 11)]),
        ]
    );
    let counted = hub.hub.counters();
    assert_eq!(
        (counted.head, counted.duplicates, counted.id_reused),
        (1_505, 7, 1)
    );
    assert_eq!(
        told_of(&combiner, &named("id20", "20")).await,
        ((0, None, None), vec![(0, 21)])
    );
    assert_eq!(hub.head(), 1_505, "a round of nothing but repeats writes nothing");
}

#[tokio::test]
async fn old_repeats_are_known_though_the_disk_takes_nothing_and_what_is_new_is_not_remembered() {
    let hub = long().await;
    let combiner = Combiner::new(&hub.hub);
    hub.faults.full.store(true, SeqCst);
    let known = take(&combiner, &named("id7", "7")).expect("it is joined");
    let receipt = settled(&combiner, &known).await.expect("known");
    assert_eq!(told(&receipt), ((0, None, None), vec![(0, 8)]));
    let mixed = array(&[named("id8", "8"), named("new", "1")]);
    let ticket = take(&combiner, &mixed).expect("it is joined");
    assert_eq!(settled(&combiner, &ticket).await, Err(PublishError::DiskFull));
    hub.faults.full.store(false, SeqCst);
    assert_eq!(
        told_of(&combiner, &named("new", "1")).await,
        ((1, Some(1_501), Some(1_501)), vec![])
    );
}

#[tokio::test]
async fn what_only_a_line_on_disk_can_say_is_for_those_who_can_wait() {
    let hub = long().await;
    let combiner = Combiner::new(&hub.hub);
    hub.publish([with_id("ring", "1")]).await;
    assert!(take(&combiner, &named("ring", "1")).is_some(), "the ring has it");
    assert!(
        take(&combiner, &named("id1499", "1499")).is_none(),
        "the ring has let go of it"
    );
    let receipt = hub.publish([with_id("id1499", "1499")]).await;
    assert_eq!(duplicates(&receipt), [(0, 1_500)]);
    let hub = hub.restarted().await;
    let combiner = Combiner::new(&hub.hub);
    hub.publish([with_id("loaded", "1")]).await;
    assert!(
        take(&combiner, &named("id1499", "1499")).is_none(),
        "nobody has read it yet"
    );
    assert!(take(&combiner, &named("new", "1")).is_some());
}

/// Ids and contents of a request.
type Events = Vec<(Option<u8>, u8)>;

/// What somebody does.
#[derive(Debug, Clone)]
enum Step {
    /// Emits in the lane.
    Take(Events),
    /// Emits on a way of its own.
    Publish(Events),
    /// The round ends.
    Settle,
    Full(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = || (proptest::option::weighted(0.9, 0..6_u8), 0..2_u8);
    let events = move || proptest::collection::vec(event(), 1..5);
    let step = prop_oneof![
        6 => events().prop_map(Step::Take),
        2 => events().prop_map(Step::Publish),
        3 => Just(Step::Settle),
        1 => any::<bool>().prop_map(Step::Full),
    ];
    proptest::collection::vec(step, 1..40)
}

fn json(events: &[(Option<u8>, u8)]) -> String {
    let event = |(id, content): &(Option<u8>, u8)| match id {
        Some(id) => named(&id.to_string(), &content.to_string()),
        None => format!(r#"{{"type":"a.b","source":"test","data":{content}}}"#),
    };
    array(&events.iter().map(event).collect::<Vec<_>>())
}

fn event((id, content): &(Option<u8>, u8)) -> Event<'static> {
    let mut event = with_id("", &content.to_string());
    event.id = id.map(|id| id.to_string().into());
    event
}

/// Whoever was told that something is stored finds it where it was told, and nothing with an id is there twice.
fn check(hub: &TempHub, answers: &[(Events, Receipt)]) {
    let mut lines = BTreeMap::new();
    for segment in hub.segments() {
        let text = std::fs::read(segment).expect("a segment");
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let view = LineView::parse(line).expect("a line");
            let id = view.id().map(|id| id.parse::<u8>().expect("a number"));
            lines.insert(
                view.seq().get(),
                (id, String::from_utf8(view.body().to_vec()).expect("text")),
            );
        }
    }
    let mut named: Vec<_> = lines.values().filter(|(id, _)| id.is_some()).collect();
    let count = named.len();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), count, "something is stored twice");
    let (mut accepted, mut repeats) = (0, 0);
    for (events, receipt) in answers {
        let known: BTreeMap<_, _> = duplicates(receipt).into_iter().collect();
        let mut next = receipt.first.map_or(0, |first| first.get());
        for (index, sent) in events.iter().enumerate() {
            let seq = known.get(&index).copied().unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            let expected = String::from_utf8(body(&event(sent))).expect("text");
            assert_eq!(lines.get(&seq), Some(&(sent.0, expected)), "at {seq}");
        }
        assert_eq!(receipt.accepted + known.len(), events.len());
        accepted += receipt.accepted;
        repeats += known.len() as u64;
    }
    assert_eq!(accepted, lines.len());
    let counted = hub.hub.counters();
    assert_eq!((counted.events, counted.duplicates), (accepted as u64, repeats));
}

async fn play(steps: Vec<Step>) {
    let hub = TempHub::new();
    let mut answers = Vec::new();
    let first = vec![(Some(9), 0)];
    answers.push((first.clone(), hub.publish(first.iter().map(event)).await));
    let combiner = Combiner::new(&hub.hub);
    let (mut waiting, mut flushed) = (Vec::new(), false);
    for step in steps.into_iter().chain([Step::Settle]) {
        match step {
            Step::Take(events) => match take(&combiner, &json(&events)) {
                Some(ticket) => waiting.push((events, ticket)),
                None => assert!(flushed, "nothing is in flight: {events:?}"),
            },
            Step::Publish(events) => {
                combiner.flush();
                flushed = true;
                if let Ok(receipt) = publish(&hub.hub, events.iter().map(event)).await {
                    answers.push((events, receipt));
                }
            }
            Step::Settle => {
                for (events, ticket) in waiting.drain(..) {
                    if let Ok(receipt) = settled(&combiner, &ticket).await {
                        answers.push((events, receipt));
                    }
                }
                flushed = false;
            }
            Step::Full(full) => hub.faults.full.store(full, SeqCst),
        }
    }
    check(&hub, &answers);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_in_whatever_rounds_is_stored_once_and_everybody_is_told_where(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(play(steps));
    }
}
