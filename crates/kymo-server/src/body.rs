//! Bodies of requests: collected within a size, a time and a share of memory, then inflated.
//!
//! The bytes are copied once at most. Everything after this works on one slice.
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{error::ApiError, inflate};

/// How long a body may rest between two pieces.
const PIECE_WITHIN: Duration = Duration::from_secs(20);
/// How long a body may take in all.
const WHOLE_WITHIN: Duration = Duration::from_secs(120);
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

/// Collects and inflates a body of at most `max` bytes.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: HttpBody,
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
    mut body: HttpBody,
    announced: Option<usize>,
    max: usize,
    budget: &Budget,
) -> Result<Body, ApiError> {
    let deadline = Instant::now() + WHOLE_WITHIN;
    let Some(first) = piece(&mut body, deadline).await? else {
        return Ok(Body::Piece(Bytes::new()));
    };
    if announced == Some(first.len()) {
        return Ok(Body::Piece(first));
    }
    let mut held = budget.hold();
    held.bytes.reserve(announced.unwrap_or(0).min(TRUST_MAX));
    let mut next = Some(first);
    while let Some(piece_bytes) = next {
        held.extend(&piece_bytes, max)?;
        // Dropped before the next read, so that the connection's buffer can be used again.
        drop(piece_bytes);
        next = piece(&mut body, deadline).await?;
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
                return Err(ApiError::new(
                    "invalid_body",
                    format!("the body ended early: {error}"),
                ));
            }
        }
    }
}

fn too_slow() -> ApiError {
    ApiError::new(
        "request_timeout",
        format!(
            "the body did not arrive: pieces may be {} s apart, all of it may take {} s; nothing was stored",
            PIECE_WITHIN.as_secs(),
            WHOLE_WITHIN.as_secs()
        ),
    )
}

fn too_large(max: usize) -> ApiError {
    ApiError::new(
        "batch_too_large",
        format!("a batch may have {max} bytes after decompression; send it in parts, nothing was stored"),
    )
    .with_detail(serde_json::json!({ "bytes_max": max }))
}

/// Memory for bodies in hand, all together, so that many large ones wait outside instead of filling the machine.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Shared>);

struct Shared {
    used: AtomicUsize,
    max: usize,
    // Buffers are used again: the first touch of fresh memory costs more than the parsing of what is put into it.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Spare buffers kept, and how large one may be to be kept.
const SPARES_MAX: usize = 4;
const SPARE_BYTES_MAX: usize = 1 << 20;

impl Default for Budget {
    fn default() -> Self {
        Self::new(256 << 20)
    }
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Shared {
            used: AtomicUsize::new(0),
            max,
            spare: Mutex::default(),
        }))
    }

    /// An empty buffer that counts against this budget as it grows.
    pub(crate) fn hold(&self) -> Held {
        Held {
            bytes: self.0.spare.lock().pop().unwrap_or_default(),
            counted: 0,
            budget: self.clone(),
        }
    }
}

/// Bytes that count against a [`Budget`] until dropped.
pub(crate) struct Held {
    bytes: Vec<u8>,
    counted: usize,
    budget: Budget,
}

impl Held {
    /// Appends, if the whole stays within `max` and the budget has room.
    pub(crate) fn extend(&mut self, bytes: &[u8], max: usize) -> Result<(), ApiError> {
        if bytes.len() > max - self.bytes.len().min(max) {
            return Err(too_large(max));
        }
        self.count(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn count(&mut self, more: usize) -> Result<(), ApiError> {
        let shared = &self.budget.0;
        let before = shared.used.fetch_add(more, Relaxed);
        self.counted += more;
        if before + more > shared.max {
            return Err(
                ApiError::new("busy", "too many large bodies at once; try again in a moment").retry_after(1),
            );
        }
        Ok(())
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let shared = &self.budget.0;
        shared.used.fetch_sub(self.counted, Relaxed);
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() == 0 || bytes.capacity() > SPARE_BYTES_MAX {
            return;
        }
        bytes.clear();
        let mut spare = shared.spare.lock();
        if spare.len() < SPARES_MAX {
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_pieces(pieces: &[&'static str], max: usize, budget: &Budget) -> Result<Body, &'static str> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, std::convert::Infallible>(*piece))
            .collect();
        let body = HttpBody::from_stream(futures_util::stream::iter(pieces));
        read(&HeaderMap::new(), body, max, budget)
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
        let read = read(&headers, HttpBody::empty(), 5, &Budget::default()).await;
        assert_eq!(read.err().map(|error| error.code), Some("batch_too_large"));
    }

    #[tokio::test]
    async fn memory_in_hand_is_bounded_and_given_back() {
        let budget = Budget::new(8);
        let first = read_pieces(&["abc", "def"], 10, &budget).await.expect("room");
        assert_eq!(
            read_pieces(&["abc", "def"], 10, &budget).await.err(),
            Some("busy")
        );
        drop(first);
        assert!(read_pieces(&["abc", "def"], 10, &budget).await.is_ok());
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
            HttpBody::from_stream(trickle),
            1 << 20,
            &Budget::default(),
        )
        .await;
        assert_eq!(read.err().map(|error| error.code), Some("request_timeout"));
        assert_eq!(started.elapsed(), WHOLE_WITHIN);
    }
}
