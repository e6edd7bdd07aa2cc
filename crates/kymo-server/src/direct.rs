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
use kymo_hub::{Combiner, Receipt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until, timeout},
};

use crate::{
    app::App,
    body::{DISCARD_MAX, DISCARD_WITHIN, PIECE_WITHIN, SLICE, WHOLE_WITHIN, ended_early, too_slow},
    budget::Held,
    error::ApiError,
    events::Asked,
    lane::{self, LITTLE_BYTES, Seat},
    socket::{InARow, Patient, poll_landed},
};
use answer::Answers;
use head::{Extent, Head};

/// The largest body that is taken in here; its memory is claimed before it is there.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long who says nothing is kept in the lane; its seats are for those who have something to say.
const SILENT_IN_LANE: Duration = Duration::from_secs(5);
/// Requests in the lane that could not be joined with those of others, more than those that could, until it is left.
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
    /// How much of that is over already.
    waited: Duration,
    /// There while it is served in the lane.
    combiner: Option<Arc<Combiner>>,
    /// Requests in the lane that could not be joined with those of others, less those that could.
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
            waited: Duration::ZERO,
            combiner: None,
            apart: 0,
            stays: false,
        }
    }

    /// The same for the event loop that calls this: the lane's if there is a combiner, else the one it came from.
    fn adopted(mut self, combiner: Option<Arc<Combiner>>) -> io::Result<Self> {
        // Nothing was put back yet.
        self.stream = Patient::new(lane::adopt(self.stream.into_parts().0)?);
        // Who was only silent may come again.
        self.stays = combiner.is_none() && !self.read.is_empty();
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
            if self.read.is_empty()
                && let Some(end) = self.next(due.as_mut(), &mut closing).await?
            {
                return Ok(end);
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

    /// Waits for a request, or an end.
    async fn next(
        &mut self,
        mut due: Pin<&mut Sleep>,
        closing: &mut (impl Stream + Unpin),
    ) -> io::Result<Option<End>> {
        let (within, silent) = match self.combiner {
            Some(_) => (SILENT_IN_LANE, End::Other),
            None => (self.head_within.saturating_sub(self.waited), End::Closed),
        };
        due.as_mut().reset(Instant::now() + within);
        let read = poll_fn(|cx| {
            let (stream, read) = (&mut self.stream, &mut self.read);
            if let Poll::Ready(read) = poll_landed(stream, cx, |bytes| read.extend_from_slice(bytes)) {
                return Poll::Ready(Ok(read));
            }
            if Pin::new(&mut *closing).poll_next(cx).is_ready() {
                return Poll::Ready(Err(true));
            }
            due.as_mut().poll(cx).map(|()| Err(false))
        });
        match read.await {
            Ok(read) => {
                self.waited = Duration::ZERO;
                Ok((read? == 0).then_some(End::Closed))
            }
            Err(true) => Ok(Some(End::Closed)),
            Err(false) => {
                self.waited = within;
                Ok(Some(silent))
            }
        }
    }

    /// The request at hand, if its body is not too large for here.
    fn post(&self, emitter: &Emitter) -> Option<Post> {
        let extent = emitter.head.extent(&self.read)?;
        let max = BODY_BYTES_MAX.min(self.app.hub().settings().limits.batch_bytes_max);
        if extent.body > max {
            return None;
        }
        let comes = extent.end() > self.read.len();
        let held = comes.then(|| self.app.budget.hold());
        Some(Post { extent, held })
    }

    /// Stores what is posted and says so: whether the connection goes on.
    async fn answer(&mut self, emitter: &Emitter, post: Post, due: Pin<&mut Sleep>) -> io::Result<bool> {
        let Emitter { head, asked } = emitter;
        let Post { extent, held } = post;
        let receipt = match held {
            None => {
                let body = &self.read[extent.head..extent.end()];
                let stored = unharmed(store(&self.app, emitter, body, self.combiner.as_deref())).await;
                self.apart = match stored {
                    Ok((_, false)) => self.apart.saturating_sub(1),
                    _ => self.apart + u32::from(self.combiner.is_some()),
                };
                stored.map(|(receipt, _)| receipt)
            }
            Some(mut held) => {
                if let Err(error) = self.body(extent, &mut held, due).await {
                    drop(held);
                    return self.refuse_for_good(error).await;
                }
                let stored = unharmed(asked.store(&self.app, &head.headers, held)).await;
                // Who was refused waited for nothing, and would never let go while it sends more.
                tokio::task::yield_now().await;
                stored
            }
        };
        // A second request may have come with the first.
        self.read.drain(..extent.end().min(self.read.len()));
        let last = head.last || self.app.closing.is_cancelled();
        let (status, answer) = self.answers.of(&receipt, last);
        self.app.counts.answered(status.as_u16());
        self.stream.write_all(answer).await?;
        if last {
            self.stream.shutdown().await?;
        }
        Ok(!last)
    }

    /// Answers a request that does not come to its end, so that the client sees it.
    async fn refuse_for_good(&mut self, error: ApiError) -> io::Result<bool> {
        let (status, answer) = self.answers.of(&Err(error), true);
        self.app.counts.answered(status.as_u16());
        self.stream.write_all(answer).await?;
        self.stream.shutdown().await?;
        let discarded = async {
            let (mut left, mut rest) = (DISCARD_MAX, vec![0; 8 << 10]);
            while left > 0 {
                match self.stream.read(&mut rest).await? {
                    0 => break,
                    bytes => left = left.saturating_sub(bytes),
                }
            }
            io::Result::Ok(())
        };
        let _ = timeout(DISCARD_WITHIN, discarded).await;
        Ok(false)
    }

    /// Reads the rest of a body.
    async fn body(
        &mut self,
        extent: Extent,
        held: &mut Held,
        mut due: Pin<&mut Sleep>,
    ) -> Result<(), ApiError> {
        held.reserve(extent.body);
        held.extend(&self.read[extent.head..], extent.body)?;
        let (deadline, mut in_a_row) = (Instant::now() + WHOLE_WITHIN, InARow::new(SLICE));
        while held.len() < extent.body {
            let slice_end = extent.body.min(held.len() + SLICE);
            due.as_mut().reset(deadline.min(Instant::now() + PIECE_WITHIN));
            let read = tokio::select! {
                biased;
                read = held.fill_from(&mut self.stream, slice_end) => read,
                () = due.as_mut() => return Err(too_slow()),
            };
            match read {
                Ok(0) => return Err(ended_early("the connection was closed")),
                Ok(bytes) => {
                    held.count(bytes)?;
                    in_a_row.took(bytes).await;
                }
                Err(error) => return Err(ended_early(error)),
            }
        }
        Ok(())
    }
}

/// Stores a little body, with those of others if that is possible; and whether it had to go its own way.
async fn store(
    app: &App,
    emitter: &Emitter,
    body: &[u8],
    combiner: Option<&Combiner>,
) -> Result<(Receipt, bool), ApiError> {
    let Emitter { head, asked } = emitter;
    if let Some(combiner) = combiner
        && let Some(ticket) = asked.join(app, combiner, body).await
    {
        return Ok((ticket.settled().await?, false));
    }
    Ok((asked.store(app, &head.headers, body).await?, true))
}

/// A fault of ours costs the request it happened in and nothing else.
async fn unharmed<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(ApiError::fault()),
    }
}

#[cfg(test)]
mod tests;
