//! `GET /api/v1/catalogue`: what is known of event types.
use axum::{Json, extract::State, http::HeaderMap};
use kymo_event::catalogue::{CATEGORIES, TYPES};
use kymo_hub::Scope;
use serde_json::{Value, json};

use crate::{app::App, error::ApiError};

/// The handler.
pub(crate) async fn catalogue(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.auth.require(&headers, Scope::Read)?;
    Ok(Json(json!({ "categories": CATEGORIES, "types": TYPES })))
}
