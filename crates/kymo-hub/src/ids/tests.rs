use proptest::prelude::*;

use super::*;

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}

fn claim(ids: &Ids, key: u64, claim: &Arc<Claim>, position: u32) -> Known {
    ids.claim(IdKey(key), claim, position)
        .expect("nobody else is storing it")
}

fn stored(ids: &Ids, key: u64, at: u64) {
    let own = Arc::new(Claim::default());
    claim(ids, key, &own, 0);
    own.settle(Some(seq(at)));
}

#[test]
fn a_fresh_id_is_known_nowhere() {
    let ids = Ids::new(1_000);
    assert_eq!(claim(&ids, 1, &Arc::default(), 0), Known::default());
}

#[test]
fn what_is_stored_is_known_by_its_seq() {
    let ids = Ids::new(1_000);
    let batch = Arc::new(Claim::default());
    for position in 0..4 {
        claim(&ids, u64::from(position), &batch, position);
    }
    ids.release(IdKey(1), &batch, 1);
    batch.leave_out([1].into());
    batch.settle(Some(seq(100)));
    let seqs = [0, 2, 3].map(|key| claim(&ids, key, &Arc::default(), 0).stored);
    assert_eq!(
        seqs,
        [vec![seq(100)], vec![seq(101)], vec![seq(102)]],
        "what was left out took no seq"
    );
    assert_eq!(claim(&ids, 1, &Arc::default(), 0), Known::default());
}

#[test]
fn who_comes_second_is_told_whom_to_wait_for() {
    let ids = Ids::new(1_000);
    let first = Arc::new(Claim::default());
    claim(&ids, 7, &first, 0);
    let waited_for = ids
        .claim(IdKey(7), &Arc::default(), 0)
        .expect_err("it is being stored");
    assert!(Arc::ptr_eq(&waited_for, &first));
}

#[test]
fn a_failed_claim_leaves_nothing_behind() {
    let ids = Ids::new(1_000);
    let guard = ClaimGuard(Arc::default());
    claim(&ids, 7, &guard.0, 0);
    drop(guard);
    assert_eq!(claim(&ids, 7, &Arc::default(), 0), Known::default());
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
fn the_same_id_with_other_content_is_known_in_all_its_places() {
    let ids = Ids::new(1_000);
    stored(&ids, 7, 1);
    stored(&ids, 7, 9);
    let own = Arc::new(Claim::default());
    let known = claim(&ids, 7, &own, 3);
    assert_eq!(known.stored, [seq(1), seq(9)]);
    assert_eq!(claim(&ids, 7, &own, 4).here, [3]);
}

#[test]
fn compacting_changes_nothing_that_is_known() {
    let ids = Ids::new(1_000);
    let own = Arc::new(Claim::default());
    claim(&ids, 7, &own, 2);
    own.settle(Some(seq(10)));
    ids.compact(IdKey(7), &own, 2);
    assert_eq!(Arc::strong_count(&own), 1, "the table let go of the claim");
    assert_eq!(claim(&ids, 7, &Arc::default(), 0).stored, [seq(12)]);
}

#[test]
fn after_a_restart_the_newest_ids_are_known_and_older_ones_are_asked_for() {
    let recent = [(IdKey(1), seq(50)), (IdKey(2), seq(51))];
    let all = Ids::new(1_000);
    all.load(&recent, true);
    assert_eq!(claim(&all, 1, &Arc::default(), 0).stored, [seq(50)]);
    assert_eq!(claim(&all, 3, &Arc::default(), 0).covered, None);
    let newest = Ids::new(1_000);
    newest.load(&recent, false);
    assert_eq!(claim(&newest, 3, &Arc::default(), 0).covered, Some(seq(50)));
}

proptest! {
    /// Whatever is dropped from memory lies below `covered`: memory and ledger together know every id.
    #[test]
    fn nothing_falls_between_memory_and_ledger(keys in prop::collection::vec(0_u64..400, 1..600), ids_max in 1_usize..300) {
        let ids = Ids::new(ids_max);
        let mut newest = std::collections::BTreeMap::new();
        for (index, key) in keys.iter().enumerate() {
            let at = index as u64 + 1;
            let own = Arc::new(Claim::default());
            let known = claim(&ids, *key, &own, 0);
            if let Some(before) = newest.insert(*key, at) {
                let below = known.covered.is_some_and(|covered| before < covered.get());
                prop_assert!(known.stored.contains(&seq(before)) || below);
            }
            own.settle(Some(seq(at)));
        }
        let held: usize = ids.shards.iter().map(|shard| shard.lock().generations.iter().map(|generation| generation.places.len()).sum::<usize>()).sum();
        prop_assert!(held <= ids_max.max(SHARDS * 2) + SHARDS);
    }

    /// Claims that are still pending survive any number of others.
    #[test]
    fn what_is_being_stored_is_not_forgotten(others in 1_u64..2_000) {
        let ids = Ids::new(32);
        let pending = Arc::new(Claim::default());
        claim(&ids, 1 << 60, &pending, 0);
        for key in 0..others {
            stored(&ids, key << 36, key + 1);
        }
        prop_assert!(ids.claim(IdKey(1 << 60), &Arc::default(), 0).is_err());
    }
}
