//! Idempotency keys: the newest ones, and where given ones are.

use std::collections::{HashMap, HashSet};

use kymo_event::{IdKey, Seq};

use crate::{
    ReadError,
    index::{BlockEntry, Index, id_key},
    lookups::{behind, each_line},
    reader::{Source, seq},
    segment::Segment,
};

/// Newest `count` idempotency keys with their seqs, oldest first. Looks back over a few times that many events. A
/// segment that cannot be read is passed over: what the others know still keeps repeats out.
pub(crate) fn recent_ids(source: &Source, count: usize) -> Vec<(IdKey, Seq)> {
    let oldest = source.segments.head().saturating_sub(count as u64 * 4);
    let mut newest_first = Vec::new();
    for segment in source.segments.all().into_iter().rev() {
        if newest_first.len() >= count || segment.end().last < oldest {
            break;
        }
        passed_over(&segment, segment_ids(source, &segment, count, &mut newest_first));
    }
    newest_first.truncate(count);
    newest_first.reverse();
    newest_first
}

fn segment_ids(
    source: &Source,
    segment: &Segment,
    count: usize,
    newest_first: &mut Vec<(IdKey, Seq)>,
) -> Result<(), ReadError> {
    if segment.summary().is_some_and(|summary| summary.ids.bytes == 0) {
        return Ok(());
    }
    let index = segment.index().map_err(ReadError::io(segment.path()))?;
    let start = newest_first.len();
    let blocks = index.entries();
    let unindexed = behind(segment, &blocks);
    let read = ids_of_lines(source, unindexed, segment.end().last, &mut |key, seq| {
        newest_first.push((key, seq))
    });
    newest_first[start..].reverse();
    read?;
    for block in blocks.iter().rev() {
        if newest_first.len() >= count {
            break;
        }
        let ids = ids_of_block(source, &index, block)?;
        newest_first.extend(ids.into_iter().rev());
    }
    Ok(())
}

fn passed_over(segment: &Segment, read: Result<(), ReadError>) {
    if let Err(error) = read {
        tracing::warn!(
            segment = segment.first,
            %error,
            "ids of a segment could not be read; a repeat of one of its events may be stored again"
        );
    }
}

/// Keys and seqs of a block's events, oldest first: from its lines where the index has lost them.
fn ids_of_block(source: &Source, index: &Index, block: &BlockEntry) -> Result<Vec<(IdKey, Seq)>, ReadError> {
    if let Some(ids) = index.ids(block) {
        return Ok(ids.into_iter().map(|(key, at)| (key, seq(at))).collect());
    }
    let mut ids = Vec::new();
    ids_of_lines(source, block.first, block.last(), &mut |key, at| {
        ids.push((key, at))
    })?;
    Ok(ids)
}

fn ids_of_lines(
    source: &Source,
    first: u64,
    last: u64,
    found: &mut dyn FnMut(IdKey, Seq),
) -> Result<(), ReadError> {
    each_line(source, first, last, |view| {
        if let Some(key) = id_key(view) {
            found(key, view.seq());
        }
        true
    })
}

// So many keys at once are worth a whole table in memory.
const KEYS_MANY: usize = 16;
// One id used for very many events must not fill the memory.
const SEQS_PER_KEY: usize = 16;

/// The newest seqs below `before` that may have each of `keys`, a few for each, oldest first. A segment that cannot be
/// read is passed over: what the others know still keeps repeats out.
pub(crate) fn find_ids(source: &Source, keys: &[IdKey], before: Seq) -> Vec<(IdKey, Seq)> {
    let mut search = Search {
        before,
        many: keys.len() >= KEYS_MANY,
        wanted: keys.iter().copied().collect(),
        counts: HashMap::new(),
        found: Vec::new(),
    };
    let all = source.segments.all();
    for segment in all.iter().rev().filter(|segment| segment.first < before.get()) {
        if search.wanted.is_empty() {
            break;
        }
        passed_over(segment, search.segment(source, segment));
    }
    search.found.sort_unstable_by_key(|(_, at)| *at);
    search.found.dedup();
    search.found
}

/// A search from the newest event back.
struct Search {
    before: Seq,
    /// Whether so many keys were asked for that whole tables are worth their memory.
    many: bool,
    /// Keys of which not enough is found yet.
    wanted: HashSet<IdKey>,
    counts: HashMap<IdKey, usize>,
    found: Vec<(IdKey, Seq)>,
}

impl Search {
    fn segment(&mut self, source: &Source, segment: &Segment) -> Result<(), ReadError> {
        let held = source.segments.hold(segment);
        let index = held.map_err(ReadError::io(segment.path()))?;
        let hold = self.many && source.segments.may_hold_ids(segment.first, &index);
        let unindexed = behind(segment, &index.entries());
        if unindexed < self.before.get() {
            let mut tail = Vec::new();
            let last = segment.end().last;
            let read = ids_of_lines(source, unindexed, last, &mut |key, at| tail.push((key, at)));
            tail.into_iter().rev().for_each(|(key, at)| self.meet(key, at));
            read?;
        }
        self.blocks(source, &index, hold)
    }

    fn blocks(&mut self, source: &Source, index: &Index, hold: bool) -> Result<(), ReadError> {
        let keys: Vec<IdKey> = self.wanted.iter().copied().collect();
        let mut candidates = index.blocks_with(&keys, hold);
        candidates.sort_unstable_by_key(|(_, number)| std::cmp::Reverse(*number));
        for same_block in candidates.chunk_by(|(_, one), (_, other)| one == other) {
            if !same_block.iter().any(|(key, _)| self.wanted.contains(key)) {
                continue;
            }
            if let Some(block) = index.block(usize::from(same_block[0].1)) {
                let ids = ids_of_block(source, index, &block)?;
                ids.into_iter().rev().for_each(|(key, at)| self.meet(key, at));
            }
        }
        Ok(())
    }

    fn meet(&mut self, key: IdKey, at: Seq) {
        if at >= self.before || !self.wanted.contains(&key) {
            return;
        }
        self.found.push((key, at));
        let count = self.counts.entry(key).or_insert(0);
        *count += 1;
        if *count >= SEQS_PER_KEY {
            self.wanted.remove(&key);
        }
    }
}
