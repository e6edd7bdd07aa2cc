//! How the server is, and how it is stopped.
use axum::{Json, extract::State, http::HeaderMap, http::StatusCode};
use kymo_event::Seq;
use kymo_hub::{Principal, Scope};
use serde_json::{Value, json};

use crate::{
    app::{App, Application},
    error::{ApiError, answers},
};

/// `GET /api/v1/status`
pub(crate) async fn status(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let caller = app.auth.require(&headers, Scope::Read)?;
    let ledger = app.hub().ledger();
    let mut status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ledger": ledger.id(),
        "url": app.url(),
        "head": ledger.head().map_or(0, Seq::get),
        "first": ledger.first(),
        "uptime_s": app.started.elapsed().as_secs(),
        "caller": about(&caller.principal),
    });
    if caller.needs_all().is_ok() {
        status["data"] = app.parts.data.display().to_string().into();
        status["readers"] = app.hub().counters().readers.len().into();
        status["doors"] = doors(&app);
        if let Value::Object(more) = (app.parts.status)() {
            more.into_iter().for_each(|(key, value)| status[key] = value);
        }
    }
    Ok(Json(status))
}

/// What whoever asks may do here, so that a page offers nothing else.
fn about(caller: &Principal) -> Value {
    let scopes = [Scope::Emit, Scope::Read, Scope::Manage, Scope::Admin];
    let may: Vec<_> = scopes.into_iter().filter(|scope| caller.may(*scope)).collect();
    json!({ "name": caller.name, "may": may, "bound": caller.bound })
}

/// The doors that are open, and how many are in them.
fn doors(app: &Application) -> Value {
    let mut doors = json!({});
    if let Some(door) = &app.socketio {
        doors["socketio"] = json!({ "listen": door.addr, "sessions": door.sessions.count() });
    }
    if let Some(door) = &app.conductor {
        doors["conductor"] = json!({ "listen": door.addr, "clients": door.clients() });
    }
    doors
}

/// `POST /api/v1/stop`
pub(crate) async fn stop(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let caller = app.auth.require(&headers, Scope::Admin)?;
    tracing::info!(by = %caller.principal.name, "asked to stop");
    app.parts.stop.cancel();
    Ok((answers::BEGUN, Json(json!({ "stopping": true }))))
}
