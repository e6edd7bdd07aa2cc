//! One connection: bytes go out as far as the socket takes them, what comes in is given to a protocol.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    sync::Arc,
};

use mio::{Interest, Registry, Token, net::TcpStream};

use crate::{Outcome, tally::Tally};

/// Reads one protocol as it comes in.
pub(crate) trait Wire: Send {
    /// Reads what has come, as far as it is whole, and says how many bytes that was; the rest is given again with
    /// what follows it. What the server must be told at once goes into `reply`.
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, reply: &mut Vec<u8>) -> Outcome<usize>;
}

/// Bytes that are still to come and say nothing that counts: they need not come whole.
#[derive(Default)]
pub(crate) struct Idle(usize);

impl Idle {
    /// So many.
    pub(crate) const fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// How many of `bytes` they are, and whether those were the last.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        let here = self.0.min(bytes.len());
        self.0 -= here;
        (here, self.0 == 0)
    }
}

/// What a connection has been told so far.
#[derive(Default, Debug)]
pub(crate) struct Heard {
    /// Answers to calls.
    pub(crate) answers: u64,
    /// Events that were delivered.
    pub(crate) tally: Tally,
    /// Whether the server has said that the past is over.
    pub(crate) live: bool,
}

/// A connection that never blocks.
pub(crate) struct Link {
    socket: TcpStream,
    wire: Box<dyn Wire>,
    rest: Vec<u8>,
    unsent: VecDeque<(Arc<[u8]>, usize)>,
    /// What has been told so far.
    pub(crate) heard: Heard,
}

impl Link {
    /// Takes over a connection; `rest` has come already and was not looked at.
    pub(crate) fn new(socket: std::net::TcpStream, wire: Box<dyn Wire>, rest: Vec<u8>) -> Outcome<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: TcpStream::from_std(socket),
            wire,
            rest,
            unsent: VecDeque::new(),
            heard: Heard::default(),
        })
    }

    /// The same, expecting every position there is.
    pub(crate) fn dense(mut self) -> Self {
        self.heard.tally = Tally::dense();
        self
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> Outcome {
        registry.register(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(())
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> Outcome {
        Ok(registry.deregister(&mut self.socket)?)
    }

    /// Sends now what the socket takes, and the rest when it takes more.
    pub(crate) fn send(&mut self, bytes: &Arc<[u8]>) -> Outcome {
        self.unsent.push_back((Arc::clone(bytes), 0));
        if self.unsent.len() == 1 {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Whether everything is with the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    pub(super) fn flush(&mut self) -> Outcome {
        while let Some((bytes, sent)) = self.unsent.front_mut() {
            match self.socket.write(&bytes[*sent..]) {
                Ok(count) => *sent += count,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause.into()),
            }
            if *sent == bytes.len() {
                self.unsent.pop_front();
            }
        }
        Ok(())
    }

    /// Reads what has come, through `scratch`.
    pub(super) fn receive(&mut self, scratch: &mut [u8]) -> Outcome {
        loop {
            let kept = self.rest.len();
            scratch[..kept].copy_from_slice(&self.rest);
            let space = scratch.len() - kept;
            let came = match self.socket.read(&mut scratch[kept..]) {
                Ok(0) if space == 0 => return Err("a message is larger than the buffer".into()),
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(came) => came,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause.into()),
            };
            self.hear(&scratch[..kept + came])?;
            // A socket that gave less than was asked for is empty; it would only say so once more.
            if came < space {
                return Ok(());
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> Outcome {
        let mut reply = Vec::new();
        let used = self.wire.read(bytes, &mut self.heard, &mut reply)?;
        self.rest.clear();
        self.rest.extend_from_slice(&bytes[used..]);
        if !reply.is_empty() {
            self.send(&reply.into())?;
        }
        Ok(())
    }
}

/// What a protocol makes of bytes that come in two parts, for each place where they can be cut: all of them are read, and
/// `check` sees what was heard and replied.
#[cfg(test)]
pub(crate) fn wherever_it_is_cut<W: Wire>(
    stream: &[u8],
    wire: impl Fn() -> W,
    check: impl Fn(&Heard, &[u8]),
) {
    for cut in 0..stream.len() {
        let (mut wire, mut heard, mut reply) = (wire(), Heard::default(), Vec::new());
        let mut at = 0;
        for end in [cut, stream.len()] {
            at += wire
                .read(&stream[at..end], &mut heard, &mut reply)
                .expect("it is understood");
        }
        assert_eq!(at, stream.len(), "cut at {cut}");
        check(&heard, &reply);
    }
}
