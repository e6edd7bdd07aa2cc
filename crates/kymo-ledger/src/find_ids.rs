//! Idempotency keys: the newest ones, and where given ones are.

use std::{
    collections::{HashMap, HashSet},
    io,
};

use kymo_event::{IdKey, Seq};

use crate::{
    ReadError,
    index::{Index, id_key},
    lookups::{behind, each_line},
    reader::{Source, seq},
    segment::Segment,
};

/// Newest `count` idempotency keys with their seqs, oldest first. Looks back over a few times that many events.
pub(crate) fn recent_ids(source: &Source, count: usize) -> Result<Vec<(IdKey, Seq)>, ReadError> {
    let oldest = source.segments.head().saturating_sub(count as u64 * 4);
    let mut newest_first = Vec::new();
    for segment in source.segments.all().into_iter().rev() {
        if newest_first.len() >= count || segment.end().last < oldest {
            break;
        }
        segment_ids(source, &segment, count, &mut newest_first)?;
    }
    newest_first.truncate(count);
    newest_first.reverse();
    Ok(newest_first)
}

fn segment_ids(
    source: &Source,
    segment: &Segment,
    count: usize,
    newest_first: &mut Vec<(IdKey, Seq)>,
) -> Result<(), ReadError> {
    let at = || ReadError::io(segment.index_path());
    if segment
        .summary()
        .map_err(at())?
        .is_some_and(|summary| summary.ids.bytes == 0)
    {
        return Ok(());
    }
    let index = segment.index().map_err(at())?;
    let start = newest_first.len();
    let blocks = index.entries();
    unindexed_ids(source, segment, behind(segment, &blocks), |key, seq| {
        newest_first.push((key, seq))
    })?;
    newest_first[start..].reverse();
    for block in blocks.iter().rev() {
        if newest_first.len() >= count {
            break;
        }
        let ids = index.ids(block).map_err(at())?;
        newest_first.extend(ids.into_iter().rev().map(|(key, at)| (key, seq(at))));
    }
    Ok(())
}

fn unindexed_ids(
    source: &Source,
    segment: &Segment,
    first: u64,
    mut found: impl FnMut(IdKey, Seq),
) -> Result<(), ReadError> {
    each_line(source, first, segment.end().last, |view| {
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
        if let Err(error) = search.segment(source, segment) {
            tracing::warn!(
                segment = segment.first,
                %error,
                "ids of a segment could not be read; a repeat of one of its events may be stored again"
            );
        }
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
        let at = || ReadError::io(segment.index_path());
        let index = source.segments.hold(segment).map_err(at())?;
        let hold = self.many && source.segments.may_hold_ids(segment.first, &index);
        let unindexed = behind(segment, &index.entries());
        if unindexed < self.before.get() {
            let mut tail = Vec::new();
            let read = unindexed_ids(source, segment, unindexed, |key, at| tail.push((key, at)));
            tail.into_iter().rev().for_each(|(key, at)| self.meet(key, at));
            read?;
        }
        self.blocks(&index, hold).map_err(at())
    }

    fn blocks(&mut self, index: &Index, hold: bool) -> io::Result<()> {
        let keys: Vec<IdKey> = self.wanted.iter().copied().collect();
        let mut candidates = index.blocks_with(&keys, hold)?;
        candidates.sort_unstable_by_key(|(_, number)| std::cmp::Reverse(*number));
        for same_block in candidates.chunk_by(|(_, one), (_, other)| one == other) {
            if !same_block.iter().any(|(key, _)| self.wanted.contains(key)) {
                continue;
            }
            if let Some(block) = index.block(usize::from(same_block[0].1)) {
                let ids = index.ids(&block)?;
                ids.into_iter()
                    .rev()
                    .for_each(|(key, at)| self.meet(key, seq(at)));
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
