//! Follows: settings in, a handle out. The thread that does it is in `run`.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kymo_hub::{BridgeFault, Hub};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{TailSettings, cursor::Document, keeping::Keeping, patterns::Patterns, roster::Roster, run::Run};
use crate::{Cursors, Outlet};

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
        Self {
            keeping: Some(Keeping::new(name, &settings, cursors, hub)),
            ..Self::unkept(name, settings, data)
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
        let status = Arc::new(Mutex::new(TailStatus {
            name: name.clone(),
            ..TailStatus::default()
        }));
        let (done, finished) = oneshot::channel();
        let roster = Roster::new(&name, settings, patterns, document);
        let run = Run::new(roster, keeping, outlet, stop, Arc::clone(&status));
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

pub(super) fn lock(status: &Mutex<TailStatus>) -> MutexGuard<'_, TailStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}
