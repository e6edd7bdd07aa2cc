//! Finds the server or the data folder a command means.
//!
//! In this order: `--url`, `--data`, the nearest `.kymo` upward from here, the user's own data folder. The owner's
//! token is only sent to a server that holds the folder's lock: a `server.json` left behind by a dead one is not
//! believed, since something else may listen at its address by now.
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kymo_ledger::LockState;

use crate::{
    client::Client,
    failure::{Failure, Kind},
};

/// Where a command works; part of every command's arguments.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Where {
    /// Address of the server, such as http://127.0.0.1:7700 [env: KYMO_URL]
    #[arg(long, value_name = "URL", help_heading = "Where")]
    pub(crate) url: Option<String>,
    /// Data folder [env: KYMO_DATA] [default: the nearest .kymo upward from here, else the user's own]
    #[arg(long, alias = "folder", value_name = "DIR", help_heading = "Where")]
    pub(crate) data: Option<PathBuf>,
    /// Token for the server [default: the one in the data folder]
    #[arg(
        long,
        env = "KYMO_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Where"
    )]
    pub(crate) token: Option<String>,
}

impl Where {
    /// The server that is named. What stands on the command line goes before the environment, so that `--data` means
    /// its folder also where KYMO_URL is set.
    pub(crate) fn url(&self) -> Option<String> {
        let from_environment = || env::var("KYMO_URL").ok().filter(|url| !url.is_empty());
        self.url.clone().or_else(|| {
            if self.data.is_some() {
                None
            } else {
                from_environment()
            }
        })
    }
}

/// What a running server writes into its folder once it accepts events.
#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
pub(crate) struct ServerFile {
    pub(crate) url: String,
    pub(crate) pid: u32,
    pub(crate) version: String,
    pub(crate) started: String,
}

impl ServerFile {
    /// Where it lies.
    pub(crate) fn path(data: &Path) -> PathBuf {
        data.join("server.json")
    }

    /// Reads it; `None` while there is none, or only half of one by another program.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(data)).ok()?).ok()
    }
}

/// Where a command found itself to work.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The data folder, whether or not it exists.
    pub(crate) data: PathBuf,
    /// Who answers.
    pub(crate) state: State,
}

/// Who answers at a place.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// A server was named by its URL.
    Named(Endpoint),
    /// A server runs on the data folder.
    Running(Endpoint),
    /// A process holds the folder but does not serve: starting, stopping, or an import.
    Held { pid: Option<u32> },
    /// Nobody works on the folder.
    Free,
}

/// A server and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
}

impl Place {
    /// Looks now.
    pub(crate) fn find(place: &Where) -> Result<Self, Failure> {
        let data = data_folder(place.data.as_deref())?;
        let Some(url) = place.url() else {
            let state = state_of(&data, place.token.as_deref())?;
            return Ok(Self { data, state });
        };
        let url = checked_url(&url)?;
        let token = place.token.clone().or_else(|| token_for(&data, &url));
        Ok(Self {
            data,
            state: State::Named(Endpoint { url, token }),
        })
    }

    /// Looks until a starting server serves or a stopping one has ended; gives up on `Held` after a moment.
    pub(crate) fn find_settled(place: &Where) -> Result<Self, Failure> {
        Self::find_settled_within(place, Duration::from_secs(2))
    }

    /// The same with a patience of the caller's.
    pub(crate) fn find_settled_within(place: &Where, patience: Duration) -> Result<Self, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            let found = Self::find(place)?;
            if !matches!(found.state, State::Held { .. }) || Instant::now() > deadline {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// The server, if one is there.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match &self.state {
            State::Named(endpoint) | State::Running(endpoint) => Some(endpoint),
            State::Held { .. } | State::Free => None,
        }
    }

    /// A client of the server, if one is there.
    pub(crate) fn client(&self) -> Option<Client> {
        self.endpoint().map(Client::new)
    }

    /// A client of the server, or the failure that says there is none.
    pub(crate) fn server(&self) -> Result<Client, Failure> {
        match &self.state {
            State::Named(endpoint) | State::Running(endpoint) => Ok(Client::new(endpoint)),
            State::Held { pid } => Err(Failure::locked(&self.data, *pid)),
            State::Free => Err(no_server(&self.data)),
        }
    }
}

/// Nobody serves this folder.
pub(crate) fn no_server(data: &Path) -> Failure {
    Failure::new(
        Kind::NoServer,
        format!("no server is running on {}", data.display()),
    )
    .hint("start one with `kymo up` (or `kymo serve`), or name one with --url or --data")
}

/// The data folder that is meant, whether or not it exists.
pub(crate) fn data_folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return absolute(named);
    }
    if let Some(named) = env::var_os("KYMO_DATA").filter(|named| !named.is_empty()) {
        return absolute(Path::new(&named));
    }
    let here = env::current_dir().map_err(|cause| Failure::disk("read", Path::new("."), &cause))?;
    nearest(&here).map_or_else(user_folder, Ok)
}

/// The data folder in a folder, or in the nearest one above it that has one.
pub(crate) fn nearest(folder: &Path) -> Option<PathBuf> {
    let mut places = folder.ancestors().map(|folder| folder.join(".kymo"));
    places.find(|place| place.is_dir())
}

/// The folder of the hub that belongs to the user and to no project.
pub(crate) fn user_folder() -> Result<PathBuf, Failure> {
    let home = |rest: &str| env::var_os("HOME").map(|home| PathBuf::from(home).join(rest));
    let base = if cfg!(windows) {
        env::var_os("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        home("Library/Application Support")
    } else {
        env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| home(".local/share"))
    };
    base.map(|base| base.join("kymo")).ok_or_else(|| {
        Failure::usage("there is no .kymo here and the user's data folder is unknown (HOME is not set)")
            .hint("name a data folder with --data DIR or KYMO_DATA")
    })
}

/// Who works on a folder.
pub(crate) fn state_of(data: &Path, token: Option<&str>) -> Result<State, Failure> {
    let lock = kymo_ledger::lock_state(data).map_err(|cause| Failure::disk("read", data, &cause))?;
    Ok(match lock {
        LockState::Free => State::Free,
        LockState::Held { pid } => match ServerFile::read(data) {
            // A file by another process than the one that holds the lock is a leftover. Between taking the lock and
            // saying so the holder's pid may be a leftover itself; that process is dead then.
            Some(file) if pid == Some(file.pid) && is_alive(file.pid) => State::Running(Endpoint {
                url: file.url,
                token: token.map(str::to_owned).or_else(|| owner_token(data)),
            }),
            _ => State::Held { pid },
        },
    })
}

/// The process that holds a data folder, if one does and says so.
pub(crate) fn held_by(data: &Path) -> Option<u32> {
    match kymo_ledger::lock_state(data) {
        Ok(LockState::Held { pid }) => pid,
        _ => None,
    }
}

#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // Not allowed to ask means that it is there.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_alive(_: u32) -> bool {
    true
}

/// The owner's token of a folder.
pub(crate) fn owner_token(data: &Path) -> Option<String> {
    let text = fs::read_to_string(data.join("token")).ok()?;
    Some(text.trim().to_owned()).filter(|token| !token.is_empty())
}

/// The token for a server named by URL: the folder's own, if that very server runs on it.
fn token_for(data: &Path, url: &str) -> Option<String> {
    match state_of(data, None) {
        Ok(State::Running(endpoint)) if endpoint.url.trim_end_matches('/') == url => endpoint.token,
        _ => None,
    }
}

fn checked_url(url: &str) -> Result<String, Failure> {
    let url = url.trim().trim_end_matches('/');
    if url.starts_with("http://") || url.starts_with("https://") {
        Ok(url.to_owned())
    } else {
        Err(Failure::usage(format!("`{url}` is no address of a server"))
            .hint("write it with its scheme: http://127.0.0.1:7700"))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|cause| Failure::disk("read", path, &cause))
}
