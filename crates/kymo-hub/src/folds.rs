//! Keeps folds up with the ledger, behind everybody's back: state that is told by events, and nothing else.
//!
//! A fold is a cursor like any reader, but nobody waits for it, and it slows nobody: it takes what came together in a
//! while, from the ring if that still has it, else from the files, in slices that give way to others. What it has is kept
//! in snapshots, so that a start need not read the ledger from its beginning, and so that it can be asked how things
//! were; without any it is the same state, only later.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use kymo_event::{Filter, Seq};
use kymo_ledger::{Chunk, Ledger, ReadError, Reader, Snapshots};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use crate::{HubSettings, catchup::CatchUp, notes::Notes, ring::Ring};

pub(crate) mod agents;
pub(crate) mod asking;

use agents::Agents;

/// The name of the agents' fold, and of its snapshots.
const FOLD: &str = "agents";
/// How much is left to gather before it is folded, unless somebody asks.
const NAP: Duration = Duration::from_millis(100);
/// The first look waits so long: a start has better things to do.
const START_AFTER: Duration = Duration::from_millis(250);
/// How often it is asked whether retention waits.
const RETENTION_EVERY: Duration = Duration::from_secs(1);
/// Events of the ring that are folded before others have a turn.
const RING_EVENTS: u64 = 2_000;
/// What is read of the files at once, in bytes, and for how long.
const READ_BYTES: usize = 256 << 10;
const SLICE_TIME_MAX: Duration = Duration::from_millis(20);
/// A snapshot is worth it after so many events, but not more often than this.
const SNAPSHOT_EVENTS: u64 = 250_000;
const SNAPSHOT_EVERY: Duration = Duration::from_secs(5);
/// Fewer events are folded anew on start rather than kept on close.
const CLOSE_EVENTS: u64 = 1_000;
/// States of the past that are folded for somebody at once.
const AS_OF_AT_ONCE: usize = 4;
/// Snapshots that fail for so long are not waited for by retention any more: room on the disk is worth more than what a
/// restart cannot fold anew.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// After a failed read or write.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long closing may take to catch up.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// The folds of a hub.
pub(crate) struct Folds {
    pub(super) ledger: Ledger,
    ring: Arc<Ring>,
    catchup: Arc<CatchUp>,
    notes: Arc<Notes>,
    snapshots: Snapshots,
    agents_max: usize,
    /// `None` until the newest snapshot was looked for.
    agents: Mutex<Option<Agents>>,
    /// The cursor of what is folded, for who waits for it.
    pub(super) folded: watch::Sender<u64>,
    kept: Mutex<Kept>,
    /// Whether the next commit is to ring.
    asleep: AtomicBool,
    bell: Notify,
    pub(super) asked: Notify,
    /// Turns of those who ask how things were.
    pub(super) as_of: Semaphore,
}

/// What ended a sleep.
#[derive(PartialEq, Eq)]
enum Woken {
    ByCommit,
    ByAsking,
}

/// The newest snapshot.
struct Kept {
    cursor: u64,
    at: Option<Instant>,
    /// Since when they fail.
    failed_since: Option<Instant>,
    /// Retention waits for one.
    is_awaited: bool,
}

impl Folds {
    pub(crate) fn new(
        settings: &HubSettings,
        ledger: &Ledger,
        ring: &Arc<Ring>,
        catchup: &Arc<CatchUp>,
        notes: &Arc<Notes>,
    ) -> Self {
        // Nothing goes before it is known what is folded.
        ledger.keep_from(Seq::FIRST);
        Self {
            snapshots: ledger.snapshots(FOLD),
            ledger: ledger.clone(),
            ring: Arc::clone(ring),
            catchup: Arc::clone(catchup),
            notes: Arc::clone(notes),
            agents_max: settings.agents_max,
            agents: Mutex::new(None),
            folded: watch::Sender::new(0),
            kept: Mutex::new(Kept {
                cursor: 0,
                at: None,
                failed_since: None,
                is_awaited: false,
            }),
            asleep: AtomicBool::new(false),
            bell: Notify::new(),
            asked: Notify::new(),
            as_of: Semaphore::new(AS_OF_AT_ONCE),
        }
    }

    /// Something was committed; called by the thread that writes.
    pub(crate) fn committed(&self) {
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            self.bell.notify_one();
        }
    }

    /// Folds for as long as it is polled.
    pub(crate) async fn run(self: Arc<Self>) {
        self.nap(START_AFTER).await;
        loop {
            if let Err(error) = self.catch_up().await {
                tracing::warn!(%error, "a fold could not read the ledger and tries again");
                self.keep_if_due().await;
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
            self.keep_if_due().await;
            if self.sleep().await == Woken::ByCommit {
                self.nap(NAP).await;
            }
        }
    }

    /// Catches up for the last time, and keeps what that was worth.
    pub(crate) async fn close(self: &Arc<Self>) {
        if self.agents.lock().is_none() {
            return;
        }
        let caught_up = tokio::time::timeout(CLOSE_WITHIN, self.catch_up()).await;
        if matches!(caught_up, Ok(Ok(()))) && self.cursor() >= self.kept.lock().cursor + CLOSE_EVENTS {
            self.keep().await;
        }
    }

    async fn nap(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.asked.notified() => {}
        }
    }

    /// Waits until there is something to fold, or to keep.
    async fn sleep(self: &Arc<Self>) -> Woken {
        loop {
            self.asleep.store(true, SeqCst);
            // Asked behind the flag, so that what is committed in between rings.
            if self.ring.horizon().end.get() > self.cursor() + 1 {
                self.asleep.store(false, SeqCst);
                return Woken::ByCommit;
            }
            tokio::select! {
                () = self.bell.notified() => return Woken::ByCommit,
                () = self.asked.notified() => return Woken::ByAsking,
                () = tokio::time::sleep(RETENTION_EVERY) => self.keep_if_due().await,
            }
        }
    }

    fn cursor(&self) -> u64 {
        self.agents.lock().as_ref().map_or(0, Agents::cursor)
    }

    /// Folds everything there is.
    async fn catch_up(self: &Arc<Self>) -> Result<(), ReadError> {
        if self.agents.lock().is_none() {
            self.begin().await;
        }
        let mut reader = None;
        loop {
            let end = self.ring.horizon().end;
            let from = self.with(|agents| agents.next());
            self.folded.send_if_modified(|cursor| {
                let moved = *cursor != from.get() - 1;
                *cursor = from.get() - 1;
                moved
            });
            if from >= end {
                return Ok(());
            }
            let near = Seq::new(end.get().min(from.get() + RING_EVENTS)).expect("behind a seq");
            if let Some(chunks) = self.ring.between(from, near) {
                reader = None;
                self.with(|agents| {
                    for chunk in &chunks {
                        let next = chunk.last().next();
                        agents.fold(chunk.lines_from(from.max(chunk.first())), next);
                    }
                });
                tokio::task::yield_now().await;
            } else {
                let folds = Arc::clone(self);
                let open: Option<Reader> = reader.take();
                let read = move |ledger: &Ledger| {
                    let mut reader = open.unwrap_or_else(|| ledger.read(from, &Filter::all()));
                    folds.slice(&mut reader).map(|()| reader)
                };
                reader = Some(self.catchup.read(read).await?);
            }
            self.keep_if_due().await;
        }
    }

    /// Folds some of the files. Blocking.
    fn slice(&self, reader: &mut Reader) -> Result<(), ReadError> {
        let deadline = Instant::now() + SLICE_TIME_MAX;
        while Instant::now() < deadline {
            if !advance(reader, |step| self.with(|agents| step(agents)))? {
                break;
            }
        }
        Ok(())
    }

    /// The state as it is; of nothing, until it has begun.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Agents) -> T) -> T {
        match &*self.agents.lock() {
            Some(agents) => look(agents),
            None => look(&Agents::new(self.ledger.first(), self.agents_max)),
        }
    }

    /// The state, once it has begun.
    fn with<T>(&self, look: impl FnOnce(&mut Agents) -> T) -> T {
        look(
            self.agents
                .lock()
                .as_mut()
                .expect("it begins before it is folded"),
        )
    }

    /// Takes up the newest snapshot, or begins with the oldest event.
    async fn begin(self: &Arc<Self>) {
        let folds = Arc::clone(self);
        let loading = move |ledger: &Ledger| {
            let head = ledger.head().map_or(0, Seq::get);
            if let Err(error) = folds.snapshots.forget_behind(head) {
                tracing::warn!(%error, "snapshots that are ahead of the ledger could not be set aside");
            }
            let first = ledger.first();
            base(&folds.snapshots, head, first, folds.agents_max)
        };
        let loaded = self.catchup.read(loading).await;
        let first = self.ledger.first();
        let agents = loaded.unwrap_or_else(|| Agents::new(first, self.agents_max));
        self.kept.lock().cursor = agents.cursor();
        self.ledger.keep_from(agents.next());
        *self.agents.lock() = Some(agents);
    }

    async fn keep_if_due(self: &Arc<Self>) {
        let (due, waited_for) = {
            let mut kept = self.kept.lock();
            kept.is_awaited |= self.ledger.takes_held_back();
            // A disk that failed has a moment to itself.
            let rested_at_all = kept.at.is_none_or(|at| at.elapsed() >= RETRY_AFTER);
            let waited_for = kept.is_awaited && (kept.failed_since.is_none() || rested_at_all);
            let events = self.cursor().saturating_sub(kept.cursor);
            let rested = kept.at.is_none_or(|at| at.elapsed() >= SNAPSHOT_EVERY);
            let due = (waited_for && events > 0) || (events >= SNAPSHOT_EVENTS && rested);
            (due, waited_for)
        };
        if due {
            self.keep().await;
        }
        if due && waited_for {
            // What was held back goes now, and not with the next segment.
            self.notes.sealed.notify_one();
        }
    }

    /// Keeps the state as it is, and lets go what is in it.
    async fn keep(self: &Arc<Self>) {
        let folds = Arc::clone(self);
        let keeping = move |ledger: &Ledger| {
            let (cursor, state) = folds.with(|agents| (agents.cursor(), agents.kept()));
            folds.snapshots.save(cursor, &state)?;
            ledger.keep_from(Seq::FIRST.plus(cursor));
            folds.snapshots.forget_before(ledger.first().get())?;
            std::io::Result::Ok(cursor)
        };
        let kept = self.catchup.read(keeping).await;
        let mut newest = self.kept.lock();
        newest.at = Some(Instant::now());
        match kept {
            Ok(cursor) => {
                (newest.cursor, newest.failed_since, newest.is_awaited) = (cursor, None, false);
            }
            Err(error) => {
                tracing::warn!(%error, "what agents do could not be kept; it is folded anew after the next start");
                let since = *newest.failed_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= FAILED_FOR {
                    newest.is_awaited = false;
                    self.ledger.keep_from(Seq::FIRST.plus(self.cursor()));
                }
            }
        }
    }
}

/// The newest snapshot that what follows it can be folded onto, up to `up_to`. Blocking.
pub(crate) fn base(snapshots: &Snapshots, up_to: u64, first: Seq, agents_max: usize) -> Option<Agents> {
    let mut up_to = up_to;
    loop {
        let snapshot = match snapshots.newest(up_to) {
            Ok(snapshot) => snapshot?,
            Err(error) => {
                tracing::warn!(%error, "snapshots could not be looked for");
                return None;
            }
        };
        if snapshot.seq + 1 < first.get() {
            return None;
        }
        let agents = Agents::restore(&snapshot.state, agents_max);
        if let Some(agents) = agents.filter(|agents| agents.cursor() == snapshot.seq) {
            return Some(agents);
        }
        up_to = snapshot.seq.checked_sub(1)?;
    }
}

/// Something to be done to the state.
pub(crate) type Step<'s> = &'s mut dyn FnMut(&mut Agents);

/// Reads on and has what was read folded; whether there may be more.
pub(crate) fn advance(reader: &mut Reader, mut fold: impl FnMut(Step<'_>)) -> Result<bool, ReadError> {
    match reader.next_chunk(READ_BYTES)? {
        Chunk::Events { lines, scanned_to } => {
            fold(&mut |agents| agents.fold(lines.iter(), scanned_to.next()));
            Ok(true)
        }
        Chunk::Gap(gap) => {
            fold(&mut |agents| agents.lose(gap.first));
            Ok(true)
        }
        Chunk::End { .. } => Ok(false),
    }
}
