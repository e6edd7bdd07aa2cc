//! What waits to be written: shared frames as they are, and our own small ones gathered in between.
//!
//! Bounded by its users: they stop adding feeds above [`Outbox::FULL`]; answers are bounded by what is in flight.
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::{
    close::Fault,
    frame::{self, Opcode},
};

/// Pieces handed to one system call.
const PIECES: usize = 32;
/// Largest gathering buffer that is kept.
const SPARE_MAX: usize = 16 << 10;

/// What waits to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Piece>,
    // Bytes of the first piece that are written already.
    written: usize,
    bytes: usize,
    // Bytes of our own pieces that are not written whole.
    own: usize,
    // Whether anything but pings waits.
    carries: bool,
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Piece {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// From this size on nothing more should be taken from feeds.
    pub(crate) const FULL: usize = 256 << 10;

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= Self::FULL
    }

    /// Bytes that wait.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of answers that wait, about.
    pub(crate) const fn own_bytes(&self) -> usize {
        self.own
    }

    /// Whether something waits that a peer takes only if it is there: more than pings.
    pub(crate) const fn carries(&self) -> bool {
        self.carries
    }

    /// Adds frames that were built for all readers.
    pub(crate) fn share(&mut self, frames: Bytes) {
        if !frames.is_empty() {
            self.bytes += frames.len();
            self.carries = true;
            self.queue.push_back(Piece::Shared(frames));
        }
    }

    /// Adds a text message of this reader alone.
    pub(crate) fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.carries = true;
        self.own(|out| frame::build(out, write));
    }

    /// Adds a binary message of this reader alone.
    pub(crate) fn binary(&mut self, payload: &[u8]) {
        self.carries = true;
        self.own(|out| {
            frame::write_header(Opcode::Binary, payload.len(), out);
            out.extend_from_slice(payload);
        });
    }

    /// Takes all that waits, in whole frames: for readers that have no socket, of whom nothing is written in parts.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Bytes> + use<> {
        debug_assert_eq!(self.written, 0, "a frame is on its way in parts");
        let taken = std::mem::take(self);
        taken.queue.into_iter().map(|piece| match piece {
            Piece::Own(bytes) => bytes.into(),
            Piece::Shared(bytes) => bytes,
        })
    }

    /// Adds a control frame; its payload is cut at what one can carry.
    pub(crate) fn control(&mut self, opcode: Opcode, payload: &[u8]) {
        let payload = &payload[..payload.len().min(frame::CONTROL_MAX)];
        self.own(|out| {
            frame::write_header(opcode, payload.len(), out);
            out.extend_from_slice(payload);
        });
    }

    /// Adds a close frame.
    pub(crate) fn close(&mut self, fault: Fault) {
        let payload = [&fault.code.to_be_bytes(), fault.reason.as_bytes()].concat();
        self.control(Opcode::Close, &payload);
    }

    fn own(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.queue.back(), Some(Piece::Own(_))) {
            self.queue.push_back(Piece::Own(std::mem::take(&mut self.spare)));
        }
        let Some(Piece::Own(buf)) = self.queue.back_mut() else {
            unreachable!("a piece of our own was pushed above");
        };
        let before = buf.len();
        write(buf);
        let added = buf.len() - before;
        self.bytes += added;
        self.own += added;
    }

    /// Writes as much as the socket takes at once; the number of bytes. Must not be empty.
    pub(crate) fn poll_write(
        &mut self,
        socket: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (slot, piece) in pieces.iter_mut().zip(&self.queue) {
            let skip = if count == 0 { self.written } else { 0 };
            *slot = IoSlice::new(&piece.as_slice()[skip..]);
            count += 1;
        }
        // A lone piece goes by the plainer system call.
        let poll = match &pieces[..count] {
            [piece] => socket.poll_write(cx, piece),
            pieces => socket.poll_write_vectored(cx, pieces),
        };
        let written = match ready!(poll)? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => written,
        };
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, written: usize) {
        self.bytes -= written;
        self.written += written;
        self.carries &= self.bytes > 0;
        while let Some(piece) = self.queue.front() {
            let size = piece.as_slice().len();
            if self.written < size {
                break;
            }
            self.written -= size;
            if let Some(Piece::Own(mut buf)) = self.queue.pop_front() {
                self.own -= buf.len();
                if buf.capacity() <= SPARE_MAX {
                    buf.clear();
                    self.spare = buf;
                }
            }
        }
    }

    /// Gives memory back while nothing waits.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Takes a few bytes at a time.
    struct Narrow {
        taken: Vec<u8>,
        width: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let width = self.width.min(buf.len());
            self.taken.extend_from_slice(&buf[..width]);
            Poll::Ready(Ok(width))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn pieces_are_written_in_order_however_little_the_socket_takes() {
        for width in [1, 2, 3, 7, 100] {
            let mut outbox = Outbox::default();
            outbox.text(|out| out.extend_from_slice(b"a"));
            outbox.control(Opcode::Ping, b"");
            outbox.share(Bytes::from_static(b"shared"));
            outbox.share(Bytes::new());
            outbox.close(Fault::echo(1000));
            let mut socket = Narrow { taken: vec![], width };
            let mut cx = Context::from_waker(Waker::noop());
            while !outbox.is_empty() {
                assert!(matches!(
                    outbox.poll_write(Pin::new(&mut socket), &mut cx),
                    Poll::Ready(Ok(1..))
                ));
            }
            assert_eq!(
                socket.taken, b"\x81\x01a\x89\x00shared\x88\x02\x03\xe8",
                "{width} bytes at a time"
            );
            assert!(outbox.queue.is_empty() && outbox.written == 0 && outbox.own_bytes() == 0);
        }
    }

    #[test]
    fn pings_alone_are_nothing_that_a_peer_takes() {
        let mut outbox = Outbox::default();
        outbox.control(Opcode::Ping, b"");
        assert!(!outbox.carries());
        outbox.share(Bytes::from_static(b"frame"));
        assert!(outbox.carries());
    }

    #[test]
    fn it_is_full_by_bytes_and_empty_again_once_they_are_written() {
        let mut outbox = Outbox::default();
        outbox.share(vec![0; Outbox::FULL - 1].into());
        assert!(!outbox.is_full());
        outbox.control(Opcode::Pong, b"");
        assert!(outbox.is_full());
        let mut socket = Narrow {
            taken: vec![],
            width: usize::MAX,
        };
        let mut cx = Context::from_waker(Waker::noop());
        while !outbox.is_empty() {
            assert!(outbox.poll_write(Pin::new(&mut socket), &mut cx).is_ready());
        }
        assert!(!outbox.is_full());
    }
}
