//! What requests have in common that order something: a small body, and work on the disk.
use axum::{
    body::{Body, Bytes},
    http::Request,
};
use http_body_util::{BodyExt, Limited};

use crate::error::ApiError;

/// The body of a command.
const BODY_MAX: usize = 64 << 10;

/// Reads the body of a command.
pub(crate) async fn body(request: Request<Body>) -> Result<Bytes, ApiError> {
    let read = Limited::new(request.into_body(), BODY_MAX).collect().await;
    let read =
        read.map_err(|error| ApiError::new("invalid_body", format!("the body could not be read: {error}")))?;
    Ok(read.to_bytes())
}

/// Does what waits for the disk, on a thread that serves nobody.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new("internal", error.to_string()))
}
