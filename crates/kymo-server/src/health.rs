//! Whether the process answers, and whether it takes events.
use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::{app::App, error::ApiError};

/// Alive: this answer is the proof.
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Ready: not while shutting down.
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    if app.closing.is_cancelled() || app.parts.stop.is_cancelled() {
        return Err(ApiError::closing());
    }
    Ok(Json(json!({ "status": "ok" })))
}
