//! What Engine.IO says of requests that make no sense: its own codes and words, which clients know.
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::error::{ApiError, answers};

/// Why a request was refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// By the protocol.
    Protocol {
        /// Its number in Engine.IO.
        code: u8,
        /// Its words there.
        message: &'static str,
    },
    /// By us, in our words.
    Ours(Box<ApiError>),
}

impl Refused {
    pub(crate) const UNKNOWN_TRANSPORT: Self = Self::protocol(0, "Transport unknown");
    pub(crate) const UNKNOWN_SID: Self = Self::protocol(1, "Session ID unknown");
    pub(crate) const BAD_METHOD: Self = Self::protocol(2, "Bad handshake method");
    pub(crate) const BAD_REQUEST: Self = Self::protocol(3, "Bad request");
    pub(crate) const UNSUPPORTED_VERSION: Self = Self::protocol(5, "Unsupported protocol version");

    const fn protocol(code: u8, message: &'static str) -> Self {
        Self::Protocol { code, message }
    }
}

impl std::convert::From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Ours(Box::new(error))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Ours(error) => error.into_response(),
            Self::Protocol { code, message } => {
                let status: StatusCode = answers::NO_ENGINE_IO;
                let body = format!("{{\"code\":{code},\"message\":\"{message}\"}}");
                (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
        }
    }
}
