//! Finds the repeats in a batch: same key and same content as something stored, being stored, or earlier in the batch.
//!
//! First every event with an id puts down its claim, waiting for other batches with the same ids if need be; then
//! candidates are compared byte by byte with what is stored, in the ring where possible, else in the ledger.

use std::{collections::HashMap, sync::Arc};

use kymo_event::{Batch, IdKey, LineView, Seq};
use kymo_ledger::Ledger;

use super::{Claim, ClaimGuard, Ids, Known, stored::StoredLines};
use crate::ring::Ring;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Position of each repeat and where the first one is, by rising position.
    pub(crate) repeats: Vec<(u32, Original)>,
    /// Same id, other content: stored all the same.
    pub(crate) reused: u64,
    /// The claim of what is left; absent where no event has an id.
    pub(crate) claim: Option<ClaimGuard>,
}

/// The first of a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Original {
    /// In the ledger.
    Stored(Seq),
    /// Earlier in the same batch, at this position.
    Here(u32),
}

/// Looks through a batch. On return every event that is left has a claim.
pub(crate) async fn find(ids: &Ids, ring: &Ring, ledger: &Ledger, batch: Batch) -> (Batch, Repeats) {
    let keyed: Vec<_> = (0..batch.len())
        .filter_map(|position| Some((u32::try_from(position).ok()?, batch.id_key(position)?)))
        .collect();
    if keyed.is_empty() {
        return (batch, Repeats::default());
    }
    let (guard, candidates) = claim_all(ids, &keyed).await;
    let mut comparison = Comparison {
        batch,
        repeats: Vec::new(),
        reused: 0,
    };
    let far = comparison.near(ring, candidates);
    if !far.is_empty() {
        let mut lines = StoredLines::new(ledger.clone());
        let compared = tokio::task::spawn_blocking(move || {
            comparison.far(&mut lines, far);
            comparison
        });
        comparison = match compared.await {
            Ok(comparison) => comparison,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down, and whoever waits here with it.
            Err(_) => std::future::pending().await,
        };
    }
    let (batch, repeats, reused) = comparison.finish();
    for (position, _) in &repeats {
        let key = batch.id_key(*position as usize).expect("repeats have keys");
        ids.release(key, &guard.0, *position);
    }
    guard
        .0
        .leave_out(repeats.iter().map(|(position, _)| *position).collect());
    let found = Repeats {
        repeats,
        reused,
        claim: Some(guard),
    };
    (batch, found)
}

/// An event with an id that something else may have, too.
struct Candidate {
    position: u32,
    key: IdKey,
    known: Known,
    /// Something with the same id and other content was seen.
    reused: bool,
}

/// Claims every key, or none while another batch holds one of them: who waits holds nothing, so nobody waits in a
/// circle.
async fn claim_all(ids: &Ids, keyed: &[(u32, IdKey)]) -> (ClaimGuard, Vec<Candidate>) {
    loop {
        let guard = ClaimGuard(Arc::default());
        match try_claim_all(ids, keyed, &guard.0) {
            Ok(candidates) => return (guard, candidates),
            Err(other) => {
                drop(guard);
                other.wait().await;
            }
        }
    }
}

fn try_claim_all(
    ids: &Ids,
    keyed: &[(u32, IdKey)],
    claim: &Arc<Claim>,
) -> Result<Vec<Candidate>, Arc<Claim>> {
    let mut candidates = Vec::new();
    for (index, (position, key)) in keyed.iter().enumerate() {
        match ids.claim(*key, claim, *position) {
            Ok(known) if known == Known::default() => {}
            Ok(known) => candidates.push(Candidate {
                position: *position,
                key: *key,
                known,
                reused: false,
            }),
            Err(other) => {
                for (position, key) in &keyed[..index] {
                    ids.release(*key, claim, *position);
                }
                return Err(other);
            }
        }
    }
    Ok(candidates)
}

/// Compares candidates with what is stored.
struct Comparison {
    batch: Batch,
    repeats: Vec<(u32, Original)>,
    reused: u64,
}

impl Comparison {
    /// Compares with what is in memory; returns those for whom the ledger must be read.
    fn near(&mut self, ring: &Ring, candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates
            .into_iter()
            .filter_map(|candidate| self.near_one(ring, candidate))
            .collect()
    }

    fn near_one(&mut self, ring: &Ring, mut candidate: Candidate) -> Option<Candidate> {
        let body = self.batch.body(candidate.position as usize);
        for other in std::mem::take(&mut candidate.known.here) {
            if self.batch.body(other as usize) == body {
                self.repeats.push((candidate.position, Original::Here(other)));
                return None;
            }
            candidate.reused = true;
        }
        let mut same = None;
        candidate.known.stored.retain(|seq| {
            let alike = ring.with_line(*seq, |line| body_is(line, body));
            match alike {
                Some(true) => same = Some(*seq),
                Some(false) => candidate.reused = true,
                None => {}
            }
            alike.is_none()
        });
        if let Some(seq) = same {
            self.repeats.push((candidate.position, Original::Stored(seq)));
            return None;
        }
        if candidate.known == Known::default() {
            self.reused += u64::from(candidate.reused);
            return None;
        }
        Some(candidate)
    }

    /// Compares with the ledger's files. Blocking.
    fn far(&mut self, lines: &mut StoredLines, mut candidates: Vec<Candidate>) {
        look_up_older(lines.ledger(), &mut candidates);
        // In the order of the ledger, so that neighbours are read at once.
        candidates.sort_unstable_by_key(|candidate| candidate.known.stored.first().copied());
        for candidate in &candidates {
            self.far_one(lines, candidate);
        }
    }

    fn far_one(&mut self, lines: &mut StoredLines, candidate: &Candidate) {
        let body = self.batch.body(candidate.position as usize);
        let mut reused = candidate.reused;
        for seq in &candidate.known.stored {
            // A line that is gone by retention or damage is no original any more.
            let Some(line) = lines.get(*seq) else { continue };
            if body_is(line, body) {
                self.repeats.push((candidate.position, Original::Stored(*seq)));
                return;
            }
            reused |= has_key(line, candidate.key);
        }
        self.reused += u64::from(reused);
    }

    /// A repeat of a repeat is one of the original.
    fn finish(mut self) -> (Batch, Vec<(u32, Original)>, u64) {
        self.repeats.sort_unstable_by_key(|(position, _)| *position);
        for index in 0..self.repeats.len() {
            if let Original::Here(other) = self.repeats[index].1
                && let Ok(earlier) =
                    self.repeats[..index].binary_search_by_key(&other, |(position, _)| *position)
            {
                self.repeats[index].1 = self.repeats[earlier].1;
            }
        }
        (self.batch, self.repeats, self.reused)
    }
}

/// Adds what the ledger's index says of ids that are beyond memory.
fn look_up_older(ledger: &Ledger, candidates: &mut [Candidate]) {
    let Some(before) = candidates
        .iter()
        .filter_map(|candidate| candidate.known.covered)
        .max()
    else {
        return;
    };
    let keys: Vec<_> = candidates.iter().map(|candidate| candidate.key).collect();
    let mut older: HashMap<_, Vec<_>> = HashMap::new();
    for (key, seq) in ledger.find_ids(&keys, before) {
        older.entry(key).or_default().push(seq);
    }
    for candidate in candidates {
        let older = older.get(&candidate.key).into_iter().flatten();
        candidate.known.stored.extend(older);
    }
}

fn body_is(line: &[u8], body: &[u8]) -> bool {
    LineView::parse(line).is_ok_and(|view| view.body() == body)
}

/// The ledger's index may be wrong about a key; the line is not.
fn has_key(line: &[u8], key: IdKey) -> bool {
    LineView::parse(line).is_ok_and(|view| view.id().is_some_and(|id| IdKey::of(&view.source(), &id) == key))
}
