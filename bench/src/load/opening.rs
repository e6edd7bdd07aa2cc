//! The first words of a connection, said and heard one after the other, before it becomes a link.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::link::{Link, Wire};
use crate::Outcome;

/// Longest wait for a word.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that blocks.
pub(crate) struct Opening {
    socket: TcpStream,
    come: Vec<u8>,
}

impl Opening {
    /// Connects to `127.0.0.1:port`.
    pub(crate) fn connect(address: &str) -> Outcome<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            come: Vec::new(),
        })
    }

    /// Sends it all.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.socket.write_all(bytes)?)
    }

    /// Reads until `whole` says how many bytes the answer has; gives it back.
    pub(crate) fn expect(&mut self, whole: impl Fn(&[u8]) -> Outcome<Option<usize>>) -> Outcome<Vec<u8>> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(length) = whole(&self.come)? {
                let rest = self.come.split_off(length);
                return Ok(std::mem::replace(&mut self.come, rest));
            }
            let came = self.socket.read(&mut chunk)?;
            if came == 0 {
                return Err("the server closed the connection".into());
            }
            self.come.extend_from_slice(&chunk[..came]);
        }
    }

    /// From here on `wire` reads.
    pub(crate) fn link(self, wire: impl Wire + 'static) -> Outcome<Link> {
        Link::new(self.socket, Box::new(wire), self.come)
    }
}
