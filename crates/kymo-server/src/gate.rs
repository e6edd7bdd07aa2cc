//! Whom a request claims to talk to, and from where: Host and Origin are checked on every request and upgrade.
//!
//! A page of another site must not reach a server on loopback, neither by a plain request (its Origin differs) nor by
//! pointing its own name at 127.0.0.1 (its Host differs).
use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};

use crate::{error::ApiError, settings::ServerSettings};

/// Decides by names alone.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Addresses it listens on.
    listen: Vec<IpAddr>,
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Where origins are named.
    section: String,
}

/// A request that may enter, and the other site it comes from, if that is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The allowed foreign origin, to be named in `Access-Control-Allow-Origin`.
    pub(crate) foreign_origin: Option<HeaderValue>,
}

impl Gate {
    pub(crate) fn new(settings: &ServerSettings) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self {
            listen: vec![settings.listen.ip()],
            hosts: lower(&settings.hosts),
            origins: lower(&settings.origins),
            section: "server".to_owned(),
        }
    }

    /// The gate of a door, on the server's port and its own: it lets in who may use the server, and those named for it.
    pub(crate) fn of_door(
        name: &str,
        settings: &ServerSettings,
        listen: Option<SocketAddr>,
        origins: &[String],
    ) -> Self {
        let mut gate = Self::new(settings);
        gate.listen.extend(listen.map(|addr| addr.ip()));
        gate.origins
            .extend(origins.iter().map(|name| name.to_ascii_lowercase()));
        gate.section = format!("doors.{name}");
        gate
    }

    /// Checks the names a request carries: `asked` is the one in its target, if that has one.
    pub(crate) fn check(&self, asked: Option<&Authority>, headers: &HeaderMap) -> Result<Entry, ApiError> {
        let host = self.check_host(asked, headers)?;
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(Entry { foreign_origin: None });
        };
        if origins.next().is_some() {
            return Err(self.bad_origin("two origins"));
        }
        let text = origin
            .to_str()
            .map_err(|_| self.bad_origin("an unreadable origin"))?;
        if is_own_origin(text, &host) {
            return Ok(Entry { foreign_origin: None });
        }
        if self.origins.iter().any(|known| known.eq_ignore_ascii_case(text)) {
            return Ok(Entry {
                foreign_origin: Some(origin.clone()),
            });
        }
        Err(self.bad_origin(text))
    }

    fn bad_origin(&self, origin: &str) -> ApiError {
        let section = &self.section;
        ApiError::new(
            "bad_origin",
            format!(
                "requests from {origin} are not allowed; add it to `origins` in [{section}] if it should be"
            ),
        )
    }

    fn check_host(&self, asked: Option<&Authority>, headers: &HeaderMap) -> Result<Authority, ApiError> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok().and_then(|text| text.parse::<Authority>().ok()),
            _ => None,
        };
        let host = host.ok_or_else(|| bad_host("no single valid Host"))?;
        for authority in [Some(&host), asked].into_iter().flatten() {
            if !self.is_ours(authority) {
                return Err(bad_host(authority.as_str()));
            }
        }
        Ok(host)
    }

    // An address cannot be pointed elsewhere by its owner's DNS, a name can: names must be known.
    fn is_ours(&self, authority: &Authority) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let name = authority.host();
        match name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            Ok(address) => {
                let ours = |listen: &IpAddr| address == *listen || listen.is_unspecified();
                address.is_loopback() || self.listen.iter().any(ours)
            }
            Err(_) => {
                name.eq_ignore_ascii_case("localhost")
                    || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
                    || self
                        .hosts
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(authority.as_str()))
            }
        }
    }
}

fn is_own_origin(origin: &str, host: &Authority) -> bool {
    let rest = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host.as_str()))
}

fn bad_host(host: &str) -> ApiError {
    ApiError::new(
        "bad_host",
        format!("this server does not answer to {host}; add the name to `hosts` in [server] if it should"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(&ServerSettings {
            origins: vec!["https://board.example".into()],
            hosts: vec!["kymo.lan".into()],
            ..ServerSettings::default()
        })
    }

    fn check(host: Option<&str>, origin: Option<&str>) -> Result<Entry, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().expect("a header value"));
            }
        }
        gate().check(None, &headers).map_err(|error| error.code)
    }

    #[test]
    fn loopback_names_the_listening_address_and_named_hosts_are_answered() {
        for host in [
            "127.0.0.1:7700",
            "localhost",
            "LOCALHOST:1",
            "[::1]:7700",
            "127.9.9.9",
            "kymo.lan:80",
        ] {
            assert!(check(Some(host), None).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_name_that_was_rebound_to_loopback_is_refused() {
        let hosts = [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "x@127.0.0.1",
            "127.0.0.1.evil.example",
        ];
        for host in hosts {
            assert_eq!(check(Some(host), None), Err("bad_host"), "{host}");
        }
        assert_eq!(check(None, None), Err("bad_host"));
    }

    #[test]
    fn an_absolute_target_must_be_ours_too() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:7700"));
        let asked = Authority::from_static("evil.example");
        assert_eq!(
            gate().check(Some(&asked), &headers).map_err(|error| error.code),
            Err("bad_host")
        );
    }

    #[test]
    fn a_door_lets_in_whom_it_names_besides_those_of_the_server() {
        let listen = "192.0.2.7:5001".parse().ok();
        let settings = ServerSettings {
            origins: vec!["https://board.example".into()],
            ..ServerSettings::default()
        };
        let gate = Gate::of_door("socketio", &settings, listen, &["https://Kai.example".into()]);
        let check = |host: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a value"));
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
            gate.check(None, &headers).map_err(|error| error.message)
        };
        assert!(check("192.0.2.7:5001", "https://kai.example").is_ok());
        assert!(check("127.0.0.1:7700", "https://board.example").is_ok());
        let refused = check("127.0.0.1:7700", "https://evil.example").expect_err("not named");
        assert!(refused.contains("[doors.socketio]"), "{refused}");
        assert!(check("192.0.2.8:5001", "https://kai.example").is_err());
    }

    #[test]
    fn pages_of_other_origins_are_refused_unless_named() {
        assert!(check(Some("127.0.0.1:7700"), Some("http://127.0.0.1:7700")).is_ok());
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:7701",
            "http://localhost:7700",
            "127.0.0.1:7700",
        ] {
            assert_eq!(
                check(Some("127.0.0.1:7700"), Some(origin)),
                Err("bad_origin"),
                "{origin}"
            );
        }
        let entry = check(Some("127.0.0.1:7700"), Some("https://board.example")).expect("a named origin");
        assert_eq!(
            entry.foreign_origin,
            Some(HeaderValue::from_static("https://board.example"))
        );
    }
}
