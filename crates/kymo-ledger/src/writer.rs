//! The one writer: takes what waits, writes it as one group, syncs once, publishes, acknowledges.
//!
//! Who has its seat (`seat`) runs it. Per event it only numbers, copies and checksums (`group`). Indexing happens
//! behind the commit. After a fault nothing of the group is acknowledged, what was written of it is cut off, and the
//! next group begins a new segment: a page whose sync failed is never believed.

use std::{io, ops::Range, path::PathBuf, sync::Arc, time::Instant};

use kymo_event::{Micros, Seq};

use crate::{
    AppendError, Appended, Durability, Notice,
    buffers::Buffers,
    clock::Stamp,
    core::Core,
    disk::{self, Access, DiskFile, remove_if_there},
    group::{self, Group},
    indexer::Fed,
    queue::Pending,
    segment::{End, Segment},
    settings::{GATHER, RELAXED_SYNC},
};

// Large enough that the sync's cost vanishes, small enough that the buffer stays in the processor's cache.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// The segment that is being written.
pub(crate) struct Current {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn DiskFile>,
    /// How far it is written, durable or not.
    pub(crate) end: End,
    /// Whether it is in the list of segments (and on disk for good).
    pub(crate) listed: bool,
}

/// The writer's own state, for whoever has its seat.
pub(crate) struct Writer {
    core: Arc<Core>,
    current: Option<Current>,
    next: u64,
    stamp: Stamp,
    failing: bool,
    unsynced_since: Option<Instant>,
    several: bool,
    buffers: Buffers,
    /// What the group at hand put where, for the indexer.
    written: Vec<Fed>,
    /// What failed groups left and the disk has not let go yet.
    leftovers: Vec<PathBuf>,
    uncut: Vec<Current>,
}

impl Writer {
    /// Goes on after what was recovered.
    pub(crate) fn new(core: Arc<Core>, current: Option<Current>, newest: Option<Micros>) -> Self {
        let next = core.segments.head() + 1;
        Self {
            core,
            current,
            next,
            stamp: Stamp::after(newest),
            failing: false,
            unsynced_since: None,
            several: false,
            buffers: Buffers::default(),
            written: Vec::new(),
            leftovers: Vec::new(),
            uncut: Vec::new(),
        }
    }

    /// Commits one group of what waits, if anything does.
    pub(crate) fn commit_waiting(&mut self) {
        let pending = self.core.queue.take(GROUP_BYTES_MAX);
        if !pending.is_empty() {
            self.commit(pending);
        }
    }

    /// The same for a thread that has nothing else to do: where the last group had several batches, it waits a moment
    /// for stragglers.
    pub(crate) fn gather_and_commit(&mut self) {
        let mut pending = self.core.queue.take(GROUP_BYTES_MAX);
        if pending.is_empty() {
            return;
        }
        if self.several {
            self.core.queue.gather(GATHER, &mut pending, GROUP_BYTES_MAX);
        }
        self.commit(pending);
    }

    fn commit(&mut self, pending: Vec<Pending>) {
        self.several = pending.len() > 1;
        let first = Seq::new(self.next).expect("seqs begin at 1");
        let group = self.build(&pending, first);
        let result = match group.lines.is_empty() {
            true => Ok(()),
            false => self.write(&group),
        };
        match result {
            Ok(()) => self.acknowledge(pending, &group, first),
            Err(error) => self.refuse(pending, error),
        }
    }

    fn build(&mut self, pending: &[Pending], first: Seq) -> Group {
        let (recorded, stepped) = self.stamp.at(self.core.clock.now());
        if let Some(micros) = stepped {
            self.core.notices.tell(Notice::ClockStepped { micros });
        }
        let bytes = self.current.as_ref().map_or(0, |current| current.end.bytes);
        group::build(
            &self.buffers,
            pending,
            first,
            recorded,
            bytes,
            self.core.settings.segment_bytes_max,
        )
    }

    /// Makes the group durable, or leaves nothing of it.
    fn write(&mut self, group: &Group) -> io::Result<()> {
        self.clean()?;
        let mut full = Vec::new();
        match self.write_parts(group, &mut full) {
            Ok(()) => {
                self.list(full);
                Ok(())
            }
            Err(error) => {
                full.extend(self.current.take());
                self.take_back(full);
                Err(error)
            }
        }
    }

    fn write_parts(&mut self, group: &Group, full: &mut Vec<Current>) -> io::Result<()> {
        let (mut lines, mut bytes) = (0, 0);
        for roll in &group.rolls {
            self.write_part(group, lines..roll.lines, bytes..roll.bytes)?;
            (lines, bytes) = (roll.lines, roll.bytes);
            self.sync_current()?;
            full.extend(self.current.take());
        }
        if bytes < group.lines.bytes.len() {
            self.write_part(group, lines..group.lines.len(), bytes..group.lines.bytes.len())?;
            match self.core.settings.durability {
                Durability::Fsync => self.sync_current()?,
                Durability::Relaxed => {
                    self.unsynced_since.get_or_insert_with(Instant::now);
                }
            }
        }
        Ok(())
    }

    fn write_part(&mut self, group: &Group, lines: Range<usize>, bytes: Range<usize>) -> io::Result<()> {
        if self.current.is_none() {
            self.begin(self.next + lines.start as u64)?;
        }
        let current = self.current.as_mut().expect("begun above");
        disk::write_full(
            &*current.file,
            &group.lines.bytes[bytes.clone()],
            current.end.bytes,
        )?;
        current.end.bytes += bytes.len() as u64;
        current.end.last += lines.len() as u64;
        self.written.push(Fed {
            lines: group.lines.clone(),
            keys: group.keys.clone(),
            from: lines.start,
            to: lines.end,
            segment: current.segment.clone(),
        });
        Ok(())
    }

    /// Makes the file of a new segment, its directory entry durable before anything in it is acknowledged.
    fn begin(&mut self, first: u64) -> io::Result<()> {
        let core = &self.core;
        let end = End {
            last: first - 1,
            bytes: 0,
        };
        let segment = Segment::new(core.disk.clone(), core.folder.clone(), first, end);
        let path = segment.path();
        // A file of this name can only be what a failed group or an unfinished tail left.
        remove_if_there(&*core.disk, &path)?;
        self.leftovers.push(path.clone());
        let file = core.disk.open(&path, Access::New)?;
        core.disk.sync_dir(core.folder.ledger())?;
        self.leftovers.pop();
        self.current = Some(Current {
            segment: Arc::new(segment),
            file,
            end,
            listed: false,
        });
        Ok(())
    }

    fn sync_current(&self) -> io::Result<()> {
        self.current
            .as_ref()
            .map_or(Ok(()), |current| current.file.sync_data())
    }

    /// Puts what is durable now into the list that readers see.
    fn list(&mut self, full: Vec<Current>) {
        for mut current in full {
            list_one(&self.core, &mut current);
            current.segment.complete();
            self.core.notices.tell(Notice::Sealed {
                first: Seq::new(current.segment.first).expect("segments begin at a seq"),
                last: Seq::new(current.end.last).expect("a full segment has lines"),
                bytes: current.end.bytes,
            });
        }
        if let Some(current) = &mut self.current {
            list_one(&self.core, current);
        }
    }

    /// Takes back what a failed group wrote.
    fn take_back(&mut self, written: Vec<Current>) {
        for current in written {
            current.segment.complete();
            match current.listed {
                true => self.uncut.push(current),
                false => self.leftovers.push(current.segment.path()),
            }
        }
        if let Err(error) = self.clean() {
            tracing::warn!(%error, "what a failed write left is still there; nothing is written until it is gone");
        }
    }

    /// Removes segments that a failed group began, durably and before anything else: found after a crash they would
    /// stand for events that never were. Then cuts the segment that it went on with. If the disk refuses that, the
    /// bytes stay behind the end and are never read: the next segment begins with their first seq.
    fn clean(&mut self) -> io::Result<()> {
        for path in &self.leftovers {
            remove_if_there(&*self.core.disk, path)?;
        }
        if !self.leftovers.is_empty() {
            self.core.disk.sync_dir(self.core.folder.ledger())?;
            self.leftovers.clear();
        }
        for current in self.uncut.drain(..) {
            let durable = current.segment.end().bytes;
            if let Err(error) = current
                .file
                .set_len(durable)
                .and_then(|()| current.file.sync_data())
            {
                tracing::warn!(segment = current.segment.first, %error, "unacknowledged bytes could not be cut off");
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self, pending: Vec<Pending>, group: &Group, first: Seq) {
        if !group.lines.is_empty() {
            self.next += group.lines.len() as u64;
            self.core.segments.publish(self.next - 1);
            if let Some(observer) = &*self.core.on_commit.lock() {
                observer(&group.lines);
            }
        }
        if std::mem::take(&mut self.failing) {
            self.core.notices.tell(Notice::WriteResumed);
        }
        let mut first = first;
        for Pending { batch, done } in pending {
            let next = first.plus(batch.len() as u64);
            done(Ok(Appended {
                first,
                last: next.prev().unwrap_or(first),
                durability: self.core.settings.durability,
            }));
            first = next;
        }
        self.written.drain(..).for_each(|fed| self.core.feed.offer(fed));
    }

    fn refuse(&mut self, pending: Vec<Pending>, error: io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "the ledger could not be written");
            self.core.notices.tell(Notice::WriteFailed {
                message: error.to_string(),
            });
        }
        self.written.clear();
        let error = AppendError::from(error);
        for Pending { done, .. } in pending {
            done(Err(error.clone()));
        }
    }

    /// Until when what relaxed durability left unsynced must be synced.
    pub(crate) fn sync_by(&self) -> Option<Instant> {
        self.unsynced_since.map(|since| since + RELAXED_SYNC)
    }

    /// Relaxed durability: syncs what was acknowledged a second ago.
    pub(crate) fn sync_late(&mut self) {
        if self.unsynced_since.take().is_none() {
            return;
        }
        if let Err(error) = self.sync_current() {
            // Readers have these events already; they stay, but nothing more is put behind them.
            self.failing = true;
            self.core.notices.tell(Notice::WriteFailed {
                message: error.to_string(),
            });
            if let Some(current) = self.current.take() {
                current.segment.complete();
            }
        }
    }
}

fn list_one(core: &Core, current: &mut Current) {
    current.segment.set_end(current.end);
    if !std::mem::replace(&mut current.listed, true) {
        core.segments.add(current.segment.clone());
    }
}
