//! Questions to the whole ledger: which seq at a time, which ids, which chain.

use std::io;

use kymo_event::{Filter, IdKey, LineView, Micros, Seq};

use crate::{
    ChainHead, Chunk, ReadError, Reader, build, chains,
    index::{BlockEntry, IndexBuilder, Names, id_key},
    reader::Source,
    segment::Segment,
    segments::Segments,
};

/// The first seq recorded at or after `time`; `head + 1` if none. Exact also where the clock stepped back.
pub(crate) fn seq_at(source: &Source, time: Micros) -> Result<Seq, ReadError> {
    for segment in source.segments.all() {
        let at = || ReadError::io(segment.index_path());
        if segment
            .summary()
            .map_err(at())?
            .is_some_and(|summary| summary.time_max < time.0)
        {
            continue;
        }
        let index = segment.index().map_err(at())?;
        let blocks = index.entries();
        for block in blocks.iter().filter(|block| block.time_max >= time.0) {
            if block.time_min >= time.0 {
                return Ok(seq(block.first));
            }
            if let Some(found) = first_line_at(source, block.first, block.last(), time)? {
                return Ok(found);
            }
        }
        let indexed = behind(&segment, &blocks);
        if let Some(found) = first_line_at(source, indexed, segment.end().last, time)? {
            return Ok(found);
        }
    }
    Ok(seq(source.segments.head() + 1))
}

fn first_line_at(source: &Source, first: u64, last: u64, time: Micros) -> Result<Option<Seq>, ReadError> {
    let mut found = None;
    each_line(source, first, last, |view| {
        if found.is_none() && view.recorded() >= time {
            found = Some(view.seq());
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Calls `look` with the good lines from `first` to `last` until it says `false`.
fn each_line(
    source: &Source,
    first: u64,
    last: u64,
    mut look: impl FnMut(&LineView<'_>) -> bool,
) -> Result<(), ReadError> {
    if first > last {
        return Ok(());
    }
    let mut reader = Reader::forward(source.clone(), seq(first), &Filter::all());
    loop {
        match reader.next_chunk(256 << 10)? {
            Chunk::End { .. } => return Ok(()),
            Chunk::Gap(_) => {}
            Chunk::Events { lines, .. } => {
                for view in lines.iter().filter_map(|line| LineView::parse(line).ok()) {
                    if view.seq().get() > last || !look(&view) {
                        return Ok(());
                    }
                }
            }
        }
        if reader.position().get() > last {
            return Ok(());
        }
    }
}

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

/// The first seq behind the indexed blocks. The index grows meanwhile: who looks at blocks and at what is behind them
/// takes the blocks first.
fn behind(segment: &Segment, blocks: &[BlockEntry]) -> u64 {
    blocks.last().map_or(segment.first, |last| last.last() + 1)
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

/// Keys and seqs below `before` that may have them, oldest first.
pub(crate) fn find_ids(source: &Source, keys: &[IdKey], before: Seq) -> Result<Vec<(IdKey, Seq)>, ReadError> {
    let mut found = Vec::new();
    let all = source.segments.all();
    // Newest first, because what is held in memory should be the newest.
    for segment in all.iter().rev().filter(|segment| segment.first < before.get()) {
        let at = || ReadError::io(segment.index_path());
        let index = source.segments.hold(segment).map_err(at())?;
        let hold = keys.len() >= KEYS_MANY && source.segments.may_hold_ids(segment.first, &index);
        let unindexed = behind(segment, &index.entries());
        let mut candidates = index.blocks_with(keys, hold).map_err(at())?;
        candidates.sort_unstable_by_key(|(key, number)| (*number, *key));
        for same_block in candidates.chunk_by(|(_, one), (_, other)| one == other) {
            let Some(block) = index.block(usize::from(same_block[0].1)) else {
                continue;
            };
            let wanted = |key: &IdKey| same_block.binary_search_by_key(key, |(key, _)| *key).is_ok();
            let ids = index.ids(&block).map_err(at())?;
            found.extend(
                ids.into_iter()
                    .filter(|(key, _)| wanted(key))
                    .map(|(key, at)| (key, seq(at))),
            );
        }
        if unindexed < before.get() {
            unindexed_ids(source, segment, unindexed, |key, at| {
                if keys.contains(&key) {
                    found.push((key, at));
                }
            })?;
        }
    }
    found.retain(|(_, at)| *at < before);
    found.sort_unstable_by_key(|(_, at)| *at);
    found.dedup();
    Ok(found)
}

/// Head and chain, the partial block at the end included.
pub(crate) fn chain_head(segments: &Segments) -> Result<ChainHead, ReadError> {
    let Some(segment) = segments.last() else {
        return Err(ReadError::Empty);
    };
    let at = || ReadError::io(segment.path());
    let mut builder = from_last_block(segments, &segment).map_err(at())?;
    build::walk(&segment, &mut builder, &mut build::OnlyLines).map_err(at())?;
    Ok(ChainHead {
        seq: Seq::new(builder.next() - 1).ok_or(ReadError::Empty)?,
        chain: builder.chain().0,
    })
}

fn from_last_block(segments: &Segments, segment: &Segment) -> io::Result<IndexBuilder> {
    if let Some(summary) = segment.summary()? {
        return Ok(IndexBuilder::new(
            summary.last + 1,
            summary.bytes,
            summary.chain,
            Names::default(),
        ));
    }
    if let Some(index) = segment.growing() {
        let Some(last) = index.last() else {
            return Ok(IndexBuilder::new(
                segment.first,
                0,
                index.chain_before(),
                Names::default(),
            ));
        };
        if let Some((head, _)) = index.head(&last)? {
            return Ok(IndexBuilder::new(
                last.last() + 1,
                last.end(),
                head.chain,
                Names::default(),
            ));
        }
    }
    let chain = chains::before(segments, segment)?;
    Ok(IndexBuilder::new(segment.first, 0, chain, Names::default()))
}

fn seq(value: u64) -> Seq {
    Seq::new(value).expect("positions begin at 1")
}
