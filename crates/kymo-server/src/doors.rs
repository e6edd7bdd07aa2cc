//! Doors for clients of other systems: whether they are open, where, and for whom; the words of `[doors]` in `kymo.toml`.
//!
//! A door is closed until it is opened. Then it is on the server's own port, and on one of its own if that is named. Its
//! clients may be unable to send a token: what may be done without one is said here.
use std::{net::SocketAddr, sync::Arc};

use axum::http::{HeaderMap, header};
use kymo_hub::Scope;

use crate::{
    auth::{Auth, Caller},
    error::ApiError,
    gate::Gate,
    settings::ServerSettings,
};

/// Every door.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorsSettings {
    /// `/socket.io/`, for clients of Socket.IO 3 and later.
    pub socketio: SocketIoSettings,
    /// `/conductor`, for clients of the conductor.
    pub conductor: ConductorSettings,
}

/// The Socket.IO door.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketIoSettings {
    /// Whether it is open.
    pub enabled: bool,
    /// A port of its own, besides the server's.
    pub listen: Option<SocketAddr>,
    /// Origins of other sites whose pages may come through this door.
    pub origins: Vec<String>,
    /// What may be done without a token.
    pub anonymous: Anonymous,
    /// Newest events given on connecting.
    pub catchup: usize,
    /// Between two pings, in milliseconds.
    pub ping_interval_ms: u64,
    /// How long a client may take to answer a ping, in milliseconds.
    pub ping_timeout_ms: u64,
    /// Bytes of one message or one request of a client.
    pub payload_bytes_max: usize,
    /// Sessions at once.
    pub sessions_max: usize,
    /// Answer as the official protocol suites expect.
    pub echo: bool,
}

impl Default for SocketIoSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: None,
            origins: vec![],
            anonymous: Anonymous::Off,
            catchup: 50,
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            payload_bytes_max: 1_000_000,
            sessions_max: 10_000,
            echo: false,
        }
    }
}

/// The conductor's door.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConductorSettings {
    /// Whether it is open.
    pub enabled: bool,
    /// A port of its own, besides the server's.
    pub listen: Option<SocketAddr>,
    /// Origins of other sites whose pages may come through this door.
    pub origins: Vec<String>,
    /// What may be done without a token.
    pub anonymous: Anonymous,
    /// How far back the history reaches that a client is given first, in seconds.
    pub history_s: u64,
    /// Events of that history at most, the newest.
    pub history_max: usize,
    /// Between two messages with metrics, in milliseconds.
    pub metrics_ms: u64,
    /// Bytes of one message of a client.
    pub payload_bytes_max: usize,
    /// Clients at once.
    pub clients_max: usize,
}

impl Default for ConductorSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: None,
            origins: vec![],
            anonymous: Anonymous::Off,
            history_s: 300,
            history_max: 1_000,
            metrics_ms: 5_000,
            payload_bytes_max: 1 << 20,
            clients_max: 10_000,
        }
    }
}

/// Which door.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    SocketIo,
    Conductor,
}

impl DoorsSettings {
    /// Ports of doors that are open and have one of their own.
    pub(crate) fn own_ports(&self) -> Vec<(Which, SocketAddr)> {
        let Self { socketio, conductor } = self;
        let ports = [
            (Which::SocketIo, socketio.listen.filter(|_| socketio.enabled)),
            (Which::Conductor, conductor.listen.filter(|_| conductor.enabled)),
        ];
        ports
            .into_iter()
            .filter_map(|(which, addr)| Some((which, addr?)))
            .collect()
    }
}

/// What may be done through a door without a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub enum Anonymous {
    /// Nothing.
    #[default]
    #[serde(rename = "off")]
    Off,
    /// Events may be read.
    #[serde(rename = "read")]
    Read,
    /// Events may be read and emitted.
    #[serde(rename = "read+emit")]
    ReadAndEmit,
}

/// An open door, whatever is spoken at it.
pub(crate) struct Door {
    /// Whom it believes, on either port.
    pub(crate) gate: Gate,
    stranger: Option<Arc<Caller>>,
}

impl Door {
    /// `name` is that of its settings.
    pub(crate) fn new(
        name: &'static str,
        server: &ServerSettings,
        listen: Option<SocketAddr>,
        origins: &[String],
        anonymous: Anonymous,
    ) -> Self {
        let stranger = match anonymous {
            Anonymous::Off => None,
            Anonymous::Read => Some(vec![Scope::Read]),
            Anonymous::ReadAndEmit => Some(vec![Scope::Read, Scope::Emit]),
        };
        Self {
            gate: Gate::of_door(name, server, listen, origins),
            stranger: stranger.map(Caller::anonymous),
        }
    }

    /// Who comes: by a token in the header, which must be good, or by the cookie of the server's own page.
    pub(crate) fn caller(&self, auth: &Auth, headers: &HeaderMap) -> Result<Option<Arc<Caller>>, ApiError> {
        let has_token = headers.contains_key(header::AUTHORIZATION);
        // Browsers send the cookie for pages of other ports, too: those come as who they say they are.
        let is_foreign = || {
            let entry = self.gate.check(None, headers);
            entry.map_or(true, |entry| entry.foreign_origin.is_some())
        };
        match auth.identify(headers) {
            Ok(_) if !has_token && is_foreign() => Ok(None),
            Ok(caller) => Ok(Some(caller)),
            Err(error) if has_token => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Who comes without a token; `how` says how one is sent.
    pub(crate) fn stranger(&self, how: &str) -> Result<Arc<Caller>, ApiError> {
        let stranger = self.stranger.clone();
        stranger.ok_or_else(|| ApiError::new("unauthorized", format!("no token; send one {how}")))
    }
}
