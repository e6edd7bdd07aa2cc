//! `GET /api/v1/agents`: which agents there are and how they are, now or as of a moment.
use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
};
use kymo_event::{LedgerId, Seq};
use kymo_hub::{AgentsError, AgentsPage, AgentsRequest, Scope};
use serde_json::json;

use crate::{
    app::App,
    error::ApiError,
    params::{self, Parameter, Params},
    position,
};

/// What may be asked.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "at",
        about: "As of this event (that included) or moment: a seq, a time, or how long ago; now if absent.",
        example: "-1h",
    },
    Parameter {
        name: "min",
        about: "A seq that must be in the answer, as from the receipt of an emit; waited for up to five seconds.",
        example: "18442",
    },
    Parameter {
        name: "limit",
        about: "Agents listed at most, those that were heard last; 1,000 if absent, 10,000 at most.",
        example: "100",
    },
    params::LEDGER,
];

const LIMIT_USUAL: usize = 1_000;
const LIMIT_MAX: usize = 10_000;

/// The handler.
pub(crate) async fn agents(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<AgentsPage>, ApiError> {
    let caller = app.auth.require(&headers, Scope::Read)?;
    let request = request(query.as_deref())?;
    Ok(Json(app.hub().agents(request, &caller.principal).await?))
}

fn request(query: Option<&str>) -> Result<AgentsRequest, ApiError> {
    let params = Params::parse(query, PARAMETERS)?;
    let ledger = params.get("ledger").map(LedgerId::new);
    let at = params.get("at").map(|at| position::parse("at", at, ledger));
    let min = params.get("min").map(|text| match text.parse::<u64>() {
        // A client that has written nothing yet waits for nothing.
        Ok(0) => Ok(None),
        _ => text.parse::<Seq>().map(Some),
    });
    let min = min
        .transpose()
        .map_err(|_| ApiError::parameter("min", "`min` is a seq"))?;
    let limit = match params.get("limit").map(str::parse) {
        None => LIMIT_USUAL,
        Some(Ok(limit @ 0..=LIMIT_MAX)) => limit,
        Some(_) => {
            let message = format!("`limit` is a number from 0 to {LIMIT_MAX}");
            return Err(ApiError::parameter("limit", message));
        }
    };
    Ok(AgentsRequest {
        at: at.transpose()?,
        min: min.flatten(),
        limit,
    })
}

impl From<AgentsError> for ApiError {
    fn from(error: AgentsError) -> Self {
        let message = error.to_string();
        match error {
            AgentsError::Read(error) => error.into(),
            AgentsError::BeforeRetention { known_from } => {
                Self::new("before_retention", message).with_detail(json!({ "known_from": known_from }))
            }
            AgentsError::NotYet { cursor, .. } => Self::new("not_yet", message)
                .with_detail(json!({ "cursor": cursor }))
                .retry_after(1),
        }
    }
}
