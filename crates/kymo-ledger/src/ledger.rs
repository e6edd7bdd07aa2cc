//! The log of one folder: the handle that everything else is reached by.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use kymo_event::{Batch, Filter, IdKey, LedgerId, Micros, Seq};
use parking_lot::Mutex;

use crate::{
    ChainHead, Clock, Durability, LedgerSettings, OnCommit, OnNotice, OpenError, ReadError, Reader,
    SystemClock, aging,
    buffers::Buffers,
    core::Core,
    disk::{Disk, RealDisk},
    find_ids,
    folder::{Folder, Identity},
    indexer::{Feed, Indexer},
    lock::{self, Lock},
    lookups,
    notices::Notices,
    open,
    queue::{Done, Pending, Queue},
    recover, retention,
    seat::Seat,
    writer::Writer,
};

/// The log. Clones share it; the writer stops when [`Ledger::close`] is called or the last clone is dropped.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    seat: Arc<Seat>,
    running: Mutex<Option<Running>>,
}

/// What a closed ledger has no more.
struct Running {
    writer: JoinHandle<()>,
    indexer: JoinHandle<()>,
    _lock: Lock,
}

/// What a ledger stands on; a test puts its own here.
#[derive(Clone)]
pub struct Ground {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Where `recorded` comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            disk: Arc::new(RealDisk),
            clock: Arc::new(SystemClock),
        }
    }
}

impl Ledger {
    /// Opens (or creates) `<data>/ledger`, recovers the tail, and starts the writer thread.
    pub fn open(data: &Path, settings: LedgerSettings, on_notice: OnNotice) -> Result<Self, OpenError> {
        Self::open_on(Ground::default(), data, settings, on_notice)
    }

    /// The same on another ground than the machine's own disk and clock.
    pub fn open_on(
        ground: Ground,
        data: &Path,
        settings: LedgerSettings,
        on_notice: OnNotice,
    ) -> Result<Self, OpenError> {
        let Ground { disk, clock } = ground;
        let settings = settings.within_bounds();
        let folder = Folder::new(data);
        let notices = Arc::new(Notices::new(on_notice));
        folder.prepare(&*disk)?;
        let lock = lock::take(&*disk, &folder)?;
        let mut identity = match Identity::load(&*disk, &folder)? {
            Some(identity) => identity,
            None => create(&*disk, &*clock, &folder)?,
        };
        if let Err(error) = retention::sweep(&*disk, &folder, identity.kept().from) {
            tracing::warn!(%error, "retired segments could not be removed");
        }
        // What is seen now must be what is there after a crash: a removed segment that came back would cut off what is
        // about to be written before it.
        disk.sync_dir(folder.ledger())
            .map_err(OpenError::io(folder.ledger()))?;
        let opened = open::segments(&disk, &folder, &identity, settings.segment_bytes_max, &notices)?;
        recover::rename_if_behind(&*disk, &folder, &mut identity, opened.segments.head(), &notices)?;
        let core = Arc::new(Core {
            disk,
            clock,
            folder,
            queue: Queue::new(settings.queue_bytes_max),
            feed: Feed::default(),
            settings,
            id: identity.id.clone(),
            identity: Mutex::new(identity),
            segments: Arc::new(opened.segments),
            notices,
            needed_from: AtomicU64::new(u64::MAX),
            held_back: AtomicBool::new(false),
            maintenance: Mutex::default(),
            read_buffers: Buffers::default(),
            on_commit: Mutex::default(),
        });
        let writer = Writer::new(core.clone(), opened.current, opened.newest);
        let seat = Arc::new(Seat::new(core.clone(), writer));
        let seated = seat.clone();
        let indexer = Indexer::new(core.clone());
        let running = Running {
            writer: spawn("kymo-writer", data, move || seated.run())?,
            indexer: spawn("kymo-indexer", data, move || indexer.run())?,
            _lock: lock,
        };
        let running = Mutex::new(Some(running));
        Ok(Self {
            inner: Arc::new(Inner { core, seat, running }),
        })
    }

    pub(crate) fn core(&self) -> &Core {
        &self.inner.core
    }

    /// Sets who is told of each durable group. Once, before the first append.
    pub fn on_commit(&self, observer: OnCommit) {
        *self.core().on_commit.lock() = Some(observer);
    }

    /// Which ledger this is.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        self.core().id.clone()
    }

    /// Seq of the newest durable event; `None` while empty.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        Seq::new(self.core().segments.head())
    }

    /// Seq of the oldest event still here; `head + 1` while there is none.
    #[must_use]
    pub fn first(&self) -> Seq {
        Seq::new(self.core().segments.first()).unwrap_or(Seq::FIRST)
    }

    /// Bytes on disk (segments and sidecars).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.core().segments.size()
    }

    /// The level every append reaches.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.core().settings.durability
    }

    /// Hands a batch to the writer; never blocks. `done` is called once, on the thread that writes, when it is durable
    /// or has failed (also inside this call, for `Busy` and `Closed`).
    pub fn append(&self, batch: Batch, done: Done) {
        if let Err((pending, error)) = self.core().queue.push(Pending { batch, done }) {
            (pending.done)(Err(error));
        }
    }

    /// The same for a caller that may wait for the disk: commits on the calling thread what waits there, this batch
    /// last, which spares two wake-ups. If another thread is writing just now, it is left to that one. `done` and the
    /// observer of commits are called on the thread that writes; they must not close the ledger. Returns whether this
    /// call wrote.
    pub fn append_here(&self, batch: Batch, done: Done) -> bool {
        match self.core().queue.push_quietly(Pending { batch, done }) {
            Ok(()) => self.inner.seat.commit_here(),
            Err((pending, error)) => {
                (pending.done)(Err(error));
                false
            }
        }
    }

    /// A reader from `from` (blocking calls: use a blocking thread). Lines that `filter` cannot match are skipped by
    /// the index; lines returned match it exactly.
    #[must_use]
    pub fn read(&self, from: Seq, filter: &Filter) -> Reader {
        let core = self.core();
        Reader::forward(core.source(), from, filter)
    }

    /// The same, backwards from `from` downwards, newest first.
    #[must_use]
    pub fn read_back(&self, from: Seq, filter: &Filter) -> Reader {
        let core = self.core();
        Reader::backward(core.source(), from, filter)
    }

    /// The first seq recorded at or after `time`; `head + 1` if none.
    pub fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        lookups::seq_at(&self.core().source(), time)
    }

    /// Newest `count` idempotency keys with their seqs, from the sidecars (plus the unindexed tail), oldest first.
    #[must_use]
    pub fn recent_ids(&self, count: usize) -> Vec<(IdKey, Seq)> {
        find_ids::recent_ids(&self.core().source(), count)
    }

    /// Seqs below `before` whose sidecar says the key may be there (confirm by reading the line), oldest first.
    /// Blocking.
    #[must_use]
    pub fn find_id(&self, key: IdKey, before: Seq) -> Vec<Seq> {
        self.find_ids(&[key], before)
            .into_iter()
            .map(|(_, seq)| seq)
            .collect()
    }

    /// The same for many keys at once, which costs little more than for one. Of each key the newest few.
    #[must_use]
    pub fn find_ids(&self, keys: &[IdKey], before: Seq) -> Vec<(IdKey, Seq)> {
        find_ids::find_ids(&self.core().source(), keys, before)
    }

    /// Head seq, and the chain hash up to it, the partial last block included.
    pub fn chain_head(&self) -> Result<ChainHead, ReadError> {
        lookups::chain_head(&self.core().segments)
    }

    /// Keeps every segment with events from `seq` on, whatever the settings say: a fold has not yet taken them in.
    pub fn keep_from(&self, seq: Seq) {
        self.core().needed_from.store(seq.get(), Ordering::Relaxed);
    }

    /// Whether retention waits for a fold to take in more; once for each time it had to.
    #[must_use]
    pub fn takes_held_back(&self) -> bool {
        self.core().held_back.swap(false, Ordering::Relaxed)
    }

    /// Runs retention and compression now (the owner calls this every minute).
    pub fn maintain(&self) -> io::Result<()> {
        let core = self.core();
        let _alone = core.maintenance.lock();
        // A disk that refuses one of these often needs the others most.
        let retired = retention::retire(core);
        let swept = retention::sweep(&*core.disk, &core.folder, core.segments.kept().from);
        let compressed = aging::compress(core);
        retired.and(swept).and(compressed)
    }

    /// Waits until writer and indexer have nothing left to do, so that the next fault falls where a test puts it.
    #[cfg(any(test, feature = "test-support"))]
    pub fn settle(&self) {
        let core = self.core();
        while !(core.queue.is_idle() && core.feed.is_idle()) {
            std::thread::yield_now();
        }
    }

    /// Writes what is queued, syncs, writes the sidecar, releases the lock. Blocking.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        self.core.queue.close();
        let Some(running) = self.running.lock().take() else {
            return;
        };
        let core = self.core.clone();
        // The last handle may go inside a callback of one of our own threads, which cannot wait for itself.
        if running.is_current() {
            std::thread::spawn(move || running.finish(&core));
        } else {
            running.finish(&core);
        }
    }
}

impl Running {
    fn is_current(&self) -> bool {
        let current = std::thread::current().id();
        [&self.writer, &self.indexer]
            .iter()
            .any(|thread| thread.thread().id() == current)
    }

    fn finish(self, core: &Core) {
        let writer = self.writer.join();
        core.feed.close();
        if writer.is_err() || self.indexer.join().is_err() {
            tracing::error!("a thread of the ledger panicked");
        }
        // What observes the ledger often holds it.
        core.on_commit.lock().take();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn spawn(name: &str, data: &Path, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(OpenError::io(data))
}

fn create(disk: &dyn Disk, clock: &dyn Clock, folder: &Folder) -> Result<Identity, OpenError> {
    // The folders before what says that there is a ledger: with a lost folder all in it is lost.
    for above in [folder.data().parent(), Some(folder.data())]
        .into_iter()
        .flatten()
    {
        match disk.sync_dir(above) {
            // Who may not look into the folder above has not made this one in it.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(OpenError::io(above)(error));
            }
            _ => {}
        }
    }
    let identity = Identity::fresh(clock.now());
    identity
        .save(disk, folder)
        .map_err(OpenError::io(folder.identity()))?;
    Ok(identity)
}
