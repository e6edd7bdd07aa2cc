//! Finds the repeats in a batch: same id and same bytes as something stored, being stored, or earlier in the batch.
//!
//! First every event with an id puts down its claim, waiting for other batches with the same event if need be; then
//! what is likely a repeat is compared byte by byte with what is stored, in the ring where possible, else in the
//! ledger.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use kymo_event::{Batch, Content, IdKey, LineView, Seq};
use kymo_ledger::Ledger;

use super::{Claim, ClaimGuard, Identity, Ids, Known, shards::COMPARED_MAX, stored::StoredLines};
use crate::ring::Ring;

/// Claims of smaller batches are replaced by plain seqs; those of larger ones cost less as they are.
const COMPACTED_MAX: usize = 16;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Position of each repeat and where the first one is, by rising position.
    pub(crate) repeats: Vec<(u32, Original)>,
    /// Same id, other content: stored all the same.
    pub(crate) reused: u64,
    /// Position and identity of every event with an id.
    pub(crate) events: Vec<(u32, Identity)>,
    /// The claim of what is left; absent where no event has an id.
    pub(crate) claim: Option<ClaimGuard>,
}

impl Repeats {
    pub(crate) fn is_repeat(&self, position: usize) -> bool {
        let at = |(at, _): &(u32, Original)| *at as usize;
        self.repeats.binary_search_by_key(&position, at).is_ok()
    }

    /// Once the batch is stored: lets the table know seqs instead of its claim, where that costs less.
    pub(crate) fn compact(&self, ids: &Ids, claim: &Arc<Claim>) {
        if self.events.len() >= COMPACTED_MAX {
            return;
        }
        for (position, identity) in &self.events {
            if !self.is_repeat(*position as usize)
                && let Some(seq) = claim.seq(*position)
            {
                ids.found(*identity, claim, *position, seq);
            }
        }
    }
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
    let events = identities(&batch);
    if events.is_empty() {
        return (batch, Repeats::default());
    }
    let (guard, candidates) = claim_all(ids, &events).await;
    let mut comparison = Comparison::of(batch);
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
    comparison.finish(ids, guard, events)
}

/// Position and identity of every event with an id.
fn identities(batch: &Batch) -> Vec<(u32, Identity)> {
    let identity = |position: usize| {
        let key = batch.id_key(position)?;
        let identity = Identity::of(key, batch.content(position));
        Some((u32::try_from(position).ok()?, identity))
    };
    (0..batch.len()).filter_map(identity).collect()
}

/// An event that may be a repeat.
pub(super) struct Candidate {
    pub(super) position: u32,
    pub(super) identity: Identity,
    pub(super) known: Known,
}

impl Candidate {
    /// Where it very likely is stored.
    fn stored(&self) -> Option<Seq> {
        match self.known.likely {
            Some(Original::Stored(seq)) => Some(seq),
            Some(Original::Here(_)) | None => None,
        }
    }
}

/// Claims every event, or none while another batch is storing one of them: who waits holds nothing, so nobody waits in
/// a circle.
async fn claim_all(ids: &Ids, events: &[(u32, Identity)]) -> (ClaimGuard, Vec<Candidate>) {
    loop {
        let guard = ClaimGuard(Arc::default());
        match try_claim_all(ids, events, &guard.0) {
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
    events: &[(u32, Identity)],
    claim: &Arc<Claim>,
) -> Result<Vec<Candidate>, Arc<Claim>> {
    let mut candidates = Vec::new();
    for (index, (position, identity)) in events.iter().enumerate() {
        match ids.claim(*identity, claim, *position) {
            Ok(known) if known == Known::default() => {}
            Ok(known) => candidates.push(Candidate {
                position: *position,
                identity: *identity,
                known,
            }),
            Err(other) => {
                for (position, identity) in &events[..index] {
                    ids.release(*identity, claim, *position);
                }
                return Err(other);
            }
        }
    }
    Ok(candidates)
}

/// Compares candidates with what is stored.
pub(super) struct Comparison {
    batch: Batch,
    repeats: Vec<(u32, Original)>,
    /// What was likely a repeat and is none.
    others: Vec<(u32, Identity)>,
    reused: u64,
}

impl Comparison {
    pub(super) fn of(batch: Batch) -> Self {
        Self {
            batch,
            repeats: Vec::new(),
            others: Vec::new(),
            reused: 0,
        }
    }

    /// Compares with what is in memory; returns those for whom the ledger must be read.
    fn near(&mut self, ring: &Ring, candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates
            .into_iter()
            .filter_map(|candidate| self.near_one(ring, candidate))
            .collect()
    }

    fn near_one(&mut self, ring: &Ring, mut candidate: Candidate) -> Option<Candidate> {
        let Candidate { position, known, .. } = &mut candidate;
        let content = self.batch.content(*position as usize);
        let same = match known.likely {
            Some(Original::Here(other)) => Some(self.batch.content(other as usize) == content),
            Some(Original::Stored(seq)) => ring.with_line(seq, |line| says(line, content)),
            None => None,
        };
        if let (Some(true), Some(original)) = (same, known.likely) {
            self.repeats.push((*position, original));
            return None;
        }
        if same == Some(false) {
            known.reused = true;
        }
        let to_read = known.likely.is_some() && same.is_none();
        if to_read || !known.unread.is_empty() || known.covered.is_some() {
            return Some(candidate);
        }
        self.not_a_repeat(&candidate);
        None
    }

    pub(super) fn not_a_repeat(&mut self, candidate: &Candidate) {
        self.reused += u64::from(candidate.known.reused);
        if candidate.known.likely.is_some() {
            self.others.push((candidate.position, candidate.identity));
        }
    }

    /// Compares with the ledger's files. Blocking.
    pub(super) fn far(&mut self, lines: &mut StoredLines, candidates: Vec<Candidate>) {
        for SameId { seqs, mut candidates } in by_id(lines.ledger(), candidates) {
            let stored: Vec<_> = seqs
                .into_iter()
                .filter_map(|seq| Some((seq, lines.get(seq)?)))
                .collect();
            candidates.sort_unstable_by_key(|candidate| candidate.stored());
            for candidate in candidates {
                self.far_one(lines, &stored, candidate);
            }
        }
    }

    fn far_one(&mut self, lines: &mut StoredLines, stored: &[(Seq, Bytes)], mut candidate: Candidate) {
        let content = self.batch.content(candidate.position as usize);
        // A line that is gone by retention or damage is no original any more.
        let likely = candidate
            .stored()
            .filter(|seq| lines.get(*seq).is_some_and(|line| says(&line, content)));
        let same = likely.or_else(|| {
            let same = stored.iter().find(|(_, line)| says(line, content));
            same.map(|(seq, _)| *seq)
        });
        if let Some(seq) = same {
            self.repeats.push((candidate.position, Original::Stored(seq)));
            return;
        }
        // The ledger's index may be wrong about an id; the line is not.
        candidate.known.reused |= stored
            .iter()
            .any(|(_, line)| has_key(line, candidate.identity.key));
        self.not_a_repeat(&candidate);
    }

    /// Sees to it that the table says of every event where it is or will be.
    pub(super) fn finish(
        mut self,
        ids: &Ids,
        guard: ClaimGuard,
        events: Vec<(u32, Identity)>,
    ) -> (Batch, Repeats) {
        self.repeats.sort_unstable_by_key(|(position, _)| *position);
        for index in 0..self.repeats.len() {
            // A repeat of a repeat is one of the original.
            if let Original::Here(other) = self.repeats[index].1
                && let Ok(earlier) =
                    self.repeats[..index].binary_search_by_key(&other, |(position, _)| *position)
            {
                self.repeats[index].1 = self.repeats[earlier].1;
            }
        }
        for (position, original) in &self.repeats {
            let key = self.batch.id_key(*position as usize).expect("repeats have ids");
            let identity = Identity::of(key, self.batch.content(*position as usize));
            if let Original::Stored(seq) = original {
                ids.found(identity, &guard.0, *position, *seq);
            }
        }
        for (position, identity) in &self.others {
            ids.claim_anyway(*identity, &guard.0, *position);
        }
        let left_out = self.repeats.iter().map(|(position, _)| *position);
        guard.0.leave_out(left_out.collect());
        let found = Repeats {
            repeats: self.repeats,
            reused: self.reused,
            events,
            claim: Some(guard),
        };
        (self.batch, found)
    }
}

/// Candidates with the same id, and the few events they must all be compared with.
#[derive(Default)]
struct SameId {
    seqs: BTreeSet<Seq>,
    candidates: Vec<Candidate>,
}

/// Puts candidates together by id and asks the ledger's index for those beyond memory. In the order of the ledger, so
/// that neighbours are read at once.
fn by_id(ledger: &Ledger, candidates: Vec<Candidate>) -> Vec<SameId> {
    let before = candidates
        .iter()
        .filter_map(|candidate| candidate.known.covered)
        .max();
    let mut groups: HashMap<_, SameId> = HashMap::new();
    for candidate in candidates {
        let group = groups.entry(candidate.identity.key).or_default();
        group.seqs.extend(&candidate.known.unread);
        group.candidates.push(candidate);
    }
    if let Some(before) = before {
        let keys: Vec<_> = groups.keys().copied().collect();
        // Newest first: of an id that is used for everything only the newest are looked at.
        let mut older = ledger.find_ids(&keys, before);
        older.sort_unstable_by_key(|(_, seq)| std::cmp::Reverse(*seq));
        for (key, seq) in older {
            if let Some(group) = groups
                .get_mut(&key)
                .filter(|group| group.seqs.len() < 2 * COMPARED_MAX)
            {
                group.seqs.insert(seq);
            }
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_unstable_by_key(|group| group.seqs.first().copied().or(group.candidates[0].stored()));
    groups
}

pub(super) fn says(line: &[u8], content: Content<'_>) -> bool {
    LineView::parse(line).is_ok_and(|view| view.content() == content)
}

fn has_key(line: &[u8], key: IdKey) -> bool {
    LineView::parse(line).is_ok_and(|view| view.id().is_some_and(|id| IdKey::of(&view.source(), &id) == key))
}
