//! The chain across segments: where a segment's index begins, and indexes that are missing made again in order.

use std::{io, sync::Arc};

use crate::{
    build,
    chain::Chain,
    core::Core,
    disk,
    index::{IndexBytes, trailer},
    segment::Segment,
    segments::Segments,
};

/// The chain before `segment`: what the index before it ends with, made from the lines where that one is missing.
pub(crate) fn before(segments: &Segments, segment: &Segment) -> io::Result<Chain> {
    let mut unknown = Vec::new();
    let mut chain = segments.kept().chain;
    for earlier in segments
        .all()
        .into_iter()
        .rev()
        .filter(|earlier| earlier.first < segment.first)
    {
        if let Some(summary) = earlier.summary() {
            chain = summary.chain;
            break;
        }
        unknown.push(earlier);
    }
    unknown
        .iter()
        .rev()
        .try_fold(chain, |chain, earlier| after(earlier, chain))
}

fn after(segment: &Segment, chain: Chain) -> io::Result<Chain> {
    let index = IndexBytes::Memory(build::index(segment, chain)?);
    trailer(&index)
        .map(|summary| summary.chain)
        .ok_or_else(|| io::Error::other("an index just made cannot be read"))
}

/// Makes the indexes of complete segments that have none, oldest first. What is the matter with one segment is no
/// matter of the others.
pub(crate) fn complete(core: &Core) {
    for segment in core.segments.all() {
        if segment.lacks_index()
            && let Err(error) = write(core, &segment)
        {
            tracing::warn!(segment = segment.first, %error, "an index could not be made from the lines");
        }
    }
}

fn write(core: &Core, segment: &Arc<Segment>) -> io::Result<()> {
    let index = build::index(segment, before(&core.segments, segment)?)?;
    // At no moment is there none: the old one may be all that knows of lines that are gone.
    disk::replace(&*core.disk, &segment.index_path(), &index)?;
    tracing::info!(segment = segment.first, "index made from the lines");
    segment.summary();
    Ok(())
}
