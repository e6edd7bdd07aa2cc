//! Starts and stops the watching: settings in, a handle out.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kymo_event::Event;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{WatchSettings, folder::Folder};
use crate::{Outlet, hearing::HintBox};

/// Events handed on at once.
const BATCH_MAX: usize = 500;
/// Batches waiting to be handed on; beyond, the looking waits.
const BATCHES_MAX: usize = 16;
/// At the end, how long the outlet may take for what is still waiting.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A running watch. Dropping it stops it.
pub struct Watch {
    statuses: Vec<Arc<Mutex<WatchStatus>>>,
    pump: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    guard: DropGuard,
}

/// How it is doing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WatchStatus {
    /// Absolute folder.
    pub folder: PathBuf,
    /// Directories watched, not counting those inside `.git`.
    pub directories: usize,
    /// Directories that could not be watched.
    pub unwatched: usize,
    /// In words, when something is wrong.
    pub problem: Option<String>,
    /// Events emitted since start.
    pub events: u64,
}

/// Why there is nothing to watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The folder is not there or not readable.
    #[error("cannot watch {}", path.display())]
    Folder {
        /// As given.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The system's watcher does not start.
    #[error("the system's file watcher does not start: {0}")]
    Watcher(String),
}

impl Watch {
    /// Starts watching; returns when the first scan is done.
    ///
    /// The state at start is reported by one `watch.started` per folder and `file.found` for the most recently changed
    /// files: not as the imported past, since it is how things are now.
    pub async fn start(
        settings: WatchSettings,
        outlet: Arc<dyn Outlet>,
        shutdown: CancellationToken,
    ) -> Result<Self, WatchError> {
        let folders = resolve(&settings.folders)?;
        let settings = Arc::new(settings);
        let stop = shutdown.child_token();
        let guard = stop.clone().drop_guard();
        let (out, batches) = mpsc::channel(BATCHES_MAX);
        let pump = tokio::spawn(pump(batches, outlet, stop.clone()));
        let mut statuses = Vec::new();
        for root in &folders {
            let others = folders
                .iter()
                .filter(|other| *other != root && other.starts_with(root))
                .cloned()
                .collect();
            statuses.push(start_folder(root, others, settings.clone(), out.clone(), &stop).await?);
        }
        Ok(Self {
            statuses,
            pump,
            stop,
            guard,
        })
    }

    /// Per folder.
    #[must_use]
    pub fn status(&self) -> Vec<WatchStatus> {
        self.statuses.iter().map(|status| lock(status).clone()).collect()
    }

    /// Waits until it has stopped after `shutdown` and everything seen was handed on.
    pub async fn finished(self) {
        self.stop.cancelled().await;
        self.pump.await.ok();
        drop(self.guard);
    }
}

fn lock(status: &Mutex<WatchStatus>) -> std::sync::MutexGuard<'_, WatchStatus> {
    status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Absolute folders, each once.
fn resolve(folders: &[PathBuf]) -> Result<Vec<PathBuf>, WatchError> {
    let here = [PathBuf::from(".")];
    let mut found = Vec::new();
    for path in if folders.is_empty() { &here[..] } else { folders } {
        let fail = |cause| WatchError::Folder {
            path: path.clone(),
            cause,
        };
        let folder = path.canonicalize().map_err(fail)?;
        std::fs::read_dir(&folder).map_err(fail)?;
        if !found.contains(&folder) {
            found.push(folder);
        }
    }
    Ok(found)
}

/// The folder's thread; done when its first scan is.
async fn start_folder(
    root: &Path,
    others: Vec<PathBuf>,
    settings: Arc<WatchSettings>,
    out: mpsc::Sender<Vec<Event<'static>>>,
    stop: &CancellationToken,
) -> Result<Arc<Mutex<WatchStatus>>, WatchError> {
    let hints = Arc::new(HintBox::default());
    tokio::spawn({
        let (hints, stop) = (hints.clone(), stop.clone());
        async move {
            stop.cancelled().await;
            hints.stop();
        }
    });
    let (ready, opened) = oneshot::channel();
    let root = root.to_owned();
    let run = move || match Folder::open(&root, others, settings, hints.clone()) {
        Ok(folder) => {
            let status = Arc::new(Mutex::new(folder.status()));
            if ready.send(Ok(status.clone())).is_ok() {
                run(folder, &hints, &status, &out);
            }
        }
        Err(error) => _ = ready.send(Err(error)),
    };
    let spawned = std::thread::Builder::new().name("kymo-watch".into()).spawn(run);
    spawned.map_err(|error| WatchError::Watcher(error.to_string()))?;
    opened
        .await
        .unwrap_or_else(|_| Err(WatchError::Watcher("the first scan ended unexpectedly".into())))
}

fn run(
    mut folder: Folder,
    hints: &HintBox,
    status: &Mutex<WatchStatus>,
    out: &mpsc::Sender<Vec<Event<'static>>>,
) {
    let hand_on = |folder: &mut Folder| {
        *lock(status) = folder.status();
        let events = folder.take_events();
        events.is_empty() || out.blocking_send(events).is_ok()
    };
    while hand_on(&mut folder) {
        let (heard, go_on) = hints.wait(Some(folder.next()));
        folder.hear(heard, Instant::now());
        if !go_on {
            break;
        }
        folder.work(Instant::now());
    }
    folder.close();
    hand_on(&mut folder);
}

/// Hands events on in order, many at once when many wait.
async fn pump(
    mut batches: mpsc::Receiver<Vec<Event<'static>>>,
    outlet: Arc<dyn Outlet>,
    stop: CancellationToken,
) {
    while let Some(mut events) = batches.recv().await {
        while events.len() < BATCH_MAX
            && let Ok(more) = batches.try_recv()
        {
            events.extend(more);
        }
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(BATCH_MAX));
            if !emit(&*outlet, std::mem::replace(&mut events, rest), &stop).await {
                return;
            }
        }
    }
}

/// Whether to go on: after the stop the outlet is not waited for without end.
async fn emit(outlet: &dyn Outlet, events: Vec<Event<'static>>, stop: &CancellationToken) -> bool {
    let count = events.len();
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        result = outlet.emit(events) => {
            if let Err(error) = result {
                tracing::warn!(events = count, %error, "events of the watch were not taken");
            }
            true
        }
        () = patience => {
            tracing::warn!(events = count, "events of the watch were still waiting at the end and are lost");
            false
        }
    }
}
