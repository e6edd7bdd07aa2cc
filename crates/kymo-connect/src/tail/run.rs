//! The thread of a tail: looks, reads, hands on, and writes the place down; it waits for hints, and looks by itself now
//! and then.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kymo_event::Event;
use kymo_hub::BridgeFault;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    TailStatus,
    keeping::Keeping,
    pace::Pace,
    report::{self, Refusals},
    roster::{Batch, Roster},
    service::lock,
    taking::RefusedRecord,
};
use crate::{
    Outlet, Refused, Taken, clock,
    hearing::{Ears, HintBox, Hints},
};

/// Between two times that the place is written down, where nothing asks for it sooner.
const KEPT_EVERY: Duration = Duration::from_secs(1);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// At the end, how long the outlet may take for what was handed to it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the thread of a tail does.
pub(super) struct Run {
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
    pace: Pace,
    kept_at: Instant,
    /// The place moved since it was written down.
    is_dirty: bool,
    /// It must be written down before anything more is handed on: ids are made of what it says.
    must_keep: bool,
    /// The last time that did not work.
    is_unkept: bool,
}

impl Run {
    /// Ready to run.
    pub(super) fn new(
        roster: Roster,
        keeping: Option<Keeping>,
        outlet: Arc<dyn Outlet>,
        stop: CancellationToken,
        status: Arc<Mutex<TailStatus>>,
    ) -> Self {
        let hints = Arc::new(HintBox::default());
        tokio::spawn({
            let (hints, stop) = (Arc::clone(&hints), stop.clone());
            async move {
                stop.cancelled().await;
                hints.stop();
            }
        });
        let (ears, deaf) = match Ears::new(Arc::clone(&hints), 0) {
            Ok(ears) => (Some(ears), None),
            Err(cause) => (
                None,
                Some(format!(
                    "the system tells of no changes, they are looked for: {cause}"
                )),
            ),
        };
        let sweep = Duration::from_millis(roster.settings.sweep_ms.max(10));
        Self {
            refusals: Refusals::new(&roster.name),
            roster,
            keeping,
            hints,
            ears,
            deaf,
            outlet,
            runtime: Handle::current(),
            stop,
            status,
            pace: Pace::new(sweep, Instant::now()),
            kept_at: Instant::now(),
            is_dirty: false,
            must_keep: false,
            is_unkept: false,
        }
    }

    /// Follows until it is told to stop.
    pub(super) fn run(mut self) {
        let mut is_told_to_go_on = true;
        while is_told_to_go_on {
            if self.pace.is_due(self.roster.is_stale, Instant::now()) {
                self.look();
            }
            if std::mem::take(&mut self.roster.has_new) {
                self.must_keep = true;
                self.keep();
            }
            if let Err(cause) = self.hand_on() {
                self.trouble(&cause);
            }
            let is_time = self.kept_at.elapsed() >= KEPT_EVERY;
            if (self.is_dirty || self.must_keep) && is_time {
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
        if self.is_dirty || self.must_keep {
            self.keep();
        }
    }

    /// When there is something to do, even if nothing is heard.
    fn next(&self) -> Instant {
        if !self.roster.behind.is_empty() {
            return Instant::now();
        }
        let look = self.pace.due(self.roster.is_stale);
        let keep = (self.is_dirty || self.must_keep).then(|| self.kept_at + KEPT_EVERY);
        keep.map_or(look, |keep| keep.min(look))
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
        self.pace.looked(began, Instant::now());
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
        self.must_keep |= batch.is_new;
        if self.must_keep && !self.keep() {
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
        let unkept = self
            .is_unkept
            .then(|| "the place cannot be written down".to_owned());
        status.problem = unkept.or(unread).or_else(deaf);
        // Why it cannot be written down is on the board already.
        if let Some(keeping) = self.keeping.as_ref().filter(|_| !self.is_unkept) {
            keeping.show(status.problem.as_deref(), status.unread_bytes == 0);
        }
    }

    /// Writes the place down; whether that worked.
    fn keep(&mut self) -> bool {
        self.kept_at = Instant::now();
        let keeping = self.keeping.as_ref();
        let is_kept = keeping.is_none_or(|keeping| keeping.store(&self.roster.document(), KEPT_EVERY));
        self.is_unkept = !is_kept;
        if is_kept {
            (self.is_dirty, self.must_keep) = (false, false);
        }
        is_kept
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
