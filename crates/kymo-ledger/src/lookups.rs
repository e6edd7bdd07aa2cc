//! Questions to the whole ledger: which seq at a time, which ids, which chain.

use std::io;

use kymo_event::{Filter, IdKey, LineView, Micros, Seq};

use crate::{
    ChainHead, Chunk, ReadError, Reader, build, chains,
    index::{BlockEntry, Index, IndexBuilder, Names, id_key},
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
        for block in index.entries().iter().filter(|block| block.time_max >= time.0) {
            if block.time_min >= time.0 {
                return Ok(seq(block.first));
            }
            if let Some(found) = first_line_at(source, block.first, block.last(), time)? {
                return Ok(found);
            }
        }
        let indexed = index.last().map_or(segment.first, |last| last.last() + 1);
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
    unindexed_ids(source, segment, &index, |key, seq| newest_first.push((key, seq)))?;
    newest_first[start..].reverse();
    for block in index.entries().iter().rev() {
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
    index: &Index,
    mut found: impl FnMut(IdKey, Seq),
) -> Result<(), ReadError> {
    let first = index.last().map_or(segment.first, |last| last.last() + 1);
    each_line(source, first, segment.end().last, |view| {
        if let Some(key) = id_key(view) {
            found(key, view.seq());
        }
        true
    })
}

/// Seqs below `before` that may have `key`, oldest first.
pub(crate) fn find_id(source: &Source, key: IdKey, before: Seq) -> Result<Vec<Seq>, ReadError> {
    let mut found = Vec::new();
    for segment in source.segments.all() {
        if segment.first >= before.get() {
            break;
        }
        let at = || ReadError::io(segment.index_path());
        let index = segment.index().map_err(at())?;
        for block in blocks_with(&index, key).map_err(at())? {
            let ids = index.ids(&block).map_err(at())?;
            found.extend(
                ids.into_iter()
                    .filter(|(other, _)| *other == key)
                    .map(|(_, at)| seq(at)),
            );
        }
        if index.last().is_none_or(|last| last.last() + 1 < before.get()) {
            unindexed_ids(source, &segment, &index, |other, at| {
                if other == key {
                    found.push(at);
                }
            })?;
        }
    }
    found.retain(|at| *at < before);
    Ok(found)
}

fn blocks_with(index: &Index, key: IdKey) -> io::Result<Vec<BlockEntry>> {
    let numbers = match index.locate(key)? {
        Some(numbers) => numbers.into_iter().map(usize::from).collect(),
        None => index.growing_blocks_with(key)?,
    };
    Ok(numbers
        .into_iter()
        .filter_map(|number| index.block(number))
        .collect())
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
