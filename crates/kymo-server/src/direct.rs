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
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::{FutureExt, Stream, stream::FuturesUnordered};
use kymo_hub::Combiner;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    app::App,
    body::{PIECE_WITHIN, WHOLE_WITHIN, ended_early, too_slow},
    budget::Held,
    error::ApiError,
    events::Asked,
    lane::{self, LITTLE_BYTES, Seat},
    socket::Patient,
};
use answer::Answers;
use head::{Extent, Head};

/// What is read at once while nothing is known of a request: an event and its head.
const READ_BYTES: usize = 8 << 10;
/// The largest body that is taken in here; its memory is claimed before it is there.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Requests in the lane that could not be joined with those of others, until it is left.
const APART_MAX: u32 = 8;

/// How its part of a connection ended.
enum End {
    /// The connection is closed, or should be.
    Closed,
    /// Something else begins, or nothing came yet.
    Other,
    /// It is better served in the lane.
    Lone(Seat),
}

/// Serves a connection as long as plain emits come, each within `head_within` of the one before; gives it back when
/// something else does, with what was read of it.
pub(crate) async fn serve(
    stream: TcpStream,
    head_within: Duration,
    app: App,
) -> io::Result<Option<Patient<TcpStream>>> {
    let mut direct = Direct::new(stream, head_within, app);
    loop {
        match direct.serve().await? {
            End::Closed => return Ok(None),
            End::Other => return Ok(Some(direct.into_stream())),
            End::Lone(seat) => {
                let combiner = Arc::clone(&seat.combiner);
                let stay = seat.serve(async move {
                    let mut direct = direct.adopted(Some(combiner))?;
                    let end = direct.serve().await?;
                    io::Result::Ok((direct, end))
                });
                match stay.await.transpose()? {
                    Some((emitter, End::Other)) => direct = emitter.adopted(None)?,
                    _ => return Ok(None),
                }
            }
        }
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

struct Direct {
    app: App,
    stream: Patient<TcpStream>,
    /// What came and is not dealt with.
    read: Vec<u8>,
    known: Option<Emitter>,
    answers: Answers,
    head_within: Duration,
    /// There while it is served in the lane.
    combiner: Option<Arc<Combiner>>,
    /// Requests in the lane that could not be joined with those of others.
    apart: u32,
    /// It was in the lane, and sent what does not belong there.
    stays: bool,
}

/// A request to be dealt with.
struct Post {
    extent: Extent,
    /// Where its body goes, unless all of it has come already.
    held: Option<Held>,
}

impl Post {
    /// Whether it is little, and all here.
    fn is_little(&self, read: &[u8]) -> bool {
        self.extent.body <= LITTLE_BYTES && self.extent.end() <= read.len()
    }
}

impl Direct {
    fn new(stream: TcpStream, head_within: Duration, app: App) -> Self {
        Self {
            app,
            stream: Patient::new(stream),
            read: Vec::new(),
            known: None,
            answers: Answers::default(),
            head_within,
            combiner: None,
            apart: 0,
            stays: false,
        }
    }

    /// The same for the event loop that calls this: the lane's if there is a combiner, else the one it came from.
    fn adopted(mut self, combiner: Option<Arc<Combiner>>) -> io::Result<Self> {
        self.stream = Patient::new(lane::adopt(self.stream.into_inner())?);
        self.stays = combiner.is_none();
        self.combiner = combiner;
        Ok(self)
    }

    fn into_stream(mut self) -> Patient<TcpStream> {
        self.stream.put_back(self.read.into());
        self.stream
    }

    /// Answers plain emits until something else comes, or nothing more.
    async fn serve(&mut self) -> io::Result<End> {
        // One timer for whatever is awaited, and both asked only when they were woken.
        let mut due = pin!(sleep_until(Instant::now() + self.head_within));
        let mut closing = FuturesUnordered::from_iter([self.app.closing.clone().cancelled_owned()]);
        loop {
            if self.read.is_empty() && !self.next(due.as_mut(), &mut closing).await? {
                return Ok(End::Closed);
            }
            // What was found out about a head holds for the next one that says the same.
            let known = self.known.take().filter(|known| known.sends(&self.read));
            let Some(emitter) = known.or_else(|| Emitter::of(&self.app, &self.read)) else {
                return Ok(End::Other);
            };
            let Some(post) = self.post(&emitter) else {
                return Ok(End::Other);
            };
            let is_lone = post.is_little(&self.read) && self.apart < APART_MAX;
            if !is_lone && self.combiner.is_some() {
                return Ok(End::Other);
            }
            if !self.answer(&emitter, post, due.as_mut()).await? {
                return Ok(End::Closed);
            }
            self.known = Some(emitter);
            if is_lone
                && !self.stays
                && self.combiner.is_none()
                && let Some(seat) = self.app.lane.seat(&self.app)
            {
                return Ok(End::Lone(seat));
            }
        }
    }

    /// Waits for a request: whether something came.
    async fn next(
        &mut self,
        mut due: Pin<&mut Sleep>,
        closing: &mut (impl Stream + Unpin),
    ) -> io::Result<bool> {
        due.as_mut().reset(Instant::now() + self.head_within);
        self.read.reserve(READ_BYTES);
        let mut reading = pin!(self.stream.read_buf(&mut self.read));
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = reading.as_mut().poll(cx) {
                return Poll::Ready(Some(read));
            }
            let late = due.as_mut().poll(cx).is_ready();
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

    /// The request at hand, if there may be room for its body.
    fn post(&self, emitter: &Emitter) -> Option<Post> {
        let extent = emitter.head.extent(&self.read)?;
        let max = BODY_BYTES_MAX.min(self.app.hub().settings().limits.batch_bytes_max);
        if extent.body > max {
            return None;
        }
        let held = match extent.end() <= self.read.len() || self.combiner.is_some() {
            true => None,
            false => Some(self.app.budget.hold_all(extent.body).ok()?),
        };
        Some(Post { extent, held })
    }

    /// Stores what is posted and says so: whether the connection goes on.
    async fn answer(&mut self, emitter: &Emitter, post: Post, due: Pin<&mut Sleep>) -> io::Result<bool> {
        let Emitter { head, asked } = emitter;
        let Post { extent, held } = post;
        let receipt = match held {
            None => {
                let body = &self.read[extent.head..extent.end()];
                let ticket = match &self.combiner {
                    Some(combiner) => asked.join(&self.app, combiner, body).await,
                    None => None,
                };
                match ticket {
                    Some(ticket) => ticket.settled().await.map_err(ApiError::from),
                    None => {
                        self.apart += u32::from(self.combiner.is_some());
                        unharmed(asked.store(&self.app, &head.headers, body)).await
                    }
                }
            }
            Some(mut held) => {
                if let Err(error) = self.body(extent, &mut held, due).await {
                    self.app.counts.answered(error.status().as_u16());
                    self.stream.write_all(&error.as_last_answer()).await?;
                    return Ok(false);
                }
                unharmed(asked.store(&self.app, &head.headers, held)).await
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
    async fn body(
        &mut self,
        extent: Extent,
        held: &mut Held,
        mut due: Pin<&mut Sleep>,
    ) -> Result<(), ApiError> {
        held.fill(&self.read[extent.head..]);
        let deadline = Instant::now() + WHOLE_WITHIN;
        while held.len() < extent.body {
            due.as_mut().reset(deadline.min(Instant::now() + PIECE_WITHIN));
            let read = tokio::select! {
                biased;
                read = held.fill_from(&mut self.stream, extent.body) => read,
                () = due.as_mut() => return Err(too_slow()),
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
