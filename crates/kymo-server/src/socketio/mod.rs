//! Socket.IO 5 (clients of Socket.IO 3 and later) with the ledger behind it: the server event `event` for every event,
//! and the client events `replay`, `emit`, `subscribe`, `unsubscribe`, `join` and `leave`.
//!
//! `packet` is the form on the wire, `wishes` what a client asks for on connecting, `talk` what is said, `commands` the
//! events it sends, `reader` what it is given, `frames` how that is written, once for all who get the same; `recovery`
//! lets it go on where it was, and `echo` is what the official suites talk to.
mod commands;
mod echo;
mod frames;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod packet;
mod reader;
mod recovery;
mod talk;
mod wishes;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{body::Body, http::Request};

pub(crate) use echo::SuiteEcho;
pub(crate) use talk::{Happening, Talk};

use crate::{
    app::App,
    auth::Caller,
    doors::{Door, SocketIoSettings},
    engineio::{self, Rhythm, Sessions},
    error::ApiError,
    params::{self, Parameter},
    settings::ServerSettings,
};
use recovery::Recovery;
use wishes::Wishes;

/// What the address of a session says; all but what Engine.IO needs may stand in `auth` as well.
pub(crate) const PARAMETERS: &[Parameter] = &[
    engineio::EIO,
    engineio::TRANSPORT,
    engineio::SID,
    params::FILTER,
    params::CHANNELS,
    Parameter {
        name: "dialect",
        about: "The form events are given in: broadcast if absent.",
        example: "kymo",
    },
    Parameter {
        name: "catchup",
        about: "Newest events given on connecting, at most 1,000.",
        example: "50",
    },
    Parameter {
        name: "recovery",
        about: "`1`: events carry an offset as their last argument, and a client that comes back goes on behind it.",
        example: "1",
    },
];

/// The Socket.IO door, open.
pub(crate) struct SocketIo {
    pub(crate) settings: SocketIoSettings,
    pub(crate) door: Door,
    /// Where it listens besides the server's own port.
    pub(crate) addr: Option<SocketAddr>,
    pub(crate) sessions: Sessions,
    recovery: Recovery,
}

impl SocketIo {
    /// `None` if the settings leave it closed.
    pub(crate) fn open(server: &ServerSettings, addr: Option<SocketAddr>) -> Option<Arc<Self>> {
        let settings = server.doors.socketio.clone();
        let rhythm = Rhythm {
            interval: Duration::from_millis(settings.ping_interval_ms.max(1)),
            timeout: Duration::from_millis(settings.ping_timeout_ms.max(1)),
        };
        settings.enabled.then(|| {
            Arc::new(Self {
                door: Door::new("socketio", server, addr, &settings.origins, settings.anonymous),
                sessions: Sessions::new(settings.sessions_max, settings.payload_bytes_max, rhythm),
                recovery: Recovery::default(),
                addr,
                settings,
            })
        })
    }
}

/// Who comes: all that the first request says.
pub(crate) struct Greeting {
    app: App,
    door: Arc<SocketIo>,
    /// A token in a header must be good; without one the packet CONNECT may carry it.
    caller: Result<Option<Arc<Caller>>, ApiError>,
    wishes: Wishes,
}

impl Greeting {
    pub(crate) fn of(app: &App, door: &Arc<SocketIo>, request: &Request<Body>) -> Self {
        let caller = door.door.caller(&app.auth, request.headers());
        Self {
            app: Arc::clone(app),
            door: Arc::clone(door),
            caller,
            wishes: Wishes::of_address(request),
        }
    }

    /// Whether it is a protocol suite that comes.
    pub(crate) fn is_suite(&self) -> bool {
        self.door.settings.echo
    }
}
