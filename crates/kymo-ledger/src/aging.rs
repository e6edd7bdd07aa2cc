//! Compresses segments by age.
//!
//! The compressed file is read back and compared before the lines' own file goes; a crash at any moment leaves one
//! of them whole.

use std::{io, sync::Arc};

use crate::{
    Notice,
    compress::{self, Compressed},
    core::Core,
    disk::{self, Access},
    reader::seq,
    segment::{Data, Segment},
};

const COMPARE_BYTES: usize = 1 << 20;

/// Compresses what the settings say is old enough.
pub(crate) fn compress(core: &Core) -> io::Result<()> {
    let Some(limit) = core.settings.compress_after_s else {
        return Ok(());
    };
    let all = core.segments.all();
    let older = all.len().saturating_sub(1);
    for segment in &all[..older] {
        let Some(summary) = segment.summary() else {
            continue;
        };
        let age = core.clock.now().0.saturating_sub(summary.time_max) / 1_000_000;
        if age > i64::try_from(limit).unwrap_or(i64::MAX)
            && !segment.is_compressed()
            && let Err(error) = compress_one(core, segment)
        {
            // What is the matter with one segment is no matter of the others.
            tracing::warn!(segment = segment.first, %error, "a segment could not be compressed");
        }
    }
    Ok(())
}

fn compress_one(core: &Core, segment: &Arc<Segment>) -> io::Result<()> {
    let data = segment.data()?;
    let mut ends: Vec<u64> = segment
        .index()?
        .entries()
        .iter()
        .map(|block| block.end())
        .collect();
    // Bytes behind the last line, if any, are kept as they are.
    ends.push(data.len()?);
    let path = segment.compressed_path();
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    disk::remove_if_there(&*core.disk, fresh.as_ref())?;
    let file = core.disk.open(fresh.as_ref(), Access::New)?;
    let after = compress::compress(&data, &ends, &*file)?;
    file.sync_data()?;
    if !reads_the_same(&data, &Data::Compressed(Compressed::open(file)?))? {
        return Err(io::Error::other(
            "a segment did not read back from its compressed form",
        ));
    }
    core.disk.rename(fresh.as_ref(), &path)?;
    core.disk.sync_dir(core.folder.ledger())?;
    let before = data.len()?;
    segment.set_compressed(after);
    core.disk.remove(&segment.plain_path())?;
    core.disk.sync_dir(core.folder.ledger())?;
    core.notices.tell(Notice::Compressed {
        first: seq(segment.first),
        bytes_before: before,
        bytes_after: after,
    });
    Ok(())
}

fn reads_the_same(one: &Data, other: &Data) -> io::Result<bool> {
    let mut at = 0;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    loop {
        first.clear();
        second.clear();
        let read = one.read(&mut first, at, COMPARE_BYTES)?;
        other.read(&mut second, at, COMPARE_BYTES)?;
        if first != second || read == 0 {
            return Ok(first == second);
        }
        at += read as u64;
    }
}
