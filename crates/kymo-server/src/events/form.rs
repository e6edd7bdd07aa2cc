//! What a body is: told by its Content-Type and by CloudEvents headers, and if those say nothing by its first bytes.
use axum::http::{HeaderMap, header};
use kymo_event::{
    RecordFormat,
    dialects::{
        CloudEvents, Dialect,
        cloudevents::{Mode, mode},
    },
};

use crate::error::ApiError;

/// How the records of a body are divided and read.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// Records, in a dialect if one is certain.
    Records(RecordFormat, Option<&'static dyn Dialect>),
    /// One CloudEvent whose attributes are headers.
    Binary,
}

/// Content types that are lines.
const LINES: &[&str] = &[
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
];
/// Content types that are looked into. Form encoding is what `curl -d` says when it is told nothing.
const OPEN: &[&str] = &[
    "",
    "application/json",
    "text/json",
    "text/plain",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
];

impl Form {
    /// What the headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let content_type = match headers.get(header::CONTENT_TYPE) {
            Some(value) => Some(value.to_str().map_err(|_| unknown("an unreadable one"))?),
            None => None,
        };
        match mode(content_type, headers.contains_key("ce-specversion")) {
            Some(Mode::Structured | Mode::Batch) => {
                return Ok(Self::Records(RecordFormat::Json, Some(&CloudEvents)));
            }
            Some(Mode::Binary) => return Ok(Self::Binary),
            None => {}
        }
        let essence = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let is = |known: &&str| known.eq_ignore_ascii_case(essence);
        if LINES.iter().any(is) {
            return Ok(Self::Records(RecordFormat::Lines, None));
        }
        if OPEN.iter().any(is) || essence.to_ascii_lowercase().ends_with("+json") {
            return Ok(Self::Records(RecordFormat::Json, None));
        }
        Err(unknown(essence))
    }
}

fn unknown(content_type: &str) -> ApiError {
    ApiError::new(
        "unsupported_encoding",
        format!(
            "Content-Type {content_type} is not understood; send application/json, application/x-ndjson, \
             application/cloudevents+json or application/cloudevents-batch+json, or CloudEvents headers"
        ),
    )
}
