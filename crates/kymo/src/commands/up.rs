//! `kymo up`: server and watch of this folder in one process. A second one joins the first.
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    exit::Exit,
    failure::Failure,
    find::{self, Place, State, Where},
    history::LedgerStatus,
    printer::{Printer, note},
    reload::Source,
    settings::{Loaded, Origin, SettingsArgs},
    station::{self, Ended, Plan, Ready},
    welcome::{self, Welcome},
};

const EXAMPLES: &str = "\
Examples:
  kymo up                          record this folder and open the page
  kymo up --no-open                print the address only
  kymo up --listen 127.0.0.1:8080  on another port

A second `kymo up` in the same folder, or in one below it, joins the running one: it prints a fresh
address and ends. `kymo up --data .kymo` gives a folder below a ledger of its own.";

/// Arguments of `up`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folder to record
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Data folder [env: KYMO_DATA] [default: .kymo in the recorded folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Listen beyond this machine although there is no TLS here
    #[arg(long)]
    insecure: bool,
    /// Do not open the browser
    #[arg(long)]
    no_open: bool,
    /// Serve without watching the folder
    #[arg(long)]
    no_watch: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let folder = self
            .folder
            .canonicalize()
            .map_err(|cause| Failure::disk("found", &self.folder, &cause))?;
        let is_named =
            self.data.is_some() || std::env::var_os("KYMO_DATA").is_some_and(|data| !data.is_empty());
        let data = if is_named {
            find::data_folder(self.data.as_deref())?
        } else {
            folder.join(".kymo")
        };
        let above = if is_named || data.exists() {
            None
        } else {
            find::nearest(&folder)
        };
        let open = !self.no_open && Printer::on_terminal();
        if let Some(above) = above
            .as_deref()
            .filter(|above| !self.no_watch && records(above, &folder))
        {
            note(format!(
                "{} is recorded already, with what is around it; `kymo up --data .kymo` gives it a ledger of its own",
                folder.display()
            ));
            return join(above, find::held_by(above), &[folder], open);
        }
        let source = Source {
            args: self.settings.clone(),
            flags: listen_flags(self.listen, self.insecure),
            data: data.clone(),
        };
        let loaded = source.load()?;
        let plan = Plan {
            data: data.clone(),
            listen_is_fixed: *loaded.origin("server.listen") != Origin::Default,
            watch: if self.no_watch {
                Vec::new()
            } else {
                folders(&folder, &loaded)
            },
            settings: loaded.settings,
            source,
        };
        let watches = plan.watch.clone();
        let on_ready = |ready: &Ready| {
            greet(ready, open);
            if let Some(above) = above.as_deref().and_then(Path::parent) {
                note(format!(
                    "a new ledger begins here, beside the one of {0}; `kymo up {0}` records this folder there",
                    above.display()
                ));
            }
        };
        match station::run(plan, on_ready)? {
            Ended::Served => Ok(Exit::Done),
            Ended::Elsewhere { pid } => join(&data, pid, &watches, open),
        }
    }
}

/// Whether a server runs on this data folder that watches a folder or one above it.
fn records(data: &Path, folder: &Path) -> bool {
    let Ok(State::Running(endpoint)) = find::state_of(data, None) else {
        return false;
    };
    let watched: Option<Watched> = crate::client::Client::new(&endpoint)
        .get("/api/v1/status", &[])
        .ok();
    watched.is_some_and(|watched| watched.covers(folder))
}

/// Flags that are settings, for the layer above all others.
pub(super) fn listen_flags(
    listen: Option<SocketAddr>,
    insecure: bool,
) -> Vec<(&'static str, String, &'static str)> {
    let mut flags = Vec::new();
    if let Some(listen) = listen {
        flags.push(("server.listen", listen.to_string(), "--listen"));
    }
    if insecure {
        flags.push(("server.insecure", "true".to_owned(), "--insecure"));
    }
    flags
}

/// The folder itself, and those of the settings beside it.
fn folders(folder: &Path, loaded: &Loaded) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    folders.extend(loaded.settings.watch.folders.iter().cloned());
    folders
}

/// Says that it runs, and opens the page.
pub(super) fn greet(ready: &Ready, open: bool) {
    Welcome {
        login_url: &ready.login_url,
        data: &ready.data,
        events: ready.head,
        watch: &ready.watch,
        busy_port: ready.busy_port,
        joined: None,
    }
    .print();
    if open {
        welcome::open_browser(&ready.login_url);
    }
}

#[derive(Deserialize)]
struct LoginCode {
    url: String,
}

#[derive(Deserialize, Default)]
struct Watched {
    #[serde(default)]
    watch: Vec<WatchedFolder>,
}

impl Watched {
    fn covers(&self, folder: &Path) -> bool {
        self.watch.iter().any(|watch| folder.starts_with(&watch.folder))
    }
}

#[derive(Deserialize)]
struct WatchedFolder {
    folder: PathBuf,
}

/// Another process has the folder: if it serves, hands out a fresh way in.
pub(super) fn join(data: &Path, pid: Option<u32>, watches: &[PathBuf], open: bool) -> Result<Exit, Failure> {
    let place = Where {
        data: Some(data.to_owned()),
        ..Where::default()
    };
    // The other one may be opening a ledger that needs recovery.
    let found = Place::find_settled_within(&place, Duration::from_secs(6))?;
    let State::Running(endpoint) = &found.state else {
        return Err(Failure::locked(data, pid));
    };
    let client = crate::client::Client::new(endpoint);
    let code: LoginCode = client.post("/api/v1/login-codes", &serde_json::json!({}))?;
    let status = LedgerStatus::of(&client)?;
    Welcome {
        login_url: &code.url,
        data,
        events: status.head.unwrap_or(0),
        watch: &[],
        busy_port: None,
        joined: Some(pid.unwrap_or_default()),
    }
    .print();
    tell_unwatched(&client, watches);
    if open {
        welcome::open_browser(&code.url);
    }
    Ok(Exit::Done)
}

/// A server that does not watch what was asked for says so, rather than let people wait for events.
fn tell_unwatched(client: &crate::client::Client, watches: &[PathBuf]) {
    let watched: Watched = client.get("/api/v1/status", &[]).unwrap_or_default();
    let missing = watches.iter().find(|folder| !watched.covers(folder));
    if let Some(folder) = missing {
        note(format!(
            "the running server does not watch {0}; `kymo watch {0}` does",
            welcome::near(folder)
        ));
    }
}
