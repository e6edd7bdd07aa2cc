//! Finds the segments of a folder and where the last one ends.
//!
//! Bounded by the unindexed tail, not by size: of older segments only the names are read.

use std::{io, sync::Arc};

use kymo_event::Micros;

use crate::{
    OpenError, build,
    chain::Chain,
    disk::{self, Access, Disk, DiskFile},
    folder::{Folder, Identity, SegmentFiles},
    group,
    index::{self, Index, IndexBuilder, IndexBytes, Names},
    notices::Notices,
    recover::{self, Known, Tail, Witnessed},
    segment::{End, Segment},
    segments::Segments,
    writer::Current,
};

/// What was found.
pub(crate) struct Opened {
    pub(crate) segments: Segments,
    /// The segment to go on with, if it can be.
    pub(crate) current: Option<Current>,
    /// `recorded` of the newest event.
    pub(crate) newest: Option<Micros>,
}

/// Opens for writing: the unfinished tail is cut, the rest is made durable.
pub(crate) fn segments(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    identity: &Identity,
    segment_bytes_max: u64,
    notices: &Notices,
) -> Result<Opened, OpenError> {
    let (segments, last) = earlier(disk, folder, identity)?;
    let mut opened = Opened {
        newest: newest(&segments),
        segments,
        current: None,
    };
    match last {
        Some(last) if last.plain.is_none() => {
            add_without_plain(disk, folder, &last, &opened.segments)?;
            if last.compressed.is_none() {
                keep_witness(&**disk, folder, last.first)?;
            }
            opened.newest = newest(&opened.segments).or(opened.newest);
        }
        Some(last) => {
            open_last(disk, folder, &last, notices, &mut opened)?;
            keep_claims(&opened.segments, last.first);
        }
        None => {}
    }
    if let Some(full) = opened
        .current
        .take_if(|current| group::is_full(current.end, segment_bytes_max))
    {
        full.segment.complete();
    }
    Ok(opened)
}

/// Where the segment that begins at `last` has no event, its name may go: what the index of the one before says of that
/// one's end stays as it is until an event stands behind.
fn keep_claims(segments: &Segments, last: u64) {
    if let Some(before) = segments.last().filter(|before| before.first < last)
        && before.summary().is_none()
    {
        before.set_witnessed();
    }
}

/// All segments but the last, whose files are returned.
fn earlier(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    identity: &Identity,
) -> Result<(Segments, Option<SegmentFiles>), OpenError> {
    let kept = identity.kept();
    let segments = Segments::new(kept);
    let mut files = folder.list(&**disk).map_err(OpenError::io(folder.ledger()))?;
    // What retention was about to remove when the program ended is not here any more.
    files.retain(|file| file.first >= kept.from);
    files.pop_if(|file| !file.has_lines() && known(disk, folder, file.first, 0).1.claims_nothing());
    for pair in files.windows(2) {
        let (file, next) = (&pair[0], &pair[1]);
        let end = End {
            last: next.first - 1,
            bytes: file.plain.unwrap_or(u64::MAX),
        };
        let segment = Segment::new(disk.clone(), folder.clone(), file.first, end);
        segment.complete();
        segment.set_index_size(file.index.unwrap_or(0));
        if let (None, Some(bytes)) = (file.plain, file.compressed) {
            segment.set_compressed(bytes.max(1));
        }
        segments.add(Arc::new(segment));
        segments.publish(next.first - 1);
    }
    Ok((segments, files.pop()))
}

fn newest(segments: &Segments) -> Option<Micros> {
    let summary = segments.last()?.summary()?;
    (summary.time_last > i64::MIN).then_some(Micros(summary.time_last))
}

/// The last segment where it is a compressed one: those that followed it are gone.
fn add_compressed(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    file: &SegmentFiles,
    segments: &Segments,
) -> Result<(), OpenError> {
    let end = End {
        last: u64::MAX - 1,
        bytes: u64::MAX,
    };
    let segment = Segment::new(disk.clone(), folder.clone(), file.first, end);
    segment.set_compressed(file.compressed.unwrap_or(0).max(1));
    segment.complete();
    let last = match segment.summary() {
        Some(summary) => summary.last,
        None => {
            let mut builder = IndexBuilder::new(file.first, 0, Chain::START, Names::default());
            let walked = build::walk(&segment, &mut builder, &mut build::OnlyLines);
            walked.map_err(OpenError::io(segment.path()))?;
            builder.next() - 1
        }
    };
    segment.set_end(End { last, ..end });
    segments.add(Arc::new(segment));
    segments.publish(last);
    Ok(())
}

fn open_last(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    last: &SegmentFiles,
    notices: &Notices,
    opened: &mut Opened,
) -> Result<(), OpenError> {
    let path = folder.segment(last.first);
    let at = || OpenError::io(path.clone());
    let file = disk.open(&path, Access::Write).map_err(at())?;
    let Found { tail, index, known } = look(disk, folder, last.first, &file)?;
    if tail.end.last < last.first && tail.unfinished > 0 {
        return recover::quarantine_whole(&**disk, folder, last.first, &tail, notices);
    }
    let cut =
        tail.unfinished == 0 || recover::quarantine(&**disk, folder, last.first, &*file, &tail, notices)?;
    recover::write_again(&*file, known.offset, &tail).map_err(at())?;
    if tail.witnessed != Witnessed::Nothing {
        keep_witness(&**disk, folder, last.first)?;
    } else if let Some(bytes) = known.index_bytes
        && let Err(error) = settle_index(&**disk, folder, last.first, bytes)
    {
        tracing::warn!(segment = last.first, %error, "an index could not be cut to what is known");
    }
    opened.newest = tail.newest.or(opened.newest);
    if tail.end.last < last.first {
        return Ok(());
    }
    let segment = Arc::new(segment(disk, folder, last.first, &tail, index));
    opened.segments.add(segment.clone());
    opened.segments.publish(tail.end.last);
    // Nothing can be put behind unfinished bytes or lost lines: the next event begins a new segment.
    match cut && tail.witnessed == Witnessed::Nothing {
        false => segment.complete(),
        true => {
            opened.current = Some(Current {
                segment,
                file,
                end: tail.end,
                listed: true,
            });
        }
    }
    Ok(())
}

/// Makes durable what only an index says: what is announced now must be there after a crash. It is written anew, for a
/// sync of pages whose sync failed once says nothing.
fn keep_witness(disk: &dyn Disk, folder: &Folder, first: u64) -> Result<(), OpenError> {
    let path = folder.index(first);
    let kept = disk::read_all(disk, &path).and_then(|index| {
        match disk::replace(disk, &path, &index) {
            // Then as well as it can be.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                disk.open(&path, Access::Write)?.sync_data()
            }
            replaced => replaced,
        }
    });
    kept.map_err(OpenError::io(path))
}

/// Lets nothing of an index come back from a power cut but its first `bytes`: seqs behind are given to other events now.
fn settle_index(disk: &dyn Disk, folder: &Folder, first: u64, bytes: u64) -> io::Result<()> {
    let path = folder.index(first);
    let file = match disk.open(&path, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if file.len()? > bytes {
        file.set_len(bytes)?;
    }
    file.sync_data()
}

/// Looks at a folder without changing it. Where a writer is at work (`in_use`), what is read is made durable first:
/// nobody sees an event that a power cut then un-happens.
pub(crate) fn segments_to_read(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    identity: &Identity,
    in_use: bool,
) -> Result<Segments, OpenError> {
    let (segments, last) = earlier(disk, folder, identity)?;
    let Some(last) = last else { return Ok(segments) };
    if last.plain.is_none() {
        add_without_plain(disk, folder, &last, &segments)?;
        return Ok(segments);
    }
    let path = folder.segment(last.first);
    let file = disk
        .open(&path, Access::Read)
        .map_err(OpenError::io(path.clone()))?;
    let Found { tail, index, .. } = look(disk, folder, last.first, &file)?;
    if in_use && let Err(error) = file.sync_data() {
        // Some systems sync only files opened for writing; the writer's own sync is at most a moment away.
        tracing::debug!(%error, "a segment opened to be read could not be synced");
    }
    if tail.end.last >= last.first {
        let segment = segment(disk, folder, last.first, &tail, index);
        let stored = segment.stored_summary();
        if stored.is_some_and(|summary| summary.last == tail.end.last) {
            segment.complete();
            segment.set_growing(None);
        }
        segments.add(Arc::new(segment));
        segments.publish(tail.end.last);
    }
    Ok(segments)
}

/// The last segment where its lines' own file is not there: compressed, or removed by somebody else.
fn add_without_plain(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    last: &SegmentFiles,
    segments: &Segments,
) -> Result<(), OpenError> {
    if last.compressed.is_some() {
        return add_compressed(disk, folder, last, segments);
    }
    let (index, known) = known(disk, folder, last.first, 0);
    let tail = recover::nothing_left(&known);
    segments.add(Arc::new(segment(disk, folder, last.first, &tail, index)));
    segments.publish(tail.end.last);
    Ok(())
}

/// The last segment and what is beside it, as they were found.
struct Found {
    tail: Tail,
    index: Option<Arc<Index>>,
    known: Known,
}

fn look(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    first: u64,
    file: &Arc<dyn DiskFile>,
) -> Result<Found, OpenError> {
    let at = || OpenError::io(folder.segment(first));
    let (index, known) = known(disk, folder, first, file.len().map_err(at())?);
    let tail = recover::tail(file, known).map_err(at())?;
    Ok(Found { tail, index, known })
}

fn segment(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    first: u64,
    tail: &Tail,
    index: Option<Arc<Index>>,
) -> Segment {
    let segment = Segment::new(disk.clone(), folder.clone(), first, tail.end);
    match tail.witnessed {
        Witnessed::Nothing => segment.set_growing(index),
        Witnessed::Before => segment.complete(),
        Witnessed::Last => {
            segment.set_witnessed();
            segment.complete();
        }
    }
    segment
}

/// The index of the last segment as far as it is whole, and what it knows of the segment's end.
fn known(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    first: u64,
    segment_bytes: u64,
) -> (Option<Arc<Index>>, Known) {
    match indexed(disk, folder, first, segment_bytes) {
        Ok(Some((index, known))) => (Some(Arc::new(index)), known),
        Ok(None) => {
            let index_bytes = Some(0);
            (
                None,
                Known {
                    index_bytes,
                    ..Known::nothing(first)
                },
            )
        }
        Err(error) => {
            tracing::warn!(segment = first, %error, "an index could not be read; the lines are read instead");
            (None, Known::nothing(first))
        }
    }
}

fn indexed(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    first: u64,
    segment_bytes: u64,
) -> io::Result<Option<(Index, Known)>> {
    let path = folder.index(first);
    let bytes = match disk::read_all(&**disk, &path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let Some(records) = index::records(&bytes, first, segment_bytes) else {
        return Ok(None);
    };
    let (next, offset) = records.next();
    let time = records.last.map(|block| block.time_last);
    let known = Known {
        next,
        offset,
        newest: time.filter(|&time| time > i64::MIN).map(Micros),
        claimed: records.claimed,
        index_bytes: Some(records.bytes),
    };
    let file = disk.open(&path, Access::Read)?;
    Ok(Some((Index::growing(IndexBytes::File(file), records), known)))
}
