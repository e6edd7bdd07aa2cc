//! The log of one folder: the handle that everything else is reached by.

use std::{path::Path, sync::Arc, thread::JoinHandle};

use kymo_event::{Batch, Filter, LedgerId, Seq};
use parking_lot::Mutex;

use crate::{
    AppendError, Appended, Clock, LedgerSettings, OnCommit, OnNotice, OpenError, Reader, SystemClock,
    core::Core,
    disk::{Access, Disk, RealDisk},
    folder::{Folder, Identity, SegmentFiles},
    lock::{self, Lock},
    notices::Notices,
    queue::{Pending, Queue},
    recover::{self, Known},
    segment::Segment,
    segments::Segments,
    writer::{Current, Writer},
};

/// The log. Clones share it; the writer stops when [`Ledger::close`] is called or the last clone is dropped.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    running: Mutex<Option<Running>>,
}

/// What a closed ledger has no more.
struct Running {
    writer: JoinHandle<()>,
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
        let folder = Folder::new(data);
        let notices = Arc::new(Notices::new(on_notice));
        folder.prepare(&*disk)?;
        let lock = lock::take(&*disk, &folder)?;
        let mut identity = match Identity::load(&*disk, &folder)? {
            Some(identity) => identity,
            None => create(&*disk, &*clock, &folder)?,
        };
        let opened = open_segments(&disk, &folder, &identity, &notices)?;
        recover::rename_if_behind(&*disk, &folder, &mut identity, opened.segments.head(), &notices)?;
        let core = Arc::new(Core {
            disk,
            clock,
            folder,
            queue: Queue::new(settings.queue_bytes_max),
            settings,
            id: identity.id.clone(),
            identity: Mutex::new(identity),
            segments: Arc::new(opened.segments),
            notices,
            on_commit: Mutex::default(),
        });
        let writer = Writer::new(core.clone(), opened.current, opened.newest);
        let writer = std::thread::Builder::new()
            .name("kymo-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::io(data))?;
        let running = Mutex::new(Some(Running { writer, _lock: lock }));
        Ok(Self {
            inner: Arc::new(Inner { core, running }),
        })
    }

    fn core(&self) -> &Core {
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

    /// The level every append reaches.
    #[must_use]
    pub fn durability(&self) -> crate::Durability {
        self.core().settings.durability
    }

    /// Hands a batch to the writer; never blocks. `done` is called once, on the writer's thread, when it is durable
    /// or has failed (also inside this call, for `Busy` and `Closed`).
    pub fn append(&self, batch: Batch, done: Box<dyn FnOnce(Result<Appended, AppendError>) + Send>) {
        if let Err((pending, error)) = self.core().queue.push(Pending { batch, done }) {
            (pending.done)(Err(error));
        }
    }

    /// A reader from `from` (blocking calls: use a blocking thread). Lines that `filter` cannot match are skipped by
    /// the index; lines returned match it exactly.
    #[must_use]
    pub fn read(&self, from: Seq, filter: &Filter) -> Reader {
        let core = self.core();
        Reader::forward(core.segments.clone(), core.notices.clone(), from, filter)
    }

    /// The same, backwards from `from` downwards, newest first.
    #[must_use]
    pub fn read_back(&self, from: Seq, filter: &Filter) -> Reader {
        let core = self.core();
        Reader::backward(core.segments.clone(), core.notices.clone(), from, filter)
    }

    /// Writes what is queued, syncs, writes the sidecar, releases the lock. Blocking.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        self.core.queue.close();
        if let Some(running) = self.running.lock().take()
            && running.writer.join().is_err()
        {
            tracing::error!("the ledger's writer panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn create(disk: &dyn Disk, clock: &dyn Clock, folder: &Folder) -> Result<Identity, OpenError> {
    let identity = Identity::fresh(clock.now());
    identity
        .save(disk, folder)
        .map_err(OpenError::io(folder.identity()))?;
    Ok(identity)
}

struct Opened {
    segments: Segments,
    current: Option<Current>,
    newest: Option<kymo_event::Micros>,
}

fn open_segments(
    disk: &Arc<dyn Disk>,
    folder: &Folder,
    identity: &Identity,
    notices: &Notices,
) -> Result<Opened, OpenError> {
    let mut files = folder.list(&**disk).map_err(OpenError::io(folder.ledger()))?;
    let kept = identity.first_kept();
    let mut opened = Opened {
        segments: Segments::new(Vec::new(), kept - 1, kept),
        current: None,
        newest: None,
    };
    let last = files.pop();
    for (index, file) in files.iter().enumerate() {
        let next = files
            .get(index + 1)
            .or(last.as_ref())
            .map_or(0, |next| next.first);
        let end = crate::segment::End {
            last: next - 1,
            bytes: file.plain.unwrap_or(0),
        };
        let segment = Segment::new(disk.clone(), folder.clone(), file.first, end);
        segment.complete();
        opened.segments.add(Arc::new(segment));
        opened.segments.publish(next - 1);
    }
    if let Some(last) = last {
        open_last(disk, folder, &last, notices, &mut opened)?;
    }
    Ok(opened)
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
    let known = Known {
        next: last.first,
        offset: 0,
        newest: None,
    };
    let tail = recover::tail(&file, known).map_err(at())?;
    let cut =
        tail.unfinished == 0 || recover::quarantine(&**disk, folder, last.first, &*file, &tail, notices)?;
    file.sync_data().map_err(at())?;
    opened.newest = tail.newest;
    if tail.end.last < last.first {
        return Ok(());
    }
    let segment = Arc::new(Segment::new(disk.clone(), folder.clone(), last.first, tail.end));
    opened.segments.add(segment.clone());
    opened.segments.publish(tail.end.last);
    opened.current = cut.then_some(Current {
        segment,
        file,
        end: tail.end,
        listed: true,
    });
    Ok(())
}
