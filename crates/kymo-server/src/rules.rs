//! `/api/v1/routes`: which events are derived from which, and by whose word.
//!
//! What is made here is kept in `routes.json` of the data folder before it holds; what the settings say is only shown.
//! Who runs them follows the hub's list.
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path as FilePath, PathBuf},
};

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Request},
};
use kymo_event::{LineView, RawJson};
use kymo_hub::{
    HistoryRequest, Hub, Scope,
    routes::{RouteOrigin, RouteRefused, RouteSettings, Rule, Said},
};
use parking_lot::Mutex;
use serde_json::{Value, json, value::RawValue};

use crate::{
    app::App,
    auth::write_private,
    command::{body, on_disk},
    error::ApiError,
    server::StartError,
};

/// The file of the routes that were made over the API.
#[derive(Debug)]
pub(crate) struct RuleStore {
    path: PathBuf,
    // One change after the other.
    changing: Mutex<()>,
}

impl RuleStore {
    /// The file of a data folder, which need not be there.
    pub(crate) fn of(data: &FilePath) -> Self {
        Self {
            path: data.join("routes.json"),
            changing: Mutex::default(),
        }
    }

    /// Reads the file into the hub's list.
    pub(crate) fn load(&self, hub: &Hub) -> Result<(), StartError> {
        let made = read(&self.path).map_err(|cause| StartError::Secret {
            path: self.path.clone(),
            cause,
        })?;
        hub.routes().make(made);
        Ok(())
    }

    /// Changes what was made: on disk first. `None` if there is nothing to change.
    fn change(
        &self,
        hub: &Hub,
        change: impl FnOnce() -> Result<Option<Said>, RouteRefused>,
    ) -> Result<Option<()>, ApiError> {
        let _one = self.changing.lock();
        let Some(made) = change()? else {
            return Ok(None);
        };
        let mut text = serde_json::to_vec_pretty(&made).expect("routes are JSON");
        text.push(b'\n');
        write_private(&self.path, &text).map_err(|cause| {
            tracing::error!(%cause, "routes.json could not be written");
            ApiError::new("internal", format!("routes.json could not be written: {cause}"))
        })?;
        hub.routes().make(made);
        Ok(Some(()))
    }
}

fn read(path: &FilePath) -> io::Result<Said> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// `GET`
pub(crate) async fn list(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.auth.require(&headers, Scope::Read)?.needs_all()?;
    let routes = app.hub().routes().list();
    let routes: Vec<_> = routes
        .iter()
        .map(|(name, listed)| describe(name, &listed.settings, listed.origin))
        .collect();
    Ok(Json(json!({ "routes": routes })))
}

/// `PUT`
pub(crate) async fn put(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Result<Json<Value>, ApiError> {
    app.auth.require(request.headers(), Scope::Manage)?;
    let settings = asked(&body(request).await?)?;
    let described = describe(&name, &settings, RouteOrigin::Api);
    on_disk(move || {
        let hub = app.hub();
        app.rules
            .change(hub, || hub.routes().with(&name, settings).map(Some))
    })
    .await??;
    Ok(Json(described))
}

/// `DELETE`
pub(crate) async fn remove(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    app.auth.require(&headers, Scope::Manage)?;
    let asked = name.clone();
    let removed = on_disk(move || {
        let hub = app.hub();
        app.rules.change(hub, || hub.routes().without(&asked))
    })
    .await??;
    match removed {
        Some(()) => Ok(Json(json!({ "removed": name }))),
        None => Err(ApiError::new(
            "not_found",
            format!("there is no route named {name}"),
        )),
    }
}

/// `POST …/try`
pub(crate) async fn try_out(State(app): State<App>, request: Request<Body>) -> Result<Json<Tried>, ApiError> {
    let caller = app.auth.require(request.headers(), Scope::Manage)?;
    let rule = Rule::new(&asked(&body(request).await?)?).map_err(RouteRefused::from)?;
    let newest = HistoryRequest {
        filter: rule.filter().clone(),
        channels: Vec::new(),
        from: None,
        to: None,
        limit: 1,
        bytes_max: 1,
        newest_first: true,
    };
    let page = app.hub().history(newest, &caller.principal).await?;
    let Some(line) = page.lines.first() else {
        return Ok(Json(Tried::default()));
    };
    let view =
        LineView::parse(line).map_err(|error| ApiError::new("ledger_unreadable", error.to_string()))?;
    let mut tried = Tried {
        event: raw(view.text()),
        ..Tried::default()
    };
    match rule.derive(&view, "try".into()) {
        Ok(Some(event)) => {
            let mut json = Vec::new();
            event.to_json(&mut json);
            tried.derived = String::from_utf8(json).ok().and_then(|json| raw(&json));
        }
        Ok(None) => {
            tried.fault = Some("the newest match is of the imported past, which this route leaves out".into())
        }
        Err(fault) => tried.fault = Some(fault.message),
    }
    Ok(Json(tried))
}

/// What a route would make of the newest event it is for.
#[derive(Default, serde::Serialize)]
pub(crate) struct Tried {
    event: Option<Box<RawValue>>,
    derived: Option<Box<RawValue>>,
    fault: Option<String>,
}

fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(RawJson::trusted(json).as_str().to_owned()).ok()
}

fn asked(body: &[u8]) -> Result<RouteSettings, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::new(
            "invalid_body",
            format!("expected {{\"when\":\"FILTER\",\"emit\":{{\"type\":\"…\",\"data\":…}}}}: {error}"),
        )
    })
}

fn describe(name: &str, settings: &RouteSettings, origin: RouteOrigin) -> Value {
    let mut described = serde_json::to_value(settings).expect("settings are JSON");
    described["name"] = name.into();
    described["origin"] = serde_json::to_value(origin).expect("a word");
    described
}

impl From<RouteRefused> for ApiError {
    fn from(refused: RouteRefused) -> Self {
        let message = refused.to_string();
        match refused {
            RouteRefused::InSettings(_) => Self::new("name_taken", message),
            RouteRefused::TooMany => Self::new("invalid_route", message),
            RouteRefused::Name => Self::new("invalid_route", message).with_detail(json!({ "key": "name" })),
            RouteRefused::Rule(error) => {
                Self::new("invalid_route", message).with_detail(json!({ "key": error.key }))
            }
        }
    }
}
