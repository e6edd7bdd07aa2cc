//! Indexes behind the commit, on its own thread.
//!
//! The writer hands over the lines it has just committed; where it could not (too much was waiting) or where a crash
//! left lines unindexed, they are read from the files. Nothing waits for the index: a reader that finds none reads
//! lines.

use std::{collections::VecDeque, io, sync::Arc};

use kymo_event::BodyKeys;
use parking_lot::{Condvar, Mutex};

use crate::{
    Lines,
    build::{self, Watch},
    chain::Chain,
    chains,
    core::Core,
    disk::{self, Access, DiskFile},
    index::{self, FileHead, Index, IndexBuilder, IndexBytes, Records, TRAILER},
    segment::Segment,
    settings::BLOCK_EVENTS,
};

// What may wait in memory for the indexer; the rest is read from the files.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Lines the writer committed, on their way to the indexer.
pub(crate) struct Fed {
    pub(crate) lines: Lines,
    /// What was noted of each.
    pub(crate) keys: Arc<Vec<Option<BodyKeys>>>,
    /// Which of them, all in one segment.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) segment: Arc<Segment>,
}

impl Fed {
    fn seq_at(&self, index: usize) -> u64 {
        self.lines.first.get() + index as u64
    }
}

#[derive(Default)]
struct Waiting {
    fed: VecDeque<Fed>,
    events: usize,
    bytes: usize,
    /// Some did not fit: they are in the files alone.
    missed: bool,
    parked: bool,
    closed: bool,
}

impl Waiting {
    // A block is finished every so many events; waking up for less would only cost.
    fn is_worth_it(&self) -> bool {
        self.closed || self.events as u64 >= BLOCK_EVENTS || self.bytes >= WAITING_BYTES_MAX / 4
    }
}

/// Between writer and indexer.
#[derive(Default)]
pub(crate) struct Feed {
    waiting: Mutex<Waiting>,
    woken: Condvar,
}

impl Feed {
    /// Offers lines that were committed. Never waits; what does not fit is read from the file later.
    pub(crate) fn offer(&self, fed: Fed) {
        let mut waiting = self.waiting.lock();
        waiting.events += fed.to - fed.from;
        let bytes = fed.lines.bytes.len();
        if waiting.bytes + bytes <= WAITING_BYTES_MAX {
            waiting.bytes += bytes;
            waiting.fed.push_back(fed);
        } else {
            waiting.missed = true;
        }
        self.wake(waiting);
    }

    /// Lets the indexer finish what is committed and end.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        self.wake(waiting);
    }

    /// Whether the indexer waits for something to do.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn is_idle(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.parked && !waiting.is_worth_it()
    }

    fn wake(&self, mut waiting: parking_lot::MutexGuard<'_, Waiting>) {
        if waiting.is_worth_it() && std::mem::take(&mut waiting.parked) {
            drop(waiting);
            self.woken.notify_one();
        }
    }

    /// What was offered since the last call, once it is worth it, and whether some of it is missing; `None` when closed.
    fn take(&self) -> Option<(VecDeque<Fed>, bool)> {
        let mut waiting = self.waiting.lock();
        while !waiting.is_worth_it() {
            waiting.parked = true;
            self.woken.wait(&mut waiting);
        }
        (waiting.events, waiting.bytes) = (0, 0);
        let (fed, missed) = (
            std::mem::take(&mut waiting.fed),
            std::mem::take(&mut waiting.missed),
        );
        (!waiting.closed || !fed.is_empty()).then_some((fed, missed))
    }
}

/// The indexer's own state; it lives on its thread.
pub(crate) struct Indexer {
    core: Arc<Core>,
    live: Option<Live>,
    /// First seq of the segment sealed last.
    sealed: u64,
    /// The index sealed last; it is made durable when the ledger is closed.
    newest: Option<Arc<dyn DiskFile>>,
    /// After a failed write: try again once the head has come this far.
    retry_at: u64,
}

impl Indexer {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            live: None,
            sealed: 0,
            newest: None,
            retry_at: 0,
        }
    }

    /// Works until the feed is closed; then everything committed is indexed.
    pub(crate) fn run(mut self) {
        chains::complete(&self.core);
        self.attempt(Self::advance);
        while let Some((fed, missed)) = self.core.feed.take() {
            if self.core.segments.head() >= self.retry_at {
                self.attempt(|indexer| indexer.index(fed, missed));
            }
        }
        self.attempt(Self::advance);
        self.attempt(Self::end);
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) {
        if let Err(error) = work(self) {
            tracing::warn!(%error, "the index could not be written; readers go without until it can");
            self.live = None;
            self.retry_at = self.core.segments.head() + BLOCK_EVENTS;
        }
    }

    fn index(&mut self, fed: VecDeque<Fed>, missed: bool) -> io::Result<()> {
        for fed in fed {
            match &mut self.live {
                Some(live) if live.waits_for(&fed) => live.take_in(&fed)?,
                Some(live) if live.has(&fed) => {}
                _ => self.advance()?,
            }
            self.seal_if_complete()?;
        }
        // What was committed meanwhile is on its way here; only what was not offered must come from the files.
        match missed {
            true => self.advance(),
            false => Ok(()),
        }
    }

    /// Brings the index to the durable head by way of the files.
    fn advance(&mut self) -> io::Result<()> {
        loop {
            let live = match &mut self.live {
                Some(live) => live,
                none => match next_unsealed(&self.core, self.sealed) {
                    Some(segment) => none.insert(Live::open(&self.core, segment)?),
                    None => return Ok(()),
                },
            };
            build::walk(&live.segment, &mut live.builder, &mut live.file)?;
            if !self.seal_if_complete()? {
                return Ok(());
            }
        }
    }

    /// The ledger is closed: from now on the index says how far the last segment reached, so that what is lost of it
    /// later can be named. When it is opened again, the index goes on behind its last whole block.
    fn end(&mut self) -> io::Result<()> {
        if let Some(mut live) = self.live.take().filter(|live| !live.is_behind()) {
            self.newest = Some(live.seal()?);
        }
        match self.newest.take() {
            Some(newest) => {
                newest.sync_data()?;
                self.core.disk.sync_dir(self.core.folder.ledger())
            }
            None => Ok(()),
        }
    }

    fn seal_if_complete(&mut self) -> io::Result<bool> {
        let Some(mut live) = self
            .live
            .take_if(|live| live.segment.is_complete() && !live.is_behind())
        else {
            return Ok(false);
        };
        self.newest = Some(live.seal()?);
        live.segment.set_growing(None);
        self.sealed = live.segment.first;
        Ok(true)
    }
}

/// The oldest segment behind `sealed` whose index is not sealed.
fn next_unsealed(core: &Core, sealed: u64) -> Option<Arc<Segment>> {
    let all = core.segments.all();
    let open = all
        .into_iter()
        .rev()
        .take_while(|segment| segment.first > sealed && segment.summary().is_none());
    open.filter(|segment| !segment.is_witnessed()).last()
}

/// The index of one segment in the making.
struct Live {
    segment: Arc<Segment>,
    builder: IndexBuilder,
    file: IndexFile,
}

impl Live {
    /// Goes on with what is in the file, as far as it is good; or begins it.
    fn open(core: &Core, segment: Arc<Segment>) -> io::Result<Self> {
        let path = segment.index_path();
        let bytes = segment.stored_index()?.unwrap_or_default();
        let (file, records) = match index::records(&bytes, segment.first, segment.end().bytes) {
            Some(records) => {
                let file = core.disk.open(&path, Access::Write)?;
                // A sync of pages whose sync failed once says nothing, unless they are written again.
                let good = usize::try_from(records.bytes).map_err(io::Error::other)?;
                disk::write_full(&*file, &bytes[..good], 0)?;
                (file, records)
            }
            None => {
                let chain = chains::before(&core.segments, &segment)?;
                (
                    fresh(core, &segment, chain)?,
                    Records::none(FileHead {
                        first: segment.first,
                        chain,
                    }),
                )
            }
        };
        file.set_len(records.bytes)?;
        let (next, offset) = records.next();
        let builder = IndexBuilder::new(next, offset, records.chain(), records.names.clone());
        let bytes = records.bytes;
        let index = Arc::new(Index::growing(IndexBytes::File(file.clone()), records));
        segment.set_growing(Some(index.clone()));
        let file = IndexFile {
            file,
            bytes,
            index,
            segment: segment.clone(),
        };
        Ok(Self {
            segment,
            builder,
            file,
        })
    }

    fn waits_for(&self, fed: &Fed) -> bool {
        Arc::ptr_eq(&self.segment, &fed.segment) && self.builder.next() == fed.seq_at(fed.from)
    }

    /// Whether these lines were read from the file before they came.
    fn has(&self, fed: &Fed) -> bool {
        Arc::ptr_eq(&self.segment, &fed.segment) && self.builder.next() >= fed.seq_at(fed.to)
    }

    fn take_in(&mut self, fed: &Fed) -> io::Result<()> {
        let start = match fed.from {
            0 => 0,
            from => fed.lines.ends[from - 1] as usize,
        };
        let ends = fed.lines.ends[fed.from..fed.to]
            .iter()
            .map(|&end| end as usize - start);
        let keys = fed.keys[fed.from..fed.to].iter().map(Option::as_ref);
        self.builder.lines(&fed.lines.bytes[start..], ends.zip(keys));
        self.file.filled(&mut self.builder)
    }

    /// Finishes the last block and writes the tables.
    fn seal(&mut self) -> io::Result<Arc<dyn DiskFile>> {
        self.builder.end();
        self.file.filled(&mut self.builder)?;
        self.file.seal()?;
        Ok(self.file.file.clone())
    }

    fn is_behind(&self) -> bool {
        self.builder.next() <= self.segment.end().last
    }
}

fn fresh(core: &Core, segment: &Segment, chain: Chain) -> io::Result<Arc<dyn DiskFile>> {
    let path = segment.index_path();
    disk::remove_if_there(&*core.disk, &path)?;
    let file = core.disk.open(&path, Access::New)?;
    let mut head = Vec::new();
    FileHead {
        first: segment.first,
        chain,
    }
    .write(&mut head);
    disk::write_full(&*file, &head, 0)?;
    Ok(file)
}

/// The file of a growing index, and the readers' view of it.
struct IndexFile {
    file: Arc<dyn DiskFile>,
    bytes: u64,
    index: Arc<Index>,
    segment: Arc<Segment>,
}

impl Watch for IndexFile {
    /// Appends the blocks that are finished and shows them to readers.
    fn filled(&mut self, builder: &mut IndexBuilder) -> io::Result<()> {
        for (head, record) in builder.take() {
            disk::write_full(&*self.file, &record, self.bytes)?;
            self.index.push(head.entry(self.bytes), &record);
            self.bytes += record.len() as u64;
            self.segment.set_index_size(self.bytes);
        }
        Ok(())
    }
}

impl IndexFile {
    /// Puts the tables at the end; from now on readers find the index by its trailer.
    fn seal(&self) -> io::Result<()> {
        let mut records = Vec::new();
        let bytes = usize::try_from(self.bytes).map_err(io::Error::other)?;
        disk::read_full(&*self.file, &mut records, 0, bytes)?;
        let sealed = index::seal(&records)?;
        let (tables, trailer) = sealed.split_at(sealed.len() - TRAILER);
        disk::write_full(&*self.file, tables, self.bytes)?;
        // The trailer says that all before it is whole.
        self.file.sync_data()?;
        disk::write_full(&*self.file, trailer, self.bytes + tables.len() as u64)?;
        self.segment.set_index_size(self.bytes + sealed.len() as u64);
        Ok(())
    }
}
