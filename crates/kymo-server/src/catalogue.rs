//! `GET /api/v1/catalogue`: what is known of event types.
use axum::{Json, extract::State, http::HeaderMap};
use kymo_event::catalogue::Catalogue;
use kymo_hub::Scope;

use crate::{app::App, error::ApiError};

/// The handler.
pub(crate) async fn catalogue(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<Catalogue>, ApiError> {
    app.auth.require(&headers, Scope::Read)?;
    Ok(Json(kymo_event::catalogue::catalogue()))
}
