//! How a browser gets in: a one-time code in the URL becomes a cookie.
use std::time::Instant;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use kymo_hub::Scope;
use serde_json::{Value, json};

use crate::{
    app::App,
    error::{ApiError, answers},
    page,
    params::{Parameter, Params},
};

/// Parameters of logging in.
pub(crate) const PARAMETERS: &[Parameter] = &[Parameter {
    name: "code",
    about: "The one-time code.",
    example: "wY3v…",
}];

/// `POST /api/v1/login-codes`
pub(crate) async fn make_code(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    app.auth.require(&headers, Scope::Admin)?;
    let url = app
        .login_url()
        .map_err(|error| ApiError::new("internal", error.to_string()))?;
    Ok((answers::MADE, Json(json!({ "url": url }))))
}

/// `GET /login`
pub(crate) async fn login(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::parse(uri.query(), PARAMETERS)?;
    let code = params.get("code").unwrap_or_default();
    // Looking ahead is not entering: the code must be good still when a person comes.
    if method == Method::HEAD || is_prefetch(&headers) {
        return Ok(answers::SILENCE.into_response());
    }
    if !app.auth.codes.redeem(code, Instant::now()) {
        // The same link again in the browser it let in, from its history or the terminal, leads where it led before.
        if app.auth.require(&headers, Scope::Read).is_ok() {
            let there = [
                (header::LOCATION, HeaderValue::from_static("/")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            return Ok((answers::ELSEWHERE, there).into_response());
        }
        let status = ApiError::new("login_code_used", "").status();
        return Ok((status, page::POLICY, Html(include_str!("page/code_used.html"))).into_response());
    }
    let entered = [
        (header::SET_COOKIE, app.auth.cookie()),
        (header::LOCATION, HeaderValue::from_static("/")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((answers::ELSEWHERE, entered).into_response())
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let purposes = ["sec-purpose", "purpose"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok());
    purposes.into_iter().any(|purpose| purpose.contains("prefetch"))
}
