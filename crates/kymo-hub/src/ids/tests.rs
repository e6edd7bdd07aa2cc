//! What the table of ids knows, loses and never loses.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use kymo_event::{Batch, Event};
use proptest::prelude::*;

use super::{
    round::{Met, RoundIds},
    *,
};
use crate::{ring::Ring, samples::seq};

/// The event with this id whose content is `content`.
fn event(id: u64, content: &str) -> Identity {
    Identity {
        key: IdKey(id),
        content: xxhash_rust::xxh3::xxh3_64_with_seed(content.as_bytes(), id),
    }
}

fn claim(ids: &Ids, identity: Identity, claim: &Arc<Claim>, position: u32) -> Known {
    ids.claim(identity, claim, position)
        .expect("nobody else is storing it")
}

fn look(ids: &Ids, identity: Identity) -> Known {
    let guard = ClaimGuard(Arc::default());
    claim(ids, identity, &guard.0, 0)
}

fn stored(ids: &Ids, identity: Identity, at: u64) {
    let own = Arc::new(Claim::default());
    claim(ids, identity, &own, 0);
    own.settle(Some(seq(at)));
}

fn likely(at: u64) -> Option<Original> {
    Some(Original::Stored(seq(at)))
}

#[test]
fn a_fresh_id_is_known_nowhere() {
    let ids = Ids::new(1_000);
    assert_eq!(look(&ids, event(1, "a")), Known::default());
}

#[test]
fn what_is_stored_is_known_by_its_seq() {
    let ids = Ids::new(1_000);
    let batch = Arc::new(Claim::default());
    for position in 0..4 {
        claim(&ids, event(position.into(), "a"), &batch, position);
    }
    ids.release(event(1, "a"), &batch, 1);
    batch.leave_out([1].into());
    batch.settle(Some(seq(100)));
    let seqs = [0, 2, 3].map(|id| look(&ids, event(id, "a")).likely);
    assert_eq!(
        seqs,
        [likely(100), likely(101), likely(102)],
        "what was left out took no seq"
    );
    assert_eq!(look(&ids, event(1, "a")), Known::default());
}

#[test]
fn in_a_long_ledger_a_new_id_joins_a_round_only_while_the_ledger_may_be_asked() {
    let (ids, ring) = (Ids::new(1_000), Ring::new(1 << 20, 1 << 16, seq(9)));
    ids.load(&[], Some(seq(5)));
    let (mut batch, mut new) = (Batch::default(), Event::new("a.b", "test"));
    new.id = Some("1".into());
    batch.push(&new);
    let mut round = RoundIds::default();
    assert!(matches!(round.meet(&ids, &ring, &batch, || false), Met::Unsure));
    round.back_to(&ids, 0);
    assert!(matches!(round.meet(&ids, &ring, &batch, || true), Met::New));
}

#[test]
fn who_waits_for_a_round_that_takes_its_claim_back_goes_on() {
    let (ids, ring) = (Ids::new(1_000), Ring::new(1 << 20, 1 << 16, seq(1)));
    let (mut batch, mut new) = (Batch::default(), Event::new("a.b", "test"));
    new.id = Some("1".into());
    batch.push(&new);
    let mut round = RoundIds::default();
    assert!(matches!(round.meet(&ids, &ring, &batch, || true), Met::New));
    let identity = Identity::of(batch.id_key(0).expect("it has one"), batch.content(0));
    let other = ids
        .claim(identity, &Arc::default(), 0)
        .expect_err("the round has it");
    round.back_to(&ids, 0);
    let waits = pin!(other.wait()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(waits.is_ready());
    assert_eq!(look(&ids, identity), Known::default());
}

#[test]
fn who_comes_second_is_told_whom_to_wait_for() {
    let ids = Ids::new(1_000);
    let first = Arc::new(Claim::default());
    claim(&ids, event(7, "a"), &first, 0);
    let waited_for = ids
        .claim(event(7, "a"), &Arc::default(), 0)
        .expect_err("it is being stored");
    assert!(Arc::ptr_eq(&waited_for, &first));
    assert!(look(&ids, event(7, "b")).reused, "other content waits for nobody");
}

#[test]
fn a_failed_claim_leaves_nothing_behind() {
    let ids = Ids::new(1_000);
    for content in ["a", "b"] {
        let guard = ClaimGuard(Arc::default());
        claim(&ids, event(7, content), &guard.0, 0);
        drop(guard);
    }
    assert_eq!(look(&ids, event(7, "a")), Known::default());
    assert_eq!(look(&ids, event(7, "b")), Known::default());
}

#[test]
fn the_first_answer_stands() {
    let guard = ClaimGuard(Arc::default());
    let claim = Arc::clone(&guard.0);
    claim.settle(Some(seq(5)));
    drop(guard);
    assert_eq!(claim.seq(0), Some(seq(5)));
}

#[test]
fn each_content_of_an_id_is_known_by_itself() {
    let ids = Ids::new(1_000);
    stored(&ids, event(7, "a"), 1);
    stored(&ids, event(7, "b"), 9);
    assert_eq!(look(&ids, event(7, "a")).likely, likely(1));
    assert_eq!(look(&ids, event(7, "b")).likely, likely(9));
    let other = look(&ids, event(7, "c"));
    assert_eq!((other.likely, other.reused), (None, true));
}

#[test]
fn within_a_batch_the_first_of_equal_events_is_known_by_its_position() {
    let ids = Ids::new(1_000);
    let own = Arc::new(Claim::default());
    claim(&ids, event(7, "a"), &own, 3);
    claim(&ids, event(7, "b"), &own, 4);
    assert_eq!(
        claim(&ids, event(7, "a"), &own, 5).likely,
        Some(Original::Here(3))
    );
    assert_eq!(
        claim(&ids, event(7, "b"), &own, 6).likely,
        Some(Original::Here(4))
    );
}

#[test]
fn what_was_found_is_known_without_its_claim() {
    let ids = Ids::new(1_000);
    let own = Arc::new(Claim::default());
    claim(&ids, event(7, "a"), &own, 2);
    claim(&ids, event(7, "b"), &own, 3);
    own.settle(Some(seq(10)));
    ids.found(event(7, "a"), &own, 2, seq(12));
    ids.found(event(7, "b"), &own, 3, seq(13));
    assert_eq!(Arc::strong_count(&own), 1, "the table let go of the claim");
    assert_eq!(look(&ids, event(7, "a")).likely, likely(12));
    assert_eq!(look(&ids, event(7, "b")).likely, likely(13));
}

#[test]
fn an_original_that_is_gone_is_replaced() {
    let ids = Ids::new(1_000);
    stored(&ids, event(7, "a"), 1);
    stored(&ids, event(7, "b"), 2);
    for (content, at) in [("a", 50), ("b", 51)] {
        let own = Arc::new(Claim::default());
        assert!(claim(&ids, event(7, content), &own, 0).likely.is_some());
        ids.claim_anyway(event(7, content), &own, 0);
        own.settle(Some(seq(at)));
    }
    assert_eq!(look(&ids, event(7, "a")).likely, likely(50));
    assert_eq!(look(&ids, event(7, "b")).likely, likely(51));
}

#[test]
fn after_a_restart_the_newest_ids_are_known_and_older_ones_are_asked_for() {
    let recent = [(IdKey(1), seq(50)), (IdKey(2), seq(51)), (IdKey(1), seq(52))];
    let all = Ids::new(1_000);
    all.load(&recent, None);
    assert_eq!(look(&all, event(1, "a")).unread, [seq(50), seq(52)]);
    assert_eq!(look(&all, event(3, "a")), Known::default());
    let newest = Ids::new(1_000);
    newest.load(&recent, Some(seq(50)));
    assert_eq!(look(&newest, event(3, "a")).covered, Some(seq(50)));
}

#[test]
fn an_id_that_is_used_for_everything_costs_no_more_than_as_many_ids() {
    let ids_max = 4_000;
    let ids = Ids::new(ids_max);
    let recent: Vec<_> = (1..20_000).map(|at| (IdKey(7), seq(at))).collect();
    ids.load(&recent, None);
    assert!(look(&ids, event(7, "a")).unread.len() <= 2 * shards::COMPARED_MAX + 2);
    for at in 20_000..60_000 {
        stored(&ids, event(7, &at.to_string()), at);
    }
    assert!(held(&ids) <= ids_max);
    let newest = look(&ids, event(7, "59999"));
    assert_eq!(newest.likely, likely(59_999));
    assert!(newest.unread.len() <= 2 * shards::COMPARED_MAX + 2);
}

fn held(ids: &Ids) -> usize {
    ids.shards.iter().map(|shard| shard.lock().len()).sum()
}

proptest! {
    /// Whatever is dropped from memory lies below `covered`: memory and ledger together know every event.
    #[test]
    fn nothing_falls_between_memory_and_ledger(
        events in prop::collection::vec((0_u64..300, 0_u8..3), 1..600),
        ids_max in 1_usize..300,
        before_start in 0_usize..200,
    ) {
        let ids = Ids::new(ids_max);
        let mut newest = std::collections::BTreeMap::new();
        let recent: Vec<_> = events.iter().take(before_start).enumerate().map(|(index, (id, _))| (IdKey(*id), seq(index as u64 + 1))).collect();
        ids.load(&recent, None);
        for (index, (id, content)) in events.iter().enumerate() {
            let at = index as u64 + 1;
            let identity = event(*id, &content.to_string());
            if index >= before_start {
                let own = Arc::new(Claim::default());
                let known = claim(&ids, identity, &own, 0);
                if let Some(before) = newest.get(&(id, content)) {
                    let below = known.covered.is_some_and(|covered| *before < covered.get());
                    let same_id = recent.iter().filter(|(key, _)| *key == identity.key).count();
                    let unread = known.unread.contains(&seq(*before)) || (*before <= before_start as u64 && same_id > shards::COMPARED_MAX);
                    prop_assert!(known.likely == likely(*before) || unread || below);
                    if known.likely.is_some() {
                        continue;
                    }
                }
                own.settle(Some(seq(at)));
            }
            newest.insert((id, content), at);
        }
        prop_assert!(held(&ids) <= ids_max.max(SHARDS * 2) + SHARDS);
    }

    /// Claims that are still pending survive any number of others.
    #[test]
    fn what_is_being_stored_is_not_forgotten(others in 1_u64..2_000) {
        let ids = Ids::new(32);
        let pending = Arc::new(Claim::default());
        claim(&ids, event(1 << 60, "a"), &pending, 0);
        claim(&ids, event(1 << 60, "b"), &pending, 1);
        for key in 0..others {
            stored(&ids, event(key << 36, "a"), key + 1);
        }
        prop_assert!(ids.claim(event(1 << 60, "a"), &Arc::default(), 0).is_err());
        prop_assert!(ids.claim(event(1 << 60, "b"), &Arc::default(), 0).is_err());
    }
}
