//! What every request handler shares.
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use kymo_hub::Hub;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::Auth,
    budget::Budget,
    conductor::{self, Conductor},
    doors::Which,
    engineio,
    gate::Gate,
    lane::Lane,
    rules::RuleStore,
    settings::ServerSettings,
    socketio::SocketIo,
};

/// What the server is given.
pub struct Parts {
    /// Everything it serves.
    pub hub: Hub,
    /// The data folder: `token`, `tokens.json`, `key`, `routes.json`.
    pub data: PathBuf,
    /// Told once `POST /api/v1/stop` was asked for.
    pub stop: CancellationToken,
    /// Folders watched and the like, for `/api/v1/status`; a function so that it is current.
    pub status: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// What every request handler shares.
pub(crate) type App = Arc<Application>;

/// See [`App`].
pub(crate) struct Application {
    pub(crate) parts: Parts,
    pub(crate) addr: SocketAddr,
    pub(crate) auth: Auth,
    pub(crate) gate: Gate,
    /// Routes made over the API.
    pub(crate) rules: RuleStore,
    /// The Socket.IO door, if it is open.
    pub(crate) socketio: Option<Arc<SocketIo>>,
    /// The conductor's door, if it is open.
    pub(crate) conductor: Option<Arc<Conductor>>,
    /// Memory that bodies may take, all together.
    pub(crate) budget: Budget,
    /// Told when the server begins to end its conversations.
    pub(crate) closing: CancellationToken,
    /// Conversations that outlive their request: WebSockets.
    pub(crate) conversations: TaskTracker,
    /// Where connections are served that only emit, and little.
    pub(crate) lane: Lane,
    pub(crate) counts: Counts,
    pub(crate) started: Instant,
}

impl Application {
    /// Everything but the hub as it is at the start.
    pub(crate) fn new(settings: &ServerSettings, parts: Parts, addr: SocketAddr, auth: Auth) -> Self {
        Self {
            rules: RuleStore::of(&parts.data),
            parts,
            addr,
            auth,
            gate: Gate::new(settings),
            socketio: None,
            conductor: None,
            budget: Budget::default(),
            closing: CancellationToken::new(),
            conversations: TaskTracker::new(),
            lane: Lane::default(),
            counts: Counts::default(),
            started: Instant::now(),
        }
    }

    pub(crate) const fn hub(&self) -> &Hub {
        &self.parts.hub
    }

    /// Whom to believe at this path of the server's port, or at the port of a door.
    pub(crate) fn gate_of(&self, port_of: Option<Which>, path: &str) -> &Gate {
        let socketio = || Some(&self.socketio.as_ref()?.door.gate);
        let conductor = || Some(&self.conductor.as_ref()?.door.gate);
        let door = match port_of {
            Some(Which::SocketIo) => socketio(),
            Some(Which::Conductor) => conductor(),
            None if engineio::is_path(path) => socketio(),
            None if path == conductor::PATH => conductor(),
            None => None,
        };
        door.unwrap_or(&self.gate)
    }

    /// Where a program on this machine finds the server.
    pub(crate) fn url(&self) -> String {
        let mut addr = self.addr;
        if addr.ip().is_unspecified() {
            let loopback = if addr.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            };
            addr.set_ip(loopback);
        }
        format!("http://{addr}")
    }

    /// A URL that logs a browser in, once.
    pub(crate) fn login_url(&self) -> std::io::Result<String> {
        let code = self.auth.codes.issue(Instant::now())?;
        Ok(format!("{}/login?code={code}", self.url()))
    }
}

/// What the server itself counts, for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Connections open now.
    pub(crate) connections: Gauge,
    /// WebSockets open now.
    pub(crate) websockets: Gauge,
    /// Socket.IO sessions open now.
    pub(crate) socketio: Gauge,
    /// Clients of the conductor now.
    pub(crate) conductor: Gauge,
    /// Connections in the lane now.
    pub(crate) lane: Gauge,
    /// SSE streams open now.
    pub(crate) streams: Gauge,
    /// Requests answered, by first digit of the status (index 0 = 1xx).
    pub(crate) answers: [AtomicU64; 5],
}

impl Counts {
    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.answers[class].fetch_add(1, Relaxed);
    }
}

/// A number of things that are open now.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// One more, until the answer is dropped.
    pub(crate) fn enter(&self) -> Open {
        self.0.fetch_add(1, Relaxed);
        Open(self.0.clone())
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Something that is open; dropped when it closes.
#[derive(Debug)]
pub(crate) struct Open(Arc<AtomicU64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
