//! Follows: settings in, a handle out. One thread looks, reads, and hands on; it waits for hints, and looks by itself
//! now and then.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kymo_event::{Event, Level};
use kymo_hub::{Bridge, BridgeAbout, BridgeFault, Direction, Hub, Lag};
use serde_json::json;
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    TailSettings,
    cursor::Document,
    following::RefusedRecord,
    patterns::Patterns,
    report::{self, Refusals},
    roster::{Batch, Roster},
};
use crate::{
    CursorFile, Cursors, Loaded, Outlet, Refused, Taken, clock,
    hearing::{Ears, HintBox, Hints},
};

/// Between two times that the place is written down, where nothing asks for it sooner.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// Looking takes a twentieth of the time at most.
const LOOKING_SHARE: u32 = 20;
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end, how long the outlet may take for what was handed to it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Files that are being followed. Dropping it ends that.
pub struct Tail {
    status: Arc<Mutex<TailStatus>>,
    finished: oneshot::Receiver<()>,
    guard: DropGuard,
}

/// How it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TailStatus {
    /// As the settings name it.
    pub name: String,
    /// Files followed.
    pub files: usize,
    /// Bytes that are there and were not read yet.
    pub unread_bytes: u64,
    /// Events that were stored since start.
    pub events: u64,
    /// Events that were stored before.
    pub repeats: u64,
    /// Records that are none, or were not taken, since start.
    pub refused: u64,
    /// Among the events, those that say nowhere what they are.
    pub unrecognised: u64,
    /// Bytes that were removed before they could be read, since start.
    pub lost_bytes: u64,
    /// In words, when something is wrong.
    pub problem: Option<String>,
}

/// What is to be followed.
pub struct TailPlan {
    name: String,
    settings: TailSettings,
    /// Files below are left out: Kymo itself writes there.
    but: Vec<PathBuf>,
    keeping: Option<Keeping>,
}

/// Where the place is kept, and where it is shown.
struct Keeping {
    cursor: CursorFile<Document>,
    bridge: Bridge,
}

impl TailPlan {
    /// Follows files but for those of a data folder, and keeps no place: each time everything is read, and what was
    /// stored is known.
    #[must_use]
    pub fn unkept(name: &str, settings: TailSettings, data: &Path) -> Self {
        Self {
            name: name.to_owned(),
            settings,
            but: vec![data.to_owned()],
            keeping: None,
        }
    }

    /// Leaves these files out, too.
    #[must_use]
    pub fn but(mut self, files: Vec<PathBuf>) -> Self {
        self.but.extend(files);
        self
    }

    /// The same as a bridge of this hub, which goes on where it was.
    #[must_use]
    pub fn kept(name: &str, settings: TailSettings, data: &Path, cursors: &Cursors, hub: &Hub) -> Self {
        let about = BridgeAbout {
            name: name.to_owned(),
            kind: "tail",
            direction: Direction::Source,
            target: settings.paths.join(", "),
        };
        Self {
            keeping: Some(Keeping {
                cursor: cursors.of(Direction::Source, name),
                bridge: hub.bridges().enter(about),
            }),
            ..Self::unkept(name, settings, data)
        }
    }
}

impl Keeping {
    /// The place that was written down last.
    fn load(&self) -> Result<Document, BridgeFault> {
        match self.cursor.load() {
            Ok(Loaded::At(document)) => Ok(document),
            Ok(Loaded::Absent) => Ok(Document::default()),
            Ok(Loaded::Damaged { kept, cause }) => {
                let data = json!({ "kept": kept.display().to_string(), "cause": cause });
                self.bridge.note("kymo.bridge.cursor_damaged", Level::Error, data);
                Ok(Document::default())
            }
            Err(error) => Err(BridgeFault::new(
                "cursor_unreadable",
                format!("where this source was cannot be read: {error}; mend that and start again"),
            )),
        }
    }
}

impl Tail {
    /// Begins to follow.
    ///
    /// # Errors
    ///
    /// A path that cannot be understood, or a place that cannot be read, in words; a bridge is stopped with it.
    pub fn start(
        plan: TailPlan,
        outlet: Arc<dyn Outlet>,
        shutdown: &CancellationToken,
    ) -> Result<Self, String> {
        let TailPlan {
            name,
            settings,
            but,
            keeping,
        } = plan;
        let begun = Patterns::new(&settings.paths, &but)
            .map_err(|message| BridgeFault::new("invalid_path", message))
            .and_then(|patterns| {
                let document = keeping
                    .as_ref()
                    .map_or_else(|| Ok(Document::default()), Keeping::load)?;
                Ok((patterns, document))
            });
        let (patterns, document) = match begun {
            Ok(begun) => begun,
            Err(fault) => {
                let message = fault.message.clone();
                if let Some(keeping) = keeping {
                    keeping.bridge.stopped(Some(fault));
                }
                return Err(message);
            }
        };
        let stop = shutdown.child_token();
        let guard = stop.clone().drop_guard();
        let hints = Arc::new(HintBox::default());
        tokio::spawn({
            let (hints, stop) = (Arc::clone(&hints), stop.clone());
            async move {
                stop.cancelled().await;
                hints.stop();
            }
        });
        let status = Arc::new(Mutex::new(TailStatus {
            name: name.clone(),
            ..TailStatus::default()
        }));
        let sweep = Duration::from_millis(settings.sweep_ms.max(10));
        let (ears, deaf) = match Ears::new(Arc::clone(&hints), 0) {
            Ok(ears) => (Some(ears), None),
            Err(cause) => (
                None,
                Some(format!(
                    "the system tells of no changes, they are looked for: {cause}"
                )),
            ),
        };
        let (done, finished) = oneshot::channel();
        let run = Run {
            roster: Roster::new(&name, settings, patterns, document),
            hints,
            ears,
            deaf,
            outlet,
            runtime: Handle::current(),
            stop,
            status: Arc::clone(&status),
            refusals: Refusals::new(&name),
            keeping,
            sweep,
            next_look: Instant::now(),
            kept_at: Instant::now(),
            is_dirty: false,
        };
        let spawned = std::thread::Builder::new()
            .name("kymo-tail".into())
            .spawn(move || {
                run.run();
                drop(done);
            });
        spawned.map_err(|error| format!("the thread that reads files does not start: {error}"))?;
        Ok(Self {
            status,
            finished,
            guard,
        })
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> TailStatus {
        lock(&self.status).clone()
    }

    /// Waits until it has stopped after `shutdown`, its place written down.
    /// Says what came of it.
    pub async fn finished(self) -> TailStatus {
        let _ = self.finished.await;
        drop(self.guard);
        lock(&self.status).clone()
    }
}

fn lock(status: &Mutex<TailStatus>) -> MutexGuard<'_, TailStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Run {
    roster: Roster,
    keeping: Option<Keeping>,
    hints: Arc<HintBox>,
    ears: Option<Ears>,
    deaf: Option<String>,
    outlet: Arc<dyn Outlet>,
    runtime: Handle,
    stop: CancellationToken,
    status: Arc<Mutex<TailStatus>>,
    refusals: Refusals,
    sweep: Duration,
    next_look: Instant,
    kept_at: Instant,
    is_dirty: bool,
}

impl Run {
    fn run(mut self) {
        let mut is_told_to_go_on = true;
        while is_told_to_go_on {
            if self.roster.is_stale || Instant::now() >= self.next_look {
                self.look();
            }
            if std::mem::take(&mut self.roster.has_new) {
                self.keep();
            }
            if let Err(cause) = self.hand_on() {
                self.trouble(&cause);
            }
            if self.is_dirty && self.kept_at.elapsed() >= KEPT_EVERY {
                self.keep();
            }
            let now = Instant::now();
            self.tell_refused(now, false);
            self.tell_status();
            let (hints, go_on) = self.hints.wait(Some(self.next()));
            self.hear(hints);
            is_told_to_go_on = go_on;
        }
        self.tell_refused(Instant::now(), true);
        if self.is_dirty {
            self.keep();
        }
    }

    /// When there is something to do, even if nothing is heard.
    fn next(&self) -> Instant {
        if !self.roster.behind.is_empty() || self.roster.is_stale {
            return Instant::now();
        }
        let keep = self.is_dirty.then(|| self.kept_at + KEPT_EVERY);
        keep.map_or(self.next_look, |keep| keep.min(self.next_look))
    }

    /// Looks at everything; again where something could have come to be before it was listened to.
    fn look(&mut self) {
        let began = Instant::now();
        loop {
            self.roster.look(Instant::now(), clock::now());
            if !self.listen() {
                break;
            }
        }
        let took = began.elapsed();
        self.next_look = Instant::now() + self.sweep.max(took * LOOKING_SHARE);
    }

    /// Listens where files may appear; whether it was not listened to somewhere before.
    fn listen(&mut self) -> bool {
        let Some(ears) = &mut self.ears else { return false };
        let known: BTreeSet<PathBuf> = ears.heard().cloned().collect();
        for gone in known.difference(&self.roster.directories) {
            ears.unlisten(gone);
        }
        let mut is_new = false;
        for new in self.roster.directories.difference(&known) {
            is_new |= ears.listen(new);
        }
        is_new
    }

    fn hear(&mut self, hints: Hints) {
        let now = Instant::now();
        let mut is_stale = hints.overflowed;
        for (path, touch) in hints.touches {
            if is_stale {
                break;
            }
            is_stale |= self.roster.glance(&path, now) || (touch.directory && path.is_dir());
        }
        self.roster.is_stale |= is_stale;
    }

    /// Hands on what is there. The error is one that passes.
    fn hand_on(&mut self) -> Result<(), String> {
        let Some(mut batch) = self.roster.read() else {
            return Ok(());
        };
        if batch.is_new && !self.keep() {
            self.roster.rewind(batch);
            return Err("the place cannot be written down".into());
        }
        for lost in &batch.lost {
            self.outlet.note(report::lost(&self.roster.name, lost));
        }
        let count = batch.events.len() as u64;
        let Taken { refused, repeats } = match self.emit(std::mem::take(&mut batch.events)) {
            Ok(taken) => taken,
            Err(cause) => {
                batch.lost.clear(); // told above
                self.roster.rewind(batch);
                return Err(cause);
            }
        };
        self.roster.settle(&batch);
        self.is_dirty = true;
        self.count(&batch, count - refused.len() as u64 - repeats, repeats, refused);
        Ok(())
    }

    /// Done when they are durable, or when nothing more is waited for.
    fn emit(&self, events: Vec<Event<'static>>) -> Result<Taken, String> {
        if events.is_empty() {
            return Ok(Taken::default());
        }
        let patience = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        self.runtime.block_on(async {
            tokio::select! {
                emitted = self.outlet.emit_each(events) => emitted,
                () = patience => Err("the end came first".into()),
            }
        })
    }

    fn count(&mut self, batch: &Batch, taken: u64, repeats: u64, refused: Vec<Refused>) {
        if let Some(Keeping { bridge, .. }) = &self.keeping {
            bridge.connected();
            bridge.passed(taken);
            bridge.repeats(repeats);
            bridge.unrecognised(batch.unrecognised);
        }
        let mut status = lock(&self.status);
        status.events += taken;
        status.repeats += repeats;
        status.unrecognised += batch.unrecognised;
        status.refused += (refused.len() + batch.refused.len()) as u64;
        status.lost_bytes += batch.lost.iter().map(|lost| lost.to - lost.from).sum::<u64>();
        drop(status);
        for one in refused {
            let (file, line, byte) = batch.places[one.index];
            let record = RefusedRecord {
                line,
                byte,
                code: one.code,
                message: one.message,
                text: String::new(),
            };
            self.refusals.add(&batch.files[file], record);
        }
        for (file, record) in &batch.refused {
            self.refusals.add(&batch.files[*file], record.clone());
        }
    }

    fn tell_refused(&mut self, now: Instant, is_end: bool) {
        let Some(told) = self.refusals.tell(now, is_end) else {
            return;
        };
        if let Some(Keeping { bridge, .. }) = &self.keeping {
            bridge.refused(told.count, &BridgeFault::new("records_refused", told.first));
        }
        self.outlet.note(told.note);
    }

    fn tell_status(&self) {
        let mut status = lock(&self.status);
        status.files = self.roster.files.len();
        status.unread_bytes = self.roster.unread();
        let unread = self.roster.problems.iter().next();
        let unread = unread.map(|(path, cause)| format!("{} cannot be read: {cause}", path.display()));
        let deaf = || {
            self.ears
                .as_ref()
                .and_then(Ears::problem)
                .or_else(|| self.deaf.clone())
        };
        status.problem = unread.or_else(deaf);
        let Some(Keeping { bridge, .. }) = &self.keeping else {
            return;
        };
        match &status.problem {
            None => bridge.connected(),
            Some(problem) => bridge.fault(BridgeFault::new("file_unreadable", problem.clone())),
        }
        if status.unread_bytes == 0 {
            bridge.lag(Lag {
                events: Some(0),
                oldest: None,
            });
        }
    }

    /// Writes the place down; whether that worked.
    fn keep(&mut self) -> bool {
        self.is_dirty = false;
        self.kept_at = Instant::now();
        let Some(Keeping { cursor, bridge }) = &self.keeping else {
            return true;
        };
        let Err(error) = cursor.store(&self.roster.document()) else {
            return true;
        };
        self.is_dirty = true;
        let message = format!("the place cannot be written down: {error}; make room or mend the folder");
        bridge.waiting(BridgeFault::new("cursor_unwritable", message), Some(KEPT_EVERY));
        false
    }

    /// Something does not work now: it is tried again after a while.
    fn trouble(&self, cause: &str) {
        if self.stop.is_cancelled() {
            return;
        }
        tracing::warn!(source = self.roster.name, cause, "the tail waits");
        lock(&self.status).problem = Some(cause.to_owned());
        self.runtime.block_on(async {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        });
    }
}
