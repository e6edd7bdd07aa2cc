//! The wire: HTTP, SSE, WebSocket, tokens, the embedded page. The only crate that knows status codes.
//!
//! Given its parts it starts nothing of its own: [`serve`] runs until its shutdown is asked for.
use std::{net::SocketAddr, path::PathBuf};

use kymo_hub::Hub;
use tokio_util::sync::CancellationToken;

/// How the server listens and whom it believes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Allow listening beyond loopback without TLS.
    pub insecure: bool,
    /// Origins of other sites that may use the API from a browser (besides our own page).
    pub origins: Vec<String>,
    /// Host names requests may carry besides loopback names and `listen`.
    pub hosts: Vec<String>,
}
impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 7700).into(),
            insecure: false,
            origins: vec![],
            hosts: vec![],
        }
    }
}

/// A bound server that is not serving yet: the address is known, nothing is accepted.
pub struct Server {
    _private: (),
}
/// What the server is given.
pub struct Parts {
    /// Everything it serves.
    pub hub: Hub,
    /// The data folder: `token`, `tokens.json`, `key`.
    pub data: PathBuf,
    /// Told once `POST /api/v1/stop` was asked for.
    pub stop: CancellationToken,
    /// Folders watched and the like, for `/api/v1/status`; a function so that it is current.
    pub status: std::sync::Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}
/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or not allowed.
    #[error("cannot listen on {addr}")]
    Listen {
        addr: SocketAddr,
        #[source]
        cause: std::io::Error,
    },
    /// Beyond loopback without `--insecure`.
    #[error(
        "{addr} is reachable from other machines and there is no TLS here; pass --insecure to accept that"
    )]
    NotLoopback { addr: SocketAddr },
    /// Token or key file.
    #[error("{} could not be read or written", path.display())]
    Secret {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
}
impl Server {
    /// Binds, makes `token` and `key` where absent.
    pub async fn bind(settings: ServerSettings, parts: Parts) -> Result<Self, StartError> {
        todo!("{settings:?}{:?}", parts.data)
    }
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        todo!()
    }
    /// A URL that logs a browser in, once, within five minutes.
    #[must_use]
    pub fn login_url(&self) -> String {
        todo!()
    }
    /// Serves until `shutdown`; then stops accepting, ends requests in flight, tells readers, and returns. The caller
    /// closes the hub (before this returns readers have been told).
    pub async fn serve(self, shutdown: CancellationToken) -> std::io::Result<()> {
        todo!("{}", shutdown.is_cancelled())
    }
}
