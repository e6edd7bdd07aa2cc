//! Puts the parts together: a running Kymo of one data folder, from opening the ledger to a shutdown that loses nothing.
//!
//! The order matters. The ledger's lock decides who runs; the server is bound before anything is recorded, so that a
//! taken port leaves no trace; `server.json` appears once events are accepted and goes before the lock does, so that
//! whoever starts next never finds ours.
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use kymo_connect::{Bridges, HubOutlet, Watch, WatchSettings, WatchStatus, take_up_spools};
use kymo_event::{Event, Level};
use kymo_hub::{Hub, Notices};
use kymo_ledger::{Ledger, OpenError};
use kymo_server::{Parts, Server, ServerSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    address,
    exit::Exit,
    failure::Failure,
    find::ServerFile,
    moment::now,
    printer,
    reload::{self, Source},
    settings::Settings,
    signals::Signals,
};

/// What to run.
pub(crate) struct Plan {
    pub(crate) data: PathBuf,
    pub(crate) settings: Settings,
    /// Where they come from, to be read again.
    pub(crate) source: Source,
    /// Whether the address was asked for. If not, it may be another one (see [`address`]).
    pub(crate) listen_is_fixed: bool,
    /// Folders to watch.
    pub(crate) watch: Vec<PathBuf>,
}

/// What is known once it accepts events.
pub(crate) struct Ready {
    pub(crate) login_url: String,
    pub(crate) data: PathBuf,
    /// Events stored before.
    pub(crate) head: u64,
    pub(crate) watch: Vec<WatchStatus>,
    /// The port that was taken by another program.
    pub(crate) busy_port: Option<u16>,
}

/// How a run ended.
pub(crate) enum Ended {
    /// It served until it was asked to stop.
    Served,
    /// Another process holds the folder; nothing was started.
    Elsewhere { pid: Option<u32> },
}

/// Threads for what blocks beside reads of the past: looking ids up, tidying the ledger, storing tokens, standing in
/// while a large body is checked. All of it is short, and can wait for each other.
const OTHER_BLOCKING: usize = 2;

/// Runs until Ctrl-C, SIGTERM or `kymo stop`.
pub(crate) fn run(plan: Plan, on_ready: impl FnOnce(&Ready)) -> Result<Ended, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // One too many is begun whenever work comes while the last piece is about to end, and each keeps memory of its
        // own for as long as it lives: unbounded, they add up over hours.
        .max_blocking_threads(plan.settings.hub.catchup_reads_max + OTHER_BLOCKING)
        .enable_all()
        .build()
        .map_err(|cause| Failure::failed(format!("the program's threads could not be started: {cause}")))?;
    runtime.block_on(open_and_serve(plan, on_ready))
}

async fn open_and_serve(plan: Plan, on_ready: impl FnOnce(&Ready)) -> Result<Ended, Failure> {
    prepare_folder(&plan.data)?;
    let notices = Notices::new();
    let ledger = match Ledger::open(&plan.data, plan.settings.ledger.clone(), notices.on_notice()) {
        Ok(ledger) => ledger,
        Err(OpenError::Locked { pid, .. }) => return Ok(Ended::Elsewhere { pid }),
        Err(error) => return Err(error.into()),
    };
    // Left by a process that was killed; from here on it would be taken for ours.
    let _ = fs::remove_file(ServerFile::path(&plan.data));
    plan.settings.dialects.take_effect();
    let hub = Hub::start_with(plan.settings.hub.clone(), ledger, notices);
    let served = serve(&plan, &hub, on_ready).await;
    hub.close().await;
    served.map(|()| Ended::Served)
}

async fn serve(plan: &Plan, hub: &Hub, on_ready: impl FnOnce(&Ready)) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    heed_signals(stop.clone())?;
    let head = hub.ledger().head().map_or(0, kymo_event::Seq::get);
    let watching = Watching::begin(&plan.watch);
    let (server, busy_port) = bind(plan, hub, &stop, &watching).await?;
    let addr = server.addr();
    let login_url = server.login_url();
    hub.note(started(addr, &plan.data));

    let serving_ends = CancellationToken::new();
    let serving = tokio::spawn(server.serve(serving_ends.clone()));
    let sources_end = CancellationToken::new();
    let result = async {
        write_server_file(&plan.data, addr)?;
        let spools = start_spools(plan, hub, &sources_end);
        hub.routes().configure(&plan.settings.routes);
        let reloading = start_reloading(plan, hub, &sources_end);
        let bridges = Bridges::start(&plan.settings.bridges(), hub, &plan.data, &sources_end);
        let ran = match start_watch(plan, hub, &sources_end, &stop).await {
            Ok(watch) => {
                watching.set(watch);
                let watch = watching.status();
                if !stop.is_cancelled() {
                    on_ready(&Ready {
                        login_url,
                        data: plan.data.clone(),
                        head,
                        watch,
                        busy_port,
                    });
                }
                stop.cancelled().await;
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        hub.note(Event {
            level: Level::Info,
            ..Event::new("kymo.stopping", "kymo")
        });
        sources_end.cancel();
        watching.finished().await;
        let _ = spools.await;
        bridges.finished().await;
        let _ = reloading.await;
        ran
    }
    .await;
    remove_server_file(&plan.data);
    serving_ends.cancel();
    let served = serving
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())));
    result.and(served.map_err(|cause| Failure::failed(format!("serving on {addr} failed: {cause}"))))
}

/// Makes the folder where absent; nothing of it belongs into a repository.
pub(crate) fn prepare_folder(data: &Path) -> Result<(), Failure> {
    fs::create_dir_all(data).map_err(|cause| Failure::disk("created", data, &cause))?;
    let ignore = data.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "*\n").map_err(|cause| Failure::disk("written", &ignore, &cause))?;
    }
    Ok(())
}

async fn bind(
    plan: &Plan,
    hub: &Hub,
    stop: &CancellationToken,
    watching: &Watching,
) -> Result<(Server, Option<u16>), Failure> {
    let parts = || {
        let watching = watching.clone();
        Parts {
            hub: hub.clone(),
            data: plan.data.clone(),
            stop: stop.clone(),
            status: Arc::new(move || serde_json::json!({ "watch": watching.status() })),
        }
    };
    let settings = ServerSettings {
        doors: plan.settings.doors.clone(),
        ..plan.settings.server.clone()
    };
    address::bind(&settings, plan.listen_is_fixed, &plan.data, parts).await
}

fn started(addr: SocketAddr, data: &Path) -> Event<'static> {
    let data = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "listen": addr.to_string(),
        "folder": data.to_string_lossy(),
    });
    Event {
        data: Some(data.to_string().into()),
        ..Event::new("kymo.started", "kymo")
    }
}

fn start_reloading(plan: &Plan, hub: &Hub, end: &CancellationToken) -> JoinHandle<()> {
    let (source, settings) = (plan.source.clone(), plan.settings.clone());
    tokio::spawn(reload::follow(source, settings, hub.clone(), end.clone()))
}

fn start_spools(plan: &Plan, hub: &Hub, end: &CancellationToken) -> JoinHandle<()> {
    let spool = plan.data.join("spool");
    let every = Duration::from_secs(plan.settings.spool.take_up_s.max(1));
    let outlet = Arc::new(HubOutlet::new(hub.clone(), "spool"));
    let end = end.clone();
    tokio::spawn(async move { take_up_spools(&spool, outlet, every, end).await })
}

/// Starts watching; asked to stop meanwhile, it stops scanning.
async fn start_watch(
    plan: &Plan,
    hub: &Hub,
    end: &CancellationToken,
    stop: &CancellationToken,
) -> Result<Option<Watch>, Failure> {
    if plan.watch.is_empty() {
        return Ok(None);
    }
    let mut settings = WatchSettings {
        folders: plan.watch.clone(),
        ..plan.settings.watch.clone()
    };
    settings.leave_out(&plan.settings.bridges().written_files());
    let outlet = Arc::new(HubOutlet::new(hub.clone(), "watch"));
    let starting = Watch::start(settings, outlet, end.clone());
    let long = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        printer::note("looking through the folder; a large one takes a moment");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        watch = starting => watch.map(Some).map_err(|error| not_watched(&error)),
        () = stop.cancelled() => Ok(None),
        () = long => Ok(None),
    }
}

/// Why a folder is not watched, with the cause.
pub(crate) fn not_watched(error: &kymo_connect::WatchError) -> Failure {
    let cause = std::error::Error::source(error).map_or(String::new(), |cause| format!(": {cause}"));
    Failure::failed(format!("{error}{cause}"))
}

/// The watch, shared with the status page.
#[derive(Clone)]
struct Watching(Arc<Mutex<Stage>>);

enum Stage {
    /// Folders that are being looked through: whoever asks meanwhile is told that they will be watched.
    Starting(Vec<PathBuf>),
    Running(Watch),
    Over,
}

impl Watching {
    fn begin(folders: &[PathBuf]) -> Self {
        let folders = folders
            .iter()
            .map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.clone()));
        Self(Arc::new(Mutex::new(Stage::Starting(folders.collect()))))
    }

    fn set(&self, watch: Option<Watch>) {
        self.replace(watch.map_or(Stage::Over, Stage::Running));
    }

    fn replace(&self, stage: Stage) -> Stage {
        let mut now = self.0.lock().expect("nobody panics while holding it");
        std::mem::replace(&mut *now, stage)
    }

    fn status(&self) -> Vec<WatchStatus> {
        match &*self.0.lock().expect("nobody panics while holding it") {
            Stage::Starting(folders) => folders.iter().map(|folder| starting(folder)).collect(),
            Stage::Running(watch) => watch.status(),
            Stage::Over => Vec::new(),
        }
    }

    async fn finished(&self) {
        if let Stage::Running(watch) = self.replace(Stage::Over) {
            watch.finished().await;
        }
    }
}

fn starting(folder: &Path) -> WatchStatus {
    WatchStatus {
        folder: folder.to_owned(),
        directories: 0,
        unwatched: 0,
        problem: None,
        events: 0,
    }
}

fn write_server_file(data: &Path, addr: SocketAddr) -> Result<(), Failure> {
    let path = ServerFile::path(data);
    let file = ServerFile {
        url: format!("http://{addr}"),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: now().to_string(),
    };
    let text = serde_json::to_string_pretty(&file).expect("strings and numbers become JSON");
    let unfinished = data.join("server.json.new");
    fs::write(&unfinished, text + "\n")
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(|cause| Failure::disk("written", &path, &cause))
}

fn remove_server_file(data: &Path) {
    if ServerFile::read(data).is_some_and(|file| file.pid == std::process::id()) {
        let _ = fs::remove_file(ServerFile::path(data));
    }
}

/// The first signal asks to stop, the second ends the process.
fn heed_signals(stop: CancellationToken) -> Result<(), Failure> {
    let mut signals =
        Signals::new().map_err(|cause| Failure::failed(format!("signals cannot be received: {cause}")))?;
    tokio::spawn(async move {
        signals.next().await;
        if printer::Printer::on_terminal() {
            printer::note("stopping; once more to force it");
        }
        stop.cancel();
        signals.next().await;
        Exit::leave_forced();
    });
    Ok(())
}
