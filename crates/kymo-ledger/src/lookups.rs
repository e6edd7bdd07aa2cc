//! Questions to the whole ledger: which seq at a time, which chain at the head.

use std::io;

use kymo_event::{Filter, LineView, Micros, Seq};

use crate::{
    ChainHead, Chunk, ReadError, Reader, build, chains,
    index::{BlockEntry, IndexBuilder, Names},
    reader::{Source, seq},
    segment::Segment,
    segments::Segments,
};

/// The first seq recorded at or after `time`; `head + 1` if none. Exact also where the clock stepped back.
pub(crate) fn seq_at(source: &Source, time: Micros) -> Result<Seq, ReadError> {
    for segment in source.segments.all() {
        let at = || ReadError::io(segment.index_path());
        if segment.summary().is_some_and(|summary| summary.time_max < time.0) {
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
pub(crate) fn each_line(
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

/// The first seq behind the indexed blocks. The index grows meanwhile: who looks at blocks and at what is behind them
/// takes the blocks first.
pub(crate) fn behind(segment: &Segment, blocks: &[BlockEntry]) -> u64 {
    blocks.last().map_or(segment.first, |last| last.last() + 1)
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
    if let Some(summary) = segment.summary() {
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
        if let Some((head, _)) = index.head(&last) {
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
