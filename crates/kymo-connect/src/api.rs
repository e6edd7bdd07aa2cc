//! SKELETON of the public surface; the real crate splits this over its rooms.
use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use kymo_event::Event;
use kymo_hub::Hub;
use tokio_util::sync::CancellationToken;

/// Where a source's events go: the hub in the same process, or a server elsewhere.
pub trait Outlet: Send + Sync + 'static {
    /// Hands events over in order; done when they are durable (or were kept for later). Waits and retries by itself
    /// when the other side is busy; an error is final for these events and was already reported.
    fn emit<'a>(
        &'a self,
        events: Vec<Event<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}
/// The hub of this process.
pub struct HubOutlet {
    _hub: Hub,
}
impl HubOutlet {
    /// As the owner, at the door `watch`.
    #[must_use]
    pub fn new(hub: Hub, door: &'static str) -> Self {
        todo!("{door}{}", hub.counters().head)
    }
}
impl Outlet for HubOutlet {
    fn emit<'a>(
        &'a self,
        events: Vec<Event<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        todo!("{events:?}")
    }
}

/// What to watch and how.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchSettings {
    /// Folders; relative to where the program stands.
    pub folders: Vec<PathBuf>,
    /// `source` of the events.
    pub source: String,
    /// Patterns (gitignore syntax) left out besides `.gitignore`.
    pub ignore: Vec<String>,
    /// Look at files up to this size for lines and language.
    pub content_bytes_max: u64,
    /// Quiet time that ends a burst of changes to one file.
    pub settle_ms: u64,
    /// Between heartbeats.
    pub heartbeat_s: u64,
    /// Directories watched at most; 0 = as many as the system allows.
    pub directories_max: usize,
}
impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            folders: vec![],
            source: "watch".into(),
            ignore: vec![],
            content_bytes_max: 1 << 20,
            settle_ms: 40,
            heartbeat_s: 30,
            directories_max: 0,
        }
    }
}

/// A running watch.
pub struct Watch {
    _private: (),
}
/// How it is doing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WatchStatus {
    /// Absolute folder.
    pub folder: PathBuf,
    /// Directories watched.
    pub directories: usize,
    /// Directories that could not be watched.
    pub unwatched: usize,
    /// In words, when something is wrong.
    pub problem: Option<String>,
    /// Events emitted since start.
    pub events: u64,
}
impl Watch {
    /// Starts watching; returns when the first scan is done.
    pub async fn start(
        settings: WatchSettings,
        outlet: Arc<dyn Outlet>,
        shutdown: CancellationToken,
    ) -> Result<Self, WatchError> {
        todo!(
            "{settings:?}{}{}",
            shutdown.is_cancelled(),
            Arc::strong_count(&outlet)
        )
    }
    /// Per folder.
    #[must_use]
    pub fn status(&self) -> Vec<WatchStatus> {
        todo!()
    }
    /// Waits until it has stopped after `shutdown`.
    pub async fn finished(self) {
        todo!()
    }
}
/// Why there is nothing to watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The folder is not there or not readable.
    #[error("cannot watch {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    /// The system's watcher does not start.
    #[error("the system's file watcher does not start: {0}")]
    Watcher(String),
}

/// Takes up `<data>/spool/*.jsonl` now and every few seconds: emits their events (ids make them once), then removes the file.
pub async fn take_up_spools(
    spool: &Path,
    outlet: Arc<dyn Outlet>,
    every: Duration,
    shutdown: CancellationToken,
) {
    todo!(
        "{spool:?}{every:?}{}{}",
        Arc::strong_count(&outlet),
        shutdown.is_cancelled()
    )
}
/// Appends events to this process's own spool file (`<spool>/<pid>-<random>.jsonl`, one line = one write, O_APPEND). Events get
/// an id here if they have none, so that they arrive once.
pub struct SpoolWriter {
    _private: (),
}
impl SpoolWriter {
    /// Makes the folder where absent.
    pub fn create(spool: &Path) -> std::io::Result<Self> {
        todo!("{spool:?}")
    }
    /// Appends native event lines (JSON objects without line feed).
    pub fn append(&mut self, records: &[String]) -> std::io::Result<()> {
        todo!("{records:?}")
    }
    /// Where.
    #[must_use]
    pub fn path(&self) -> &Path {
        todo!()
    }
}
