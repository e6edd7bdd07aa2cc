//! What goes when: whole complete segments, oldest first, by age and by size.
//!
//! `ledger.json` says where the ledger begins before a file is removed, so that after a crash in between the events
//! are gone on purpose and not lost.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use kymo_event::Seq;

use crate::{
    Notice,
    core::Core,
    disk::{self, Disk},
    folder::{self, Folder, Retained},
    segment::Segment,
    segments::Kept,
};

/// Forgets what the settings say may go; [`sweep`] removes it.
pub(crate) fn retire(core: &Core) -> io::Result<()> {
    let all = core.segments.all();
    let going = going(core, &all);
    let Some(last) = all.get(..going).and_then(<[_]>::last) else {
        return Ok(());
    };
    let Some(summary) = last.summary() else {
        return Ok(());
    };
    let kept = Kept {
        from: last.end().last + 1,
        chain: summary.chain,
    };
    let before = core.segments.first();
    let bytes = all[..going].iter().map(|segment| segment.size()).sum();
    {
        let mut identity = core.identity.lock();
        let mut changed = identity.clone();
        let first = Seq::new(kept.from).expect("a segment ends at a seq");
        changed.retained = Some(Retained {
            first,
            chain: kept.chain,
        });
        changed.save(&*core.disk, &core.folder)?;
        *identity = changed;
        core.segments.retire(kept);
        core.notices.tell(Notice::Retired {
            first,
            events: kept.from - before,
            bytes,
        });
    }
    Ok(())
}

/// Removes the files of segments that are retired, also those that a crash or the disk kept from being removed before.
pub(crate) fn sweep(disk: &dyn Disk, folder: &Folder, kept_from: u64) -> io::Result<()> {
    let ledger = folder.ledger();
    let mut gone = false;
    for file in disk.list(ledger)? {
        if folder::first_of_file(&file.name).is_some_and(|first| first < kept_from) {
            disk::remove_if_there(disk, &ledger.join(&file.name))?;
            gone = true;
        }
    }
    if gone { disk.sync_dir(ledger) } else { Ok(()) }
}

/// How many of the oldest segments may go. One that cannot be judged stays, and all behind it: a ledger has no holes
/// on purpose.
fn going(core: &Core, all: &[Arc<Segment>]) -> usize {
    let settings = &core.settings;
    let now = core.clock.now().0;
    let mut size = core.segments.size();
    for (index, segment) in all.iter().enumerate() {
        let Some(summary) = segment.summary().filter(|_| index + 1 < all.len()) else {
            return index;
        };
        let age = now.saturating_sub(summary.time_max);
        let too_old = settings
            .retain_s
            .is_some_and(|limit| age / 1_000_000 > i64::try_from(limit).unwrap_or(i64::MAX));
        let too_large = settings.retain_bytes.is_some_and(|limit| size > limit);
        if !(too_old || too_large) {
            return index;
        }
        if segment.end().last >= core.needed_from() {
            core.held_back.store(true, Ordering::Relaxed);
            return index;
        }
        size -= segment.size();
    }
    all.len()
}
