//! The chain across segments: where a segment's index begins, and indexes that are missing made again in order.

use std::{io, sync::Arc};

use crate::{
    build,
    chain::Chain,
    core::Core,
    disk::{self, Access},
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
        if let Some(summary) = earlier.summary()? {
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
    trailer(&index)?
        .map(|summary| summary.chain)
        .ok_or_else(|| io::Error::other("an index just made cannot be read"))
}

/// Makes the indexes of complete segments that have none, oldest first.
pub(crate) fn complete(core: &Core) -> io::Result<()> {
    let all = core.segments.all();
    for segment in all.iter().filter(|segment| segment.is_complete()) {
        if segment.summary()?.is_none() {
            write(core, segment)?;
        }
    }
    Ok(())
}

fn write(core: &Core, segment: &Arc<Segment>) -> io::Result<()> {
    let index = build::index(segment, before(&core.segments, segment)?)?;
    let path = segment.index_path();
    disk::remove_if_there(&*core.disk, &path)?;
    disk::write_full(&*core.disk.open(&path, Access::New)?, &index, 0)?;
    tracing::info!(segment = segment.first, "index made from the lines");
    segment.summary()?;
    Ok(())
}
