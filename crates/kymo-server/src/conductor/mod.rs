//! The conductor's protocol with the ledger behind it: one history, then events as they come, metrics now and then, and
//! events and agents' states from the client.
//!
//! `wishes` is what the address says, `history` the past that a client is given at once, `frames` how events are written,
//! `session` the wheel of a connection, `messages` what a client sends, `metrics` what it is told of the whole.
mod frames;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod history;
mod messages;
mod metrics;
mod session;
mod wishes;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::Request,
    response::{IntoResponse, Response},
};

use crate::{
    app::App,
    doors::{ConductorSettings, Door},
    error::ApiError,
    params::{self, Parameter},
    settings::ServerSettings,
    ws::{handshake, upgraded},
};
use metrics::Board;
use session::Session;
use wishes::Wishes;

/// Where its clients come on the server's port; on one of its own any path will do.
pub(crate) const PATH: &str = "/conductor";

/// What the address says.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "channel",
        about: "Names of channels, separated by commas or repeated; their union. `global` if absent.",
        example: "memory,tier:gold",
    },
    Parameter {
        name: "userId",
        about: "The user whose events the client sends, where they name none.",
        example: "egor",
    },
    params::FILTER,
];

/// The conductor's door, open.
pub(crate) struct Conductor {
    pub(crate) settings: ConductorSettings,
    pub(crate) door: Door,
    /// Where it listens besides the server's own port.
    pub(crate) addr: Option<SocketAddr>,
    board: Board,
}

impl Conductor {
    /// `None` if the settings leave it closed.
    pub(crate) fn open(server: &ServerSettings, addr: Option<SocketAddr>) -> Option<Arc<Self>> {
        let settings = server.doors.conductor.clone();
        settings.enabled.then(|| {
            Arc::new(Self {
                door: Door::new("conductor", server, addr, &settings.origins, settings.anonymous),
                board: Board::default(),
                addr,
                settings,
            })
        })
    }

    /// Clients at this moment.
    pub(crate) fn clients(&self) -> usize {
        self.board.clients()
    }
}

/// The handler: switches protocols, and talks once the connection is handed over.
pub(crate) async fn serve(State(app): State<App>, request: Request<Body>) -> Response {
    match answer(&app, request) {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

fn answer(app: &App, mut request: Request<Body>) -> Result<Response, ApiError> {
    let door = app.conductor.clone().ok_or_else(|| {
        ApiError::new(
            "not_found",
            "the conductor's door is closed; `enabled = true` in [doors.conductor] opens it",
        )
    })?;
    let caller = match door.door.caller(&app.auth, request.headers())? {
        Some(caller) => caller,
        None => door.door.stranger("as `Authorization: Bearer <token>`")?,
    };
    let wishes = Wishes::of(request.uri().query(), &caller)?;
    let response = handshake::answer(&request)?;
    if app.closing.is_cancelled() {
        return Err(ApiError::closing());
    }
    let place = door.board.enter(door.settings.clients_max, &wishes)?;
    let upgraded = hyper::upgrade::on(&mut request);
    let app = Arc::clone(app);
    app.clone().conversations.spawn(async move {
        let message_max = door.settings.payload_bytes_max;
        if let Some(socket) = upgraded::of(upgraded, message_max).await {
            Box::pin(Session::new(app, door, caller, wishes, place).serve(socket)).await;
        }
    });
    Ok(response)
}
