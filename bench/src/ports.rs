//! A free port on loopback, for programs that cannot pick one themselves.

use std::net::TcpListener;

use crate::Outcome;

/// A port that nobody listens on now.
pub(crate) fn free() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
