//! Engine.IO 4: one conversation over long polling or a WebSocket, and from the one to the other.
//!
//! `request` tells what is asked, `sessions` knows who talks, `session` is one conversation wherever it is, `socket` its
//! wheel on a WebSocket, `upgrade` brings it there. What is said is Socket.IO's: see `conversation`. Everything that
//! waits for a client is kept as WebSocket frames, because nearly all are given as that; `polling` takes them apart.
mod conversation;
mod heart;
mod polling;
mod refusal;
mod request;
mod session;
mod sessions;
mod socket;
mod upgrade;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Method, Request, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;

pub(crate) use conversation::{Conversation, End, Next};
pub(crate) use heart::Rhythm;
#[cfg(test)]
pub(crate) use polling::split_frames;
#[cfg(feature = "fuzzing")]
pub(crate) use polling::{Sent, read as read_body};
pub(crate) use refusal::Refused;
pub(crate) use sessions::{Sessions, random_id};

use crate::{
    app::App,
    body,
    error::ApiError,
    params::Parameter,
    socketio::{Greeting, SocketIo},
    ws::{handshake, upgraded},
};
use request::{Asked, Transport};
use session::{STRANGER_BYTES_MAX, Session};
use sessions::Handle;

/// Where Socket.IO's clients come.
pub(crate) const PATH: &str = "/socket.io/";
/// Where the suite of this protocol comes.
pub(crate) const SUITE_PATH: &str = "/engine.io/";

/// Version of the protocol.
pub(crate) const EIO: Parameter = Parameter {
    name: "EIO",
    about: "Version of Engine.IO: 4.",
    example: "4",
};

/// How packets travel.
pub(crate) const TRANSPORT: Parameter = Parameter {
    name: "transport",
    about: "`polling` or `websocket`.",
    example: "websocket",
};

/// Of which session a request is.
pub(crate) const SID: Parameter = Parameter {
    name: "sid",
    about: "The session, once there is one.",
    example: "9hpfDbtcEFBLYf6uOtrz",
};

/// Whether this is a path of a door that speaks Engine.IO.
pub(crate) fn is_path(path: &str) -> bool {
    [PATH, SUITE_PATH].contains(&path)
}

/// The handler of both paths.
pub(crate) async fn serve(State(app): State<App>, request: Request<Body>) -> Response {
    let Some(door) = app.socketio.clone() else {
        return ApiError::new(
            "not_found",
            "the Socket.IO door is closed; `enabled = true` in [doors.socketio] opens it",
        )
        .into_response();
    };
    match answer(&app, &door, request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn answer(app: &App, door: &Arc<SocketIo>, request: Request<Body>) -> Result<Response, Refused> {
    let asked = Asked::of(&request)?;
    if app.closing.is_cancelled() {
        return Err(ApiError::closing().into());
    }
    let Some(sid) = &asked.sid else {
        return open(app, door, &asked, request);
    };
    let handle = door.sessions.find(sid).ok_or(Refused::UNKNOWN_SID)?;
    let method = request.method().clone();
    match (asked.transport, &method) {
        (Transport::WebSocket, _) if asked.upgrades => upgrade(app, handle, request),
        (Transport::Polling, _) if !handle.is_polling() => Err(Refused::BAD_REQUEST),
        (Transport::Polling, &Method::GET) => handle.poll().await,
        (Transport::Polling, &Method::POST) => post(app, door, &handle, request).await,
        (Transport::Polling, _) => Err(Refused::BAD_METHOD),
        (Transport::WebSocket, _) => Err(Refused::BAD_REQUEST),
    }
}

/// Begins a session.
fn open(
    app: &App,
    door: &Arc<SocketIo>,
    asked: &Asked,
    mut request: Request<Body>,
) -> Result<Response, Refused> {
    asked.may_open(request.method())?;
    let conversation = if request.uri().path() == SUITE_PATH {
        Conversation::raw_echo()
    } else {
        Conversation::begin(Greeting::of(app, door, &request))
    };
    match asked.transport {
        Transport::Polling => {
            let (handle, session) = door.sessions.open(app, conversation, true)?;
            app.conversations.spawn(session.serve());
            Ok(polling::answer(handle.opened))
        }
        Transport::WebSocket => {
            let response = handshake::answer(&request).map_err(|_| Refused::BAD_REQUEST)?;
            let (handle, session) = door.sessions.open(app, conversation, false)?;
            let upgraded = hyper::upgrade::on(&mut request);
            app.conversations
                .spawn(serve_socket(session, upgraded, handle.opened));
            Ok(response)
        }
    }
}

async fn serve_socket(session: Session, upgraded: OnUpgrade, opened: Bytes) {
    if let Some(socket) = upgraded::of(upgraded, session.message_max()).await {
        session.serve_on(socket, &opened).await;
    }
}

/// Lets a WebSocket try to take a session over.
fn upgrade(app: &App, handle: Handle, mut request: Request<Body>) -> Result<Response, Refused> {
    let response = handshake::answer(&request).map_err(|_| Refused::BAD_REQUEST)?;
    let upgraded = hyper::upgrade::on(&mut request);
    app.conversations
        .spawn(upgrade::probe(upgraded, handle, app.closing.clone()));
    Ok(response)
}

async fn post(
    app: &App,
    door: &Arc<SocketIo>,
    handle: &Handle,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let (head, mut body) = request.into_parts();
    let max = match handle.is_known() {
        true => door.settings.payload_bytes_max,
        false => door.settings.payload_bytes_max.min(STRANGER_BYTES_MAX),
    };
    let _turn = handle.posting()?;
    let read = match head.headers.contains_key(header::CONTENT_ENCODING) {
        true => Err(ApiError::new(
            "unsupported_encoding",
            "payloads of Engine.IO are not compressed",
        )),
        false => body::read(&head.headers, &mut body, max, &app.budget).await,
    };
    match read {
        Ok(bytes) => handle.post(bytes).await,
        Err(error) => {
            body::discard(&mut body).await;
            Err(error.into())
        }
    }
}
