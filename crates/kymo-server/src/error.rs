//! What a client is told when something is refused: the one list of codes, and the only place with status codes.
//!
//! A code keeps its meaning for ever. The message says what happened and what to do; what the log needs is logged
//! where it happens.
use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kymo_event::{Refusal, filter::FilterError};
use kymo_hub::{PublishError, SubscribeError};
use kymo_ledger::ReadError;
use serde_json::{Value, json};

/// Every code a client can meet, its status where it answers a whole request, and what it means.
pub(crate) static CODES: &[Code] = &[
    // The request as a whole.
    code(
        "invalid_parameter",
        400,
        "A parameter is unknown, repeated, or not of the expected form.",
    ),
    code(
        "invalid_filter",
        400,
        "The filter or a channel could not be read; `detail.at` is the character, from 0.",
    ),
    code("unauthorized", 401, "No valid token or cookie."),
    code("forbidden", 403, "The token lacks the scope that is needed."),
    code(
        "bad_origin",
        403,
        "The request comes from a web page of another origin.",
    ),
    code(
        "bad_host",
        403,
        "The request is addressed to a name this server does not answer to.",
    ),
    code(
        "login_code_used",
        403,
        "The login code was used, is older than five minutes, or never existed.",
    ),
    code(
        "not_found",
        404,
        "There is nothing at this path, or nothing of this name.",
    ),
    code(
        "method_not_allowed",
        405,
        "The path exists, but not with this method.",
    ),
    code(
        "before_retention",
        410,
        "How things were then is gone with its events; `detail.known_from` is the first seq that can be asked for.",
    ),
    code("request_timeout", 408, "The body did not arrive in time."),
    code(
        "name_taken",
        409,
        "There is a token of this name already, or a route of it in the settings.",
    ),
    code(
        "batch_too_large",
        413,
        "The body is larger than a batch may be after decompression.",
    ),
    code(
        "unsupported_encoding",
        415,
        "Content-Encoding or Content-Type is not understood.",
    ),
    code(
        "invalid_body",
        422,
        "The body of a command is not of the expected form.",
    ),
    code(
        "invalid_route",
        422,
        "A route that cannot be run; `detail.key` is the part that is wrong.",
    ),
    code("upgrade_required", 426, "This path speaks WebSocket, version 13."),
    code(
        "busy",
        429,
        "The queues are full or the disk is behind; try again after `Retry-After` seconds.",
    ),
    code("rate_limited", 429, "The source emits more than its share."),
    code("ledger_unreadable", 500, "The disk failed while reading."),
    code("internal", 500, "A fault of ours."),
    code(
        "ledger_unwritable",
        503,
        "The ledger cannot be written; accepting resumes by itself.",
    ),
    code(
        "not_yet",
        503,
        "What was asked for is not in the answer yet; `detail.cursor` is the newest that is.",
    ),
    code(
        "closing",
        503,
        "The server is shutting down; resume after its restart.",
    ),
    code(
        "disk_full",
        507,
        "No space is left on the ledger's disk; accepting resumes by itself.",
    ),
    code("data_folder_locked", 500, "Another process uses the data folder."),
    // One record of a request; as the answer to a whole request they are 422.
    code("empty_body", 422, "There is no record in the body."),
    code(
        "invalid_json",
        422,
        "Not JSON (RFC 8259); `byte` is where it goes wrong.",
    ),
    code("invalid_utf8", 422, "Not UTF-8; `byte` is where it goes wrong."),
    code("not_an_event", 422, "JSON, but no object."),
    code("event_too_large", 422, "Larger than one event may be."),
    code("too_deep", 422, "Nested deeper than allowed."),
    code("name_too_long", 422, "`type` or `source` is longer than allowed."),
    code(
        "id_too_long",
        422,
        "An id or correlation key is longer than allowed.",
    ),
    code("type_missing", 422, "An event needs a `type`."),
    code(
        "invalid_field",
        422,
        "A key of the envelope has the wrong JSON type.",
    ),
    code(
        "invalid_time",
        422,
        "`time` is neither RFC 3339 nor epoch seconds.",
    ),
    code("duplicate_key", 422, "A key of the envelope is repeated."),
    code(
        "reserved_type",
        422,
        "Types that begin with `kymo.` are Kymo's own.",
    ),
    code(
        "not_allowed",
        403,
        "The token is bound to another value, or may not do this.",
    ),
    code("not_cloudevents", 422, "Not a valid CloudEvent 1.0."),
    // Only inside a WebSocket.
    code(
        "already_subscribed",
        409,
        "The same filter and dialect, or the same `sub`, is subscribed on this socket.",
    ),
    code("unknown_op", 400, "There is no such `op`."),
];

/// One entry of [`CODES`].
pub(crate) struct Code {
    /// The word.
    pub(crate) name: &'static str,
    /// Status of an answer that says only this.
    pub(crate) status: u16,
    /// What it means.
    pub(crate) about: &'static str,
}

const fn code(name: &'static str, status: u16, about: &'static str) -> Code {
    Code { name, status, about }
}

/// A refusal of a whole request (or of one WebSocket message): `{"error":{"code","message","detail"}}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// One of [`CODES`].
    pub(crate) code: &'static str,
    /// What happened and what to do.
    pub(crate) message: String,
    /// Facts for programs.
    pub(crate) detail: Option<Value>,
    /// Seconds until another try makes sense.
    pub(crate) retry_after_s: Option<u32>,
}

/// Longest message, in bytes: what a client sent is not sent back to it at any length.
const MESSAGE_MAX: usize = 1_000;
/// Longest piece of what a client sent within a message, in bytes.
const QUOTE_MAX: usize = 200;

/// A piece of what a client sent, short enough to be said back.
pub(crate) fn quote(text: &str) -> Cow<'_, str> {
    shortened(text.into(), QUOTE_MAX)
}

fn shortened(text: Cow<'_, str>, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end));
    format!("{}…", &text[..end.unwrap_or(0)]).into()
}

impl ApiError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: shortened(Cow::Owned(message.into()), MESSAGE_MAX).into_owned(),
            detail: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn with_detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// A parameter that cannot be used as given.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self::new("invalid_parameter", message).with_detail(json!({ "parameter": quote(name) }))
    }

    /// The server is about to stop.
    pub(crate) fn closing() -> Self {
        Self::new("closing", "the server is shutting down; resume once it is back").retry_after(1)
    }

    pub(crate) fn status(&self) -> StatusCode {
        let entry = CODES.iter().find(|entry| entry.name == self.code);
        entry.map_or(StatusCode::INTERNAL_SERVER_ERROR, |entry| {
            StatusCode::from_u16(entry.status).expect("the list holds valid status codes")
        })
    }

    /// The inside of `{"error":…}`, without braces: also the inside of the WebSocket's `error`.
    pub(crate) fn write_fields(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"code\":\"");
        out.extend_from_slice(self.code.as_bytes());
        out.extend_from_slice(b"\",\"message\":");
        serde_json::to_writer(&mut *out, &self.message).expect("a string is JSON");
        if let Some(detail) = &self.detail {
            out.extend_from_slice(b",\"detail\":");
            serde_json::to_writer(&mut *out, detail).expect("a value is JSON");
        }
        if let Some(seconds) = self.retry_after_s {
            out.extend_from_slice(format!(",\"retry_after_s\":{seconds}").as_bytes());
        }
    }
}

impl ApiError {
    /// A panic of ours, which the log has.
    pub(crate) fn fault() -> Self {
        Self::new("internal", "a fault of the server's own; see its log")
    }

    /// What an answer says that says only this.
    pub(crate) fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":{");
        self.write_fields(out);
        out.extend_from_slice(b"}}");
    }

    /// The whole answer as it stands on the wire, for a connection that is not served any further.
    pub(crate) fn as_last_answer(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.write_body(&mut body);
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: {}\r\nconnection: close\r\n\r\n",
            self.status(),
            body.len(),
            self.retry_after_s.unwrap_or(1)
        );
        [head.into_bytes(), body].concat()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = Vec::new();
        self.write_body(&mut body);
        let mut response =
            (self.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code == "unauthorized" {
            let challenge = HeaderValue::from_static("Bearer realm=\"kymo\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Status of answers that are no refusals of a whole request.
pub(crate) mod answers {
    use axum::http::StatusCode;

    /// The connection speaks WebSocket from here on.
    pub(crate) const UPGRADED: StatusCode = StatusCode::SWITCHING_PROTOCOLS;
    /// Something was stored or known, or nothing was asked for.
    pub(crate) const STORED: StatusCode = StatusCode::OK;
    /// Every record was refused.
    pub(crate) const NOTHING_STORED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    /// Every record was over the rate of its source.
    pub(crate) const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;
    /// A request that makes no sense in Engine.IO, which has codes of its own for why.
    pub(crate) const NO_ENGINE_IO: StatusCode = StatusCode::BAD_REQUEST;
    /// There is something new.
    pub(crate) const MADE: StatusCode = StatusCode::CREATED;
    /// It will be done.
    pub(crate) const BEGUN: StatusCode = StatusCode::ACCEPTED;
    /// There is nothing to say.
    pub(crate) const SILENCE: StatusCode = StatusCode::NO_CONTENT;
    /// The browser goes on elsewhere.
    pub(crate) const ELSEWHERE: StatusCode = StatusCode::SEE_OTHER;
    /// The browser has it already.
    pub(crate) const UNCHANGED: StatusCode = StatusCode::NOT_MODIFIED;
    /// A page for people that says so.
    pub(crate) const NOT_THERE: StatusCode = StatusCode::NOT_FOUND;
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Busy { retry_after_s } => Self::new(
                "busy",
                format!("the hub is busy; try again in {retry_after_s} s, nothing of this batch was stored"),
            )
            .retry_after(retry_after_s),
            PublishError::DiskFull => Self::new(
                "disk_full",
                "no space left on the ledger's disk; free some, accepting resumes by itself",
            )
            .retry_after(5),
            PublishError::Unwritable(cause) => Self::new(
                "ledger_unwritable",
                format!("the ledger cannot be written ({cause}); nothing of this batch was stored, accepting resumes by itself"),
            )
            .retry_after(5),
            PublishError::Closing => Self::closing(),
            PublishError::NotAllowed => Self::new(
                "forbidden",
                "this token may not emit; use one with the scope emit",
            ),
        }
    }
}

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::NotAllowed => Self::new(
                "forbidden",
                "this token may not read; use one with the scope read",
            ),
            SubscribeError::Read(cause) => cause.into(),
            SubscribeError::Closing => Self::closing(),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "reading the ledger failed");
        Self::new("ledger_unreadable", format!("{error}; see the server's log"))
    }
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        let at = error.at;
        Self::new("invalid_filter", error.to_string()).with_detail(json!({ "at": at }))
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(refusal.code, refusal.message);
        match refusal.byte {
            Some(byte) => error.with_detail(json!({ "byte": byte })),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_and_has_a_status_of_a_refusal() {
        for (index, entry) in CODES.iter().enumerate() {
            assert!((400..600).contains(&entry.status), "{}", entry.name);
            assert!(
                CODES[..index].iter().all(|other| other.name != entry.name),
                "{} twice",
                entry.name
            );
        }
    }

    #[test]
    fn every_code_stands_in_the_docs() {
        let docs = include_str!("../../../docs/errors.md");
        for entry in CODES {
            assert!(
                docs.contains(&format!("`{}`", entry.name)),
                "docs/errors.md lacks {}",
                entry.name
            );
        }
    }

    #[test]
    fn an_error_is_one_json_object_with_the_facts_for_programs_beside_the_words_for_people() {
        let error = ApiError::new("busy", "say \"later\"")
            .with_detail(json!({ "queue": 3 }))
            .retry_after(2);
        let mut text = b"{".to_vec();
        error.write_fields(&mut text);
        text.push(b'}');
        let value: Value = serde_json::from_slice(&text).expect("fields are JSON");
        assert_eq!(
            value,
            json!({"code":"busy","message":"say \"later\"","detail":{"queue":3},"retry_after_s":2})
        );
    }
}
