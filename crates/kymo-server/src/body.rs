//! Bodies of requests: collected within a size, a time and a share of memory, then inflated.
//!
//! The bytes are copied once at most. Everything after this works on one slice.
use std::{ops::Deref, time::Duration};

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    budget::{Budget, Held, too_large},
    error::ApiError,
    inflate,
    socket::InARow,
};

/// How long a body may rest between two pieces.
pub(crate) const PIECE_WITHIN: Duration = Duration::from_secs(20);
/// How long a body may take in all.
pub(crate) const WHOLE_WITHIN: Duration = Duration::from_secs(120);
/// Taken of a body between two turns of others.
pub(crate) const SLICE: usize = 256 << 10;
/// What is reserved before bytes are there to justify it.
const TRUST_MAX: usize = 1 << 20;

/// A whole body. It gives its memory back when dropped.
pub(crate) enum Body {
    /// It came in one piece.
    Piece(Bytes),
    /// It was put together.
    Whole(Held),
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Piece(bytes) => bytes,
            Self::Whole(held) => held,
        }
    }
}

/// What is still read of a body that was refused: a client that is still sending would not see the answer if the
/// connection were closed under it.
pub(crate) const DISCARD_MAX: usize = 64 << 20;
/// And for how long.
pub(crate) const DISCARD_WITHIN: Duration = Duration::from_secs(5);

/// Reads the rest of a refused body and forgets it.
pub(crate) async fn discard(body: &mut HttpBody) {
    let deadline = Instant::now() + DISCARD_WITHIN;
    let mut bytes = 0;
    while let Ok(Some(piece)) = piece(body, deadline).await {
        bytes += piece.len();
        if bytes > DISCARD_MAX {
            return;
        }
    }
}

/// Collects and inflates a body of at most `max` bytes.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: &mut HttpBody,
    max: usize,
    budget: &Budget,
) -> Result<Body, ApiError> {
    let encoding = inflate::Encoding::of(headers)?;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > max) {
        return Err(too_large(max));
    }
    let body = collect(body, announced, max, budget).await?;
    match encoding {
        None => Ok(body),
        Some(encoding) => Ok(Body::Whole(inflate::inflate(encoding, &body, max, budget).await?)),
    }
}

async fn collect(
    body: &mut HttpBody,
    announced: Option<usize>,
    max: usize,
    budget: &Budget,
) -> Result<Body, ApiError> {
    let deadline = Instant::now() + WHOLE_WITHIN;
    let Some(first) = piece(body, deadline).await? else {
        return Ok(Body::Piece(Bytes::new()));
    };
    if announced == Some(first.len()) {
        return Ok(Body::Piece(first));
    }
    let mut held = budget.hold();
    held.reserve(announced.unwrap_or(0).min(TRUST_MAX));
    let (mut next, mut in_a_row) = (Some(first), InARow::new(SLICE));
    while let Some(piece_bytes) = next {
        held.extend(&piece_bytes, max)?;
        let bytes = piece_bytes.len();
        // Dropped before the next read, so that the connection's buffer can be used again.
        drop(piece_bytes);
        in_a_row.took(bytes).await;
        next = piece(body, deadline).await?;
    }
    Ok(Body::Whole(held))
}

async fn piece(body: &mut HttpBody, deadline: Instant) -> Result<Option<Bytes>, ApiError> {
    loop {
        let frame = timeout_at(deadline, timeout(PIECE_WITHIN, body.frame())).await;
        let frame = frame.map_err(|_| too_slow())?.map_err(|_| too_slow())?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => {
                return Err(ended_early(error));
            }
        }
    }
}

/// The refusal of a body of which only a part came.
pub(crate) fn ended_early(cause: impl std::fmt::Display) -> ApiError {
    ApiError::new("invalid_body", format!("the body ended early: {cause}"))
}

/// The refusal of a body that took too long.
pub(crate) fn too_slow() -> ApiError {
    ApiError::new(
        "request_timeout",
        format!(
            "the body did not arrive: pieces may be {} s apart, all of it may take {} s; nothing was stored",
            PIECE_WITHIN.as_secs(),
            WHOLE_WITHIN.as_secs()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_pieces(pieces: &[&'static str], max: usize, budget: &Budget) -> Result<Body, &'static str> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, std::convert::Infallible>(*piece))
            .collect();
        let mut body = HttpBody::from_stream(futures_util::stream::iter(pieces));
        read(&HeaderMap::new(), &mut body, max, budget)
            .await
            .map_err(|error| error.code)
    }

    #[tokio::test]
    async fn a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
        let budget = Budget::default();
        let body = read_pieces(&["abc", "de"], 5, &budget)
            .await
            .expect("at the limit");
        assert_eq!(&*body, b"abcde");
        assert_eq!(
            read_pieces(&["abc", "def"], 5, &budget).await.err(),
            Some("batch_too_large")
        );
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_refused_before_reading() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, 6.into());
        let read = read(&headers, &mut HttpBody::empty(), 5, &Budget::default()).await;
        assert_eq!(read.err().map(|error| error.code), Some("batch_too_large"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_a_byte_a_second_is_told_when_its_time_is_over() {
        let trickle = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::convert::Infallible>("x"), ()))
        });
        let started = Instant::now();
        let read = read(
            &HeaderMap::new(),
            &mut HttpBody::from_stream(trickle),
            1 << 20,
            &Budget::default(),
        )
        .await;
        assert_eq!(read.err().map(|error| error.code), Some("request_timeout"));
        assert_eq!(started.elapsed(), WHOLE_WITHIN);
    }
}
