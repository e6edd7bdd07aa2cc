//! Who talks: every session by its id, as many as there may be.
//!
//! A session is a task of its own; requests reach it by its handle, one after the other, and wait for its answer.
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
};

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{conversation::Conversation, heart::Rhythm, polling, refusal::Refused, session::Session};
use crate::{app::App, body::Body, error::ApiError, ws::upgraded::Socket};

/// Requests of one session that wait for their turn; the others wait before they are even handed over.
const REQUESTS_MAX: usize = 4;

/// What a request asks of a session.
pub(crate) enum Command {
    /// Give what there is, or what comes next.
    Poll(oneshot::Sender<Result<Bytes, Refused>>),
    /// Hear these packets.
    Post(Body, oneshot::Sender<Result<(), Refused>>),
    /// A second body came while one was being read.
    Overlap,
    /// A WebSocket showed that it works.
    Probed,
    /// It failed afterwards.
    ProbeFailed,
    /// It takes over.
    Upgrade(Box<Socket>),
}

/// All sessions.
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Handle>>,
    max: usize,
    message_max: usize,
    rhythm: Rhythm,
}

/// One session, as requests see it.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    state: Arc<State>,
    /// The packet that began it.
    pub(crate) opened: Bytes,
}

#[derive(Default)]
struct State {
    place: AtomicU8,
    known: AtomicBool,
    posting: AtomicBool,
}

/// Where a session is.
const POLLING: u8 = 0;
const UPGRADING: u8 = 1;
const ON_SOCKET: u8 = 2;

impl Sessions {
    pub(crate) fn new(max: usize, message_max: usize, rhythm: Rhythm) -> Self {
        Self {
            open: Mutex::default(),
            max,
            message_max,
            rhythm,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    pub(crate) fn find(&self, sid: &str) -> Option<Handle> {
        self.open.lock().get(sid).cloned()
    }

    /// Begins a session: its handle, and itself to be served.
    pub(crate) fn open(
        &self,
        app: &App,
        conversation: Conversation,
        by_polling: bool,
    ) -> Result<(Handle, Session), Refused> {
        let sid = random_id().map_err(|_| Refused::from(ApiError::fault()))?;
        let (commands, received) = mpsc::channel(REQUESTS_MAX);
        let handle = Handle {
            commands,
            state: Arc::new(State {
                place: AtomicU8::new(if by_polling { POLLING } else { ON_SOCKET }),
                ..State::default()
            }),
            opened: self.open_packet(&sid, by_polling),
        };
        let mut open = self.open.lock();
        if open.len() >= self.max {
            let message = "too many Socket.IO sessions; close some, or try again in a moment";
            return Err(ApiError::new("busy", message).retry_after(1).into());
        }
        open.insert(sid.clone(), handle.clone());
        drop(open);
        let seat = Seat {
            app: Arc::clone(app),
            sid,
            state: Arc::clone(&handle.state),
        };
        let session = Session::new(app, seat, received, conversation, self.rhythm, self.message_max);
        Ok((handle, session))
    }

    fn open_packet(&self, sid: &str, by_polling: bool) -> Bytes {
        let upgrades = if by_polling { "\"websocket\"" } else { "" };
        let (interval, timeout) = (self.rhythm.interval.as_millis(), self.rhythm.timeout.as_millis());
        let payload_max = self.message_max;
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":[{upgrades}],\"pingInterval\":{interval},\"pingTimeout\":{timeout},\"maxPayload\":{payload_max}}}"
        )
        .into()
    }

    fn close(&self, sid: &str) {
        self.open.lock().remove(sid);
    }
}

/// An id that nobody guesses.
pub(crate) fn random_id() -> Result<String, getrandom::Error> {
    let mut random = [0; 15];
    getrandom::fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

impl Handle {
    pub(crate) fn is_polling(&self) -> bool {
        self.state.place.load(Relaxed) != ON_SOCKET
    }

    /// Whether it is known who the client is.
    pub(crate) fn is_known(&self) -> bool {
        self.state.known.load(Relaxed)
    }

    /// Whether the caller is the one that may take it to a WebSocket.
    pub(crate) fn begin_upgrade(&self) -> bool {
        let place = &self.state.place;
        place
            .compare_exchange(POLLING, UPGRADING, Relaxed, Relaxed)
            .is_ok()
    }

    /// The upgrade came to nothing.
    pub(crate) async fn end_upgrade(&self) {
        let place = &self.state.place;
        let _ = place.compare_exchange(UPGRADING, POLLING, Relaxed, Relaxed);
        let _ = self.tell(Command::ProbeFailed).await;
    }

    /// Hands something over; an error if the session is over.
    pub(crate) async fn tell(&self, command: Command) -> Result<(), Refused> {
        self.commands
            .send(command)
            .await
            .map_err(|_| Refused::UNKNOWN_SID)
    }

    /// What there is, or what comes next.
    pub(crate) async fn poll(&self) -> Result<Response, Refused> {
        let (reply, replied) = oneshot::channel();
        self.tell(Command::Poll(reply)).await?;
        let body = replied.await.map_err(|_| Refused::UNKNOWN_SID)??;
        Ok(polling::answer(body))
    }

    /// The turn of one body; a second one at the same time ends the session.
    pub(crate) fn posting(&self) -> Result<Posting<'_>, Refused> {
        if self.state.posting.swap(true, Relaxed) {
            // If it does not fit, the session is busy with others that ask too much.
            let _ = self.commands.try_send(Command::Overlap);
            return Err(Refused::BAD_REQUEST);
        }
        Ok(Posting(&self.state.posting))
    }

    /// Lets packets be heard.
    pub(crate) async fn post(&self, body: Body) -> Result<Response, Refused> {
        let (reply, replied) = oneshot::channel();
        self.tell(Command::Post(body, reply)).await?;
        replied.await.map_err(|_| Refused::UNKNOWN_SID)??;
        Ok("ok".into_response())
    }
}

/// A body is being read.
pub(crate) struct Posting<'h>(&'h AtomicBool);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// A session's place among all; given back when dropped.
pub(crate) struct Seat {
    app: App,
    sid: String,
    state: Arc<State>,
}

impl Seat {
    /// It is known who the client is.
    pub(crate) fn know(&self) {
        self.state.known.store(true, Relaxed);
    }

    /// It goes on on a WebSocket.
    pub(crate) fn on_socket(&self) {
        self.state.place.store(ON_SOCKET, Relaxed);
    }

    pub(crate) const fn app(&self) -> &App {
        &self.app
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(door) = &self.app.socketio {
            door.sessions.close(&self.sid);
        }
    }
}
