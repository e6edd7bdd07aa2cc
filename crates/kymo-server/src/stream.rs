//! `GET /api/v1/stream`: the past and then what happens, as server-sent events.
//!
//! Frames are shared with every reader of the same feed. A slow client takes less; it is never buffered for, and falls
//! back to the ledger. What a cursor needs to know comes in the stream itself: `EventSource` shows no headers.
use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use kymo_event::{LedgerId, Seq};
use kymo_hub::{Delivery, From, Scope, SubscribeRequest, Subscriber};
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    app::{App, Open},
    auth::Caller,
    encoders::Frames,
    error::ApiError,
    events::write_gap,
    params::{self, Parameter, Params},
    position, spread,
};

/// Between two comments that keep the connection open, at most.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// What clients wait before they connect again, in milliseconds: at least, and a part that differs from one to the next,
/// so that they do not all come at once.
const RETRY_MS: u64 = 1000;
const RETRY_SPREAD_MS: u64 = 1000;

/// What is still given to a reader once the server closes, in bytes.
const LAST_BYTES: usize = 1 << 20;

/// Parameters of following.
pub(crate) const PARAMETERS: &[Parameter] = &[
    params::FILTER,
    params::CHANNELS,
    Parameter {
        name: "from",
        about: "The first, inclusive: a seq, an RFC 3339 time, a time before now such as -5m, `start`, or `now` (if absent).",
        example: "-5m",
    },
    Parameter {
        name: "last_event_id",
        about: "Resume behind this seq, as the header Last-Event-ID does; goes before `from`.",
        example: "1000",
    },
    Parameter {
        name: "lastEventId",
        about: "The same, as some polyfills send it.",
        example: "1000",
    },
    params::DIALECT,
    params::LEDGER,
];

/// The handler.
pub(crate) async fn follow(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = app.auth.require(&headers, Scope::Read)?;
    let params = Params::parse(uri.query(), PARAMETERS)?;
    if app.closing.is_cancelled() {
        return Err(ApiError::closing());
    }
    let hub = app.hub();
    let ledger = hub.ledger().id();
    let request = SubscribeRequest {
        filter: params.filter()?,
        channels: params.channels()?,
        from: from(&params, &headers)?,
        encoder: Arc::new(Frames::sse(params.dialect()?, ledger.clone())),
    };
    let subscriber = hub.subscribe(request, &caller.principal).await?;
    let first = greeting(&ledger, &subscriber, hub.ledger().head());
    let follower = Follower {
        _open: app.counts.streams.enter(),
        subscriber,
        first: Some(first),
        comment: Box::pin(sleep(spread::first(COMMENT_EVERY))),
        ends: ends(&app, &caller),
        closing: None,
        over: false,
    };
    let body = Body::from_stream(stream::unfold(follower, Follower::next));
    Ok((
        HEADERS
            .clone()
            .map(|(name, value)| (name, HeaderValue::from_static(value))),
        body,
    )
        .into_response())
}

static HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/event-stream"),
    (header::CACHE_CONTROL, "no-cache"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

fn from(params: &Params, headers: &HeaderMap) -> Result<From, ApiError> {
    let ledger = params.get("ledger").map(LedgerId::new);
    let header = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or("?"));
    // The header is what the browser saw last; the address is what the page began with.
    let last = header
        .or_else(|| params.get("last_event_id"))
        .or_else(|| params.get("lastEventId"));
    match (last.filter(|id| !id.is_empty()), params.get("from")) {
        (Some(last), _) => position::behind(last, ledger),
        (None, Some(from)) => position::parse("from", from, ledger),
        (None, None) => Ok(From::Now),
    }
}

/// What there is to know before the first event.
fn greeting(ledger: &LedgerId, subscriber: &Subscriber, head: Option<Seq>) -> Bytes {
    let mut random = [0; 8];
    // Without random numbers they all wait equally long, which is no harm.
    let _ = getrandom::fill(&mut random);
    let retry = RETRY_MS + u64::from_ne_bytes(random) % RETRY_SPREAD_MS;
    let (feed, from, head) = (subscriber.feed(), subscriber.from(), head.map_or(0, Seq::get));
    let data = format!("{{\"ledger\":\"{ledger}\",\"feed\":{feed},\"from\":{from},\"head\":{head}}}");
    format!("retry: {retry}\n\nevent: subscribed\ndata: {data}\n\n").into()
}

/// Why a stream ends, from our side.
enum End {
    /// The server is shutting down.
    Closing,
    /// The token was revoked.
    Revoked,
}

// Kept for the whole stream: what all streams wait for together is touched once, not at every event.
fn ends(app: &App, caller: &Caller) -> FuturesUnordered<BoxFuture<'static, End>> {
    let closing = app.closing.clone().cancelled_owned();
    let revoked = caller.revoked.clone().cancelled_owned();
    FuturesUnordered::from_iter([
        closing.map(|()| End::Closing).boxed(),
        revoked.map(|()| End::Revoked).boxed(),
    ])
}

/// One stream and its reader.
struct Follower {
    subscriber: Subscriber,
    first: Option<Bytes>,
    comment: Pin<Box<Sleep>>,
    ends: FuturesUnordered<BoxFuture<'static, End>>,
    /// What may still be given before the server closes, in bytes.
    closing: Option<usize>,
    over: bool,
    _open: Open,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        if self.over {
            return None;
        }
        let bytes = match self.first.take() {
            Some(first) => first,
            None => self.piece().await,
        };
        Some((Ok(bytes), self))
    }

    async fn piece(&mut self) -> Bytes {
        loop {
            // Asked first: a long past must not keep an end waiting.
            if let Some(Some(end)) = self.ends.next().now_or_never() {
                match end {
                    End::Closing => self.closing = Some(LAST_BYTES),
                    End::Revoked => return self.revoked(),
                }
            }
            if let Some(delivery) = self.take() {
                return self.message(delivery);
            }
            tokio::select! {
                delivery = self.subscriber.next() => return self.message(delivery),
                Some(end) = self.ends.next() => match end {
                    End::Closing => self.closing = Some(LAST_BYTES),
                    End::Revoked => return self.revoked(),
                },
                () = &mut self.comment => {
                    self.comment.as_mut().reset(Instant::now() + COMMENT_EVERY);
                    return Bytes::from_static(b": still here\n\n");
                }
            }
        }
    }

    /// What there is without waiting. A closing server gives the newest to those who keep up, and then ends.
    fn take(&mut self) -> Option<Delivery> {
        let over = Delivery::Closing { cursor: None };
        match self.closing {
            Some(0) => Some(over),
            Some(left) => {
                let delivery = self.subscriber.try_next().unwrap_or(over);
                if let Delivery::Frame { bytes, .. } = &delivery {
                    self.closing = Some(left.saturating_sub(bytes.len()));
                }
                Some(delivery)
            }
            None => self.subscriber.try_next(),
        }
    }

    fn revoked(&mut self) -> Bytes {
        self.over = true;
        error(&ApiError::new("unauthorized", "the token was revoked"))
    }

    fn message(&mut self, delivery: Delivery) -> Bytes {
        match delivery {
            Delivery::Frame { bytes, .. } => bytes,
            Delivery::CaughtUp { cursor } => {
                let cursor = cursor.map_or(0, Seq::get);
                format!("event: caught_up\ndata: {{\"op\":\"caught_up\",\"cursor\":{cursor}}}\n\n").into()
            }
            Delivery::FellBehind { cursor, lag_events } => {
                let cursor = cursor.map_or(0, Seq::get);
                let data =
                    format!("{{\"op\":\"fell_behind\",\"cursor\":{cursor},\"lag_events\":{lag_events}}}");
                format!("event: fell_behind\ndata: {data}\n\n").into()
            }
            Delivery::Gap(gap) => {
                // The id moves the cursor over the gap (or back, if it was ahead): it is told once.
                let cursor = gap.first.get() - 1;
                let mut out = format!("event: gap\nid: {cursor}\ndata: {{\"op\":\"gap\",").into_bytes();
                write_gap(&gap, &mut out);
                out.extend_from_slice(b"}\n\n");
                out.into()
            }
            Delivery::Closing { .. } => {
                self.over = true;
                Bytes::from_static(b"event: closing\ndata: {\"op\":\"closing\"}\n\n")
            }
            // The hub tries again by itself; nothing is lost.
            Delivery::Failed { code, message } => error(&ApiError::new(code, message)),
        }
    }
}

fn error(error: &ApiError) -> Bytes {
    let mut out = b"event: error\ndata: {\"op\":\"error\",".to_vec();
    error.write_fields(&mut out);
    out.extend_from_slice(b"}\n\n");
    out.into()
}
