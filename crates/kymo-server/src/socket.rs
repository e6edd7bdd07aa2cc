//! A connection that is patient with the slow and ends the dead.
//!
//! A write that finds no room waits; if the peer takes nothing at all for two minutes the connection is broken. Reading
//! has its own limits where it is done: headers and bodies have deadlines, a WebSocket has its pings.
use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How long a peer may take no byte before it counts as dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(120);

/// What lands at once.
const LANDING_BYTES: usize = 16 << 10;

/// Gives others a turn whenever so much was taken from one connection: who sends faster than is read would never let
/// go.
#[derive(Debug)]
pub(crate) struct InARow {
    bytes: usize,
    bytes_max: usize,
}

impl InARow {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_max }
    }

    /// Notes what was taken.
    pub(crate) async fn took(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= self.bytes_max {
            self.bytes = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// A stream whose writes fail once the peer has taken nothing for [`DEAD_AFTER`].
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    /// What was read before, and is to be read once more.
    read: Bytes,
    // Only there while a write waits: an idle connection pays nothing for it.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self {
            stream,
            read: Bytes::new(),
            stalled: None,
        }
    }

    /// Lets these bytes be read again, before all that comes.
    pub(crate) fn put_back(&mut self, read: Bytes) {
        self.read = read;
    }

    /// The stream itself, for those who watch over the peer in their own way, and what is to be read before it.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.read)
    }

    fn watch<T>(&mut self, result: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + DEAD_AFTER)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes no bytes",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read.is_empty() {
            let fit = self.read.len().min(buf.remaining());
            buf.put_slice(&self.read.split_to(fit));
            if self.read.is_empty() {
                // Even an empty rest would keep the memory of the whole.
                self.read = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

thread_local! {
    // Where bytes land that nobody has room for yet.
    static LANDING: RefCell<Vec<u8>> = RefCell::new(vec![0; LANDING_BYTES]);
}

/// Reads what has come and hands it to `take`, which makes room for it only then: who waits holds no buffer.
pub(crate) fn poll_landed(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    LANDING.with_borrow_mut(|landing| {
        let mut buf = ReadBuf::new(landing);
        ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        take(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_for_two_minutes_is_cut() {
        let (ours, _theirs) = tokio::io::duplex(4);
        let started = Instant::now();
        let error = Patient::new(ours)
            .write_all(b"more than fits")
            .await
            .expect_err("a dead peer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), DEAD_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_byte_now_and_then_is_kept() {
        let (ours, mut theirs) = tokio::io::duplex(1);
        let reader = tokio::spawn(async move {
            let mut taken = Vec::new();
            for _ in 0..5 {
                tokio::time::sleep(DEAD_AFTER - Duration::from_secs(1)).await;
                taken.push(theirs.read_u8().await.expect("a byte"));
            }
            taken
        });
        Patient::new(ours)
            .write_all(b"hello")
            .await
            .expect("a slow peer is no dead one");
        assert_eq!(reader.await.expect("the reader ends"), b"hello");
    }
}
