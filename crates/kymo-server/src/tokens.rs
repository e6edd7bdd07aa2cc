//! `/api/v1/tokens`: who else may come in.
use std::{collections::BTreeMap, time::SystemTime};

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Request, StatusCode},
};
use kymo_event::Micros;
use kymo_hub::{BoundKey, Scope};
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::{TokenError, TokenInfo},
    command::{body, on_disk},
    error::{ApiError, answers},
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    scopes: Vec<Scope>,
    #[serde(default)]
    bound: BTreeMap<BoundKey, String>,
}

/// `GET`
pub(crate) async fn list(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.auth.require(&headers, Scope::Admin)?;
    let tokens: Vec<Value> = app.auth.tokens.list().iter().map(describe).collect();
    Ok(Json(json!({ "tokens": tokens })))
}

/// `POST`
pub(crate) async fn create(
    State(app): State<App>,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    app.auth.require(request.headers(), Scope::Admin)?;
    let asked: NewToken = serde_json::from_slice(&body(request).await?).map_err(|error| {
        ApiError::new(
            "invalid_body",
            format!("expected {{\"name\",\"scopes\",\"bound\"}}: {error}"),
        )
    })?;
    let name = asked.name.clone();
    // The file is synced: not on a thread that serves others.
    let made = on_disk(move || {
        app.auth
            .tokens
            .create(&asked.name, asked.scopes, asked.bound, now())
            .map(|token| (token, app))
    })
    .await?;
    let (token, app) = made.map_err(ApiError::from)?;
    let info = app.auth.tokens.list().into_iter().find(|info| info.name == name);
    let mut answer = info.as_ref().map_or_else(|| json!({ "name": name }), describe);
    answer["token"] = token.into();
    Ok((answers::MADE, Json(answer)))
}

/// `DELETE`
pub(crate) async fn revoke(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    app.auth.require(&headers, Scope::Admin)?;
    let asked = name.clone();
    let revoked = on_disk(move || app.auth.tokens.revoke(&asked)).await?;
    if revoked.map_err(|error| ApiError::from(TokenError::Io(error)))? {
        return Ok(Json(json!({ "revoked": name })));
    }
    Err(ApiError::new(
        "not_found",
        format!("there is no token named {name}"),
    ))
}

fn describe(info: &TokenInfo) -> Value {
    json!({ "name": info.name, "scopes": info.scopes, "bound": info.bound, "created": info.created })
}

fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NameTaken { .. } => Self::new("name_taken", error.to_string()),
            TokenError::Io(cause) => {
                tracing::error!(error = %cause, "tokens.json could not be written");
                Self::new("internal", format!("tokens.json could not be written: {cause}"))
            }
            _ => Self::new("invalid_body", error.to_string()),
        }
    }
}
