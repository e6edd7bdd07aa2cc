//! Which address a server listens on: the one that was asked for, and nothing else; unasked, the one this data folder had
//! last, so that an open page finds its server again, then the default, then any free port.
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use kymo_server::{Parts, Server, ServerSettings, StartError};

use crate::failure::{Failure, Kind};

/// Binds. Beside the server: the default port, if another program has it.
pub(crate) async fn bind(
    settings: &ServerSettings,
    is_fixed: bool,
    data: &Path,
    parts: impl Fn() -> Parts,
) -> Result<(Server, Option<u16>), Failure> {
    if is_fixed {
        let server = Server::bind(settings.clone(), parts()).await;
        return Ok((server.map_err(not_started)?, None));
    }
    let default = settings.listen;
    let mut busy_port = None;
    for listen in candidates(default, last_port(data)) {
        let settings = ServerSettings {
            listen,
            ..settings.clone()
        };
        match Server::bind(settings, parts()).await {
            Ok(server) => {
                remember(data, server.addr().port());
                return Ok((server, busy_port));
            }
            Err(StartError::Listen { addr, cause })
                if cause.kind() == io::ErrorKind::AddrInUse && addr == listen && listen.port() != 0 =>
            {
                if addr == default {
                    busy_port = Some(addr.port());
                }
            }
            Err(error) => return Err(not_started(error)),
        }
    }
    unreachable!("the last candidate is bound or an error")
}

fn candidates(default: SocketAddr, last: Option<u16>) -> impl Iterator<Item = SocketAddr> {
    let ip: IpAddr = default.ip();
    let last = last.filter(|port| *port != default.port());
    let last = last.map(move |port| SocketAddr::new(ip, port));
    last.into_iter().chain([default, SocketAddr::new(ip, 0)])
}

fn path(data: &Path) -> PathBuf {
    data.join("port")
}

fn last_port(data: &Path) -> Option<u16> {
    let port = fs::read_to_string(path(data)).ok()?.trim().parse().ok()?;
    (port != 0).then_some(port)
}

/// Only a convenience: where it cannot be written, the next start looks for a port again.
fn remember(data: &Path, port: u16) {
    if last_port(data) == Some(port) {
        return;
    }
    if let Err(cause) = fs::write(path(data), format!("{port}\n")) {
        tracing::info!(%cause, "the port could not be remembered");
    }
}

fn not_started(error: StartError) -> Failure {
    match &error {
        StartError::Listen { addr, cause } => {
            let failure = Failure::failed(format!("cannot listen on {addr}: {cause}"));
            match cause.kind() {
                io::ErrorKind::AddrInUse => {
                    failure.hint("another program uses this port; --listen 127.0.0.1:0 picks a free one")
                }
                _ => failure.hint("name another address with --listen"),
            }
        }
        StartError::NotLoopback { .. } => Failure::new(Kind::Settings, error.to_string()),
        StartError::Secret { path, cause } => Failure::disk("read or written", path, cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(last: Option<u16>) -> Vec<u16> {
        let default = "127.0.0.1:7700".parse().expect("an address");
        candidates(default, last).map(|addr| addr.port()).collect()
    }

    #[test]
    fn the_port_of_last_time_goes_before_the_default_and_any_port_comes_last() {
        assert_eq!(ports(None), [7700, 0]);
        assert_eq!(ports(Some(7700)), [7700, 0]);
        assert_eq!(ports(Some(40123)), [40123, 7700, 0]);
    }

    #[test]
    fn a_port_file_that_makes_no_sense_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["", "0", "99999", "seven"] {
            fs::write(path(folder.path()), text).expect("written");
            assert_eq!(last_port(folder.path()), None, "{text}");
        }
        remember(folder.path(), 40123);
        assert_eq!(last_port(folder.path()), Some(40123));
    }
}
