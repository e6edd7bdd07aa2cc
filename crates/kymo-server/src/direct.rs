//! Emits straight from the connection: the plain `POST /api/v1/events`, which is nearly all that a busy server is asked.
//!
//! The framework makes a map of routes, boxes and channels out of every request, which costs more than storing an
//! event. So a request that is nothing but records of an announced length is read here, bytes into the buffer they are
//! parsed in. Whatever is anything else, or would be refused before its body is read, is left as it came, and with it
//! the rest of its connection: nothing is decided here that is not decided by `emit`, and answered as it would be there.
mod answer;
mod head;

use std::{
    future::poll_fn,
    io,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, Stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    app::App,
    body::{PIECE_WITHIN, WHOLE_WITHIN, ended_early, too_slow},
    budget::Held,
    error::ApiError,
    events::Asked,
};
use answer::Answers;
use head::{Extent, Head};

/// What is read at once while nothing is known of a request: an event and its head.
const READ_BYTES: usize = 8 << 10;
/// The largest body that is taken in here; its memory is claimed before it is there.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Why it serves no further.
pub(crate) enum End {
    /// The connection is closed, or should be.
    Closed,
    /// Here begins something else; this was read of it.
    Other(Bytes),
}

/// Serves a connection as long as plain emits come. `closing` ends it between two of them, `head_within` when none comes.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    closing: &mut (impl Stream + Unpin),
    head_within: Duration,
    app: &App,
) -> io::Result<End> {
    let mut direct = Direct {
        stream,
        app,
        read: Vec::new(),
        due: pin!(sleep_until(Instant::now() + head_within)),
        answers: Answers::default(),
    };
    let mut known: Option<Emitter> = None;
    loop {
        if direct.read.is_empty() && !direct.next(closing, head_within).await? {
            return Ok(End::Closed);
        }
        // What was found out about a head holds for the next one that says the same.
        let emitter = match known.take().filter(|known| known.sends(&direct.read)) {
            Some(known) => Some(known),
            None => Emitter::of(app, &direct.read),
        };
        let post = emitter.as_ref().and_then(|emitter| direct.post(emitter));
        let (Some(emitter), Some(post)) = (emitter, post) else {
            return Ok(End::Other(direct.read.into()));
        };
        if !direct.answer(&emitter, post).await? {
            return Ok(End::Closed);
        }
        known = Some(emitter);
    }
}

/// Who sends requests of one head, and how their bodies are to be read.
struct Emitter {
    head: Head,
    asked: Asked,
}

impl Emitter {
    /// Who sent what was read, if it is for here and nothing speaks against it.
    fn of(app: &App, read: &[u8]) -> Option<Self> {
        let head = Head::read(read)?;
        app.gate.check(None, &head.headers).ok()?;
        let asked = Asked::of(app, &head.headers, head.query.as_deref()).ok()?;
        Some(Self { head, asked })
    }

    /// Whether this is one more request of theirs, and they may still send it.
    fn sends(&self, read: &[u8]) -> bool {
        self.head.extent(read).is_some() && self.asked.is_lasting(&self.head.headers)
    }
}

struct Direct<'a, S> {
    stream: &'a mut S,
    app: &'a App,
    /// What came and is not dealt with.
    read: Vec<u8>,
    /// When whatever is awaited must have come; one timer for all of it.
    due: Pin<&'a mut Sleep>,
    answers: Answers,
}

/// A request to be dealt with.
struct Post {
    extent: Extent,
    /// Where its body goes, unless all of it has come already.
    held: Option<Held>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Direct<'_, S> {
    /// Waits for a request: whether something came.
    async fn next(&mut self, closing: &mut (impl Stream + Unpin), within: Duration) -> io::Result<bool> {
        self.due.as_mut().reset(Instant::now() + within);
        self.read.reserve(READ_BYTES);
        let mut reading = pin!(self.stream.read_buf(&mut self.read));
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = reading.as_mut().poll(cx) {
                return Poll::Ready(Some(read));
            }
            let late = self.due.as_mut().poll(cx).is_ready();
            match late || Pin::new(&mut *closing).poll_next(cx).is_ready() {
                true => Poll::Ready(None),
                false => Poll::Pending,
            }
        });
        match read.await {
            Some(read) => Ok(read? > 0),
            None => Ok(false),
        }
    }

    /// The request at hand, if there is room for its body.
    fn post(&self, emitter: &Emitter) -> Option<Post> {
        let extent = emitter.head.extent(&self.read)?;
        let max = BODY_BYTES_MAX.min(self.app.hub().settings().limits.batch_bytes_max);
        if extent.body > max {
            return None;
        }
        let held = match extent.end() <= self.read.len() {
            true => None,
            false => Some(self.app.budget.hold_all(extent.body).ok()?),
        };
        Some(Post { extent, held })
    }

    /// Stores what is posted and says so: whether the connection goes on.
    async fn answer(&mut self, emitter: &Emitter, post: Post) -> io::Result<bool> {
        let Emitter { head, asked } = emitter;
        let Post { extent, held } = post;
        let receipt = match held {
            None => {
                let body = &self.read[extent.head..extent.end()];
                unharmed(asked.store(self.app, &head.headers, body)).await
            }
            Some(mut held) => {
                if let Err(error) = self.body(extent, &mut held).await {
                    self.app.counts.answered(error.status().as_u16());
                    self.stream.write_all(&error.as_last_answer()).await?;
                    return Ok(false);
                }
                unharmed(asked.store(self.app, &head.headers, held)).await
            }
        };
        // A second request may have come with the first.
        self.read.drain(..extent.end().min(self.read.len()));
        let (status, answer) = self.answers.of(&receipt, head.last);
        self.app.counts.answered(status.as_u16());
        self.stream.write_all(answer).await?;
        if head.last {
            self.stream.shutdown().await?;
        }
        Ok(!head.last)
    }

    /// Reads the rest of a body.
    async fn body(&mut self, extent: Extent, held: &mut Held) -> Result<(), ApiError> {
        held.fill(&self.read[extent.head..]);
        let deadline = Instant::now() + WHOLE_WITHIN;
        while held.len() < extent.body {
            self.due
                .as_mut()
                .reset(deadline.min(Instant::now() + PIECE_WITHIN));
            let read = tokio::select! {
                biased;
                read = held.fill_from(self.stream, extent.body) => read,
                () = self.due.as_mut() => return Err(too_slow()),
            };
            match read {
                Ok(0) => return Err(ended_early("the connection was closed")),
                Ok(_) => {}
                Err(error) => return Err(ended_early(error)),
            }
        }
        Ok(())
    }
}

/// A fault of ours costs the request it happened in and nothing else.
async fn unharmed<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(ApiError::fault()),
    }
}
