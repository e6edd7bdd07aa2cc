//! Doors for clients of other systems: whether they are open, where, and for whom; the words of `[doors]` in `kymo.toml`.
//!
//! A door is closed until it is opened. Then it is on the server's own port, and on one of its own if that is named. Its
//! clients may be unable to send a token: what may be done without one is said here.
use std::{net::SocketAddr, sync::Arc};

use kymo_hub::Scope;

use crate::{auth::Caller, error::ApiError, gate::Gate, settings::ServerSettings};

/// Every door.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorsSettings {
    /// `/socket.io/`, for clients of Socket.IO 3 and later.
    pub socketio: SocketIoSettings,
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

impl SocketIoSettings {
    /// Its own port, if it is open.
    pub(crate) fn own_port(&self) -> Option<SocketAddr> {
        self.listen.filter(|_| self.enabled)
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

    /// Who comes without a token.
    pub(crate) fn stranger(&self) -> Result<Arc<Caller>, ApiError> {
        self.stranger.clone().ok_or_else(|| {
            ApiError::new(
                "unauthorized",
                "no token; send one as `auth: { token }`, or as `Authorization: Bearer <token>`",
            )
        })
    }
}
