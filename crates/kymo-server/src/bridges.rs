//! How the bridges to other systems are.
use axum::{Json, extract::State, http::HeaderMap};
use kymo_hub::Scope;
use serde_json::{Value, json};

use crate::{app::App, error::ApiError};

/// `GET /api/v1/bridges`
pub(crate) async fn list(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.auth.require(&headers, Scope::Read)?.needs_all()?;
    Ok(Json(json!({ "bridges": app.hub().bridges().infos() })))
}
