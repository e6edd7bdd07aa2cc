//! The head of a request, if it is that of a plain emit.
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::events::PATH;

/// Heads of more lines are for others.
const COUNT_MAX: usize = 32;

/// What a line of the head is to us.
#[derive(Clone)]
enum Line {
    /// Says how records are read, or whose they are.
    Kept(HeaderName),
    Length,
    Connection,
    /// Says nothing about either.
    Idle,
    /// Makes the request something else than a plain emit, whatever it says.
    Other,
}

/// The lines we know, those first that come most.
const LINES: &[(&str, Line)] = &[
    ("host", Line::Kept(header::HOST)),
    ("authorization", Line::Kept(header::AUTHORIZATION)),
    ("content-type", Line::Kept(header::CONTENT_TYPE)),
    ("content-length", Line::Length),
    ("user-agent", Line::Idle),
    ("accept", Line::Idle),
    ("accept-encoding", Line::Idle),
    ("connection", Line::Connection),
    ("content-encoding", Line::Other),
    ("expect", Line::Other),
    ("origin", Line::Other),
    ("te", Line::Other),
    ("trailer", Line::Other),
    ("transfer-encoding", Line::Other),
    ("upgrade", Line::Other),
];

impl Line {
    /// Lines we do not know are kept: they may be attributes of an event.
    fn of(name: &str) -> Option<Self> {
        let known = LINES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((_, line)) => Some(line.clone()),
            None => HeaderName::from_bytes(name.as_bytes()).ok().map(Self::Kept),
        }
    }
}

/// A whole head.
pub(super) struct Head {
    pub(super) query: Option<String>,
    /// What it says about the records and whose they are.
    pub(super) headers: HeaderMap,
    /// Its own length.
    pub(super) bytes: usize,
    /// The announced length of the body behind it.
    pub(super) body_bytes: usize,
    /// Whether no further request comes.
    pub(super) last: bool,
}

impl Head {
    /// Where the request ends.
    pub(super) fn end(&self) -> usize {
        self.bytes + self.body_bytes
    }

    /// The head that `read` begins with; `None` if it is not all there, or of anything but a plain emit.
    pub(super) fn read(read: &[u8]) -> Option<Self> {
        let mut lines = [httparse::EMPTY_HEADER; COUNT_MAX];
        let mut request = httparse::Request::new(&mut lines);
        let Ok(httparse::Status::Complete(bytes)) = request.parse(read) else {
            return None;
        };
        let target = request
            .path
            .filter(|_| request.method == Some("POST") && request.version == Some(1))?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        if path != PATH {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(8);
        let (mut body_bytes, mut last) = (None, false);
        for &mut httparse::Header { name, value } in request.headers {
            match Line::of(name)? {
                Line::Kept(name) => {
                    headers.append(name, HeaderValue::from_bytes(value).ok()?);
                }
                Line::Length => body_bytes = Some(length(value).filter(|_| body_bytes.is_none())?),
                Line::Connection => {
                    last |= value.eq_ignore_ascii_case(b"close");
                    (last || value.eq_ignore_ascii_case(b"keep-alive")).then_some(())?;
                }
                Line::Idle => {}
                Line::Other => return None,
            }
        }
        Some(Self {
            query,
            headers,
            bytes,
            body_bytes: body_bytes?,
            last,
        })
    }
}

fn length(value: &[u8]) -> Option<usize> {
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(line: &str, more: &[&str]) -> Option<Head> {
        let lines = [&[line, "Host: 127.0.0.1:7700"], more].concat();
        Head::read(format!("{}\r\n\r\n{{}}", lines.join("\r\n")).as_bytes())
    }

    const EMIT: &str = "POST /api/v1/events HTTP/1.1";

    #[test]
    fn a_plain_emit_is_read_with_all_that_matters() {
        let lines = [
            "User-Agent: x",
            "authorization: Bearer t",
            "CONTENT-TYPE: application/json",
            "ce-id: 7",
            "Connection: Keep-Alive",
            "Content-Length: 2",
        ];
        let found = head("POST /api/v1/events?dialect=kymo HTTP/1.1", &lines).expect("a plain emit");
        assert_eq!(found.query.as_deref(), Some("dialect=kymo"));
        assert_eq!((found.body_bytes, found.last), (2, false));
        let names: Vec<_> = found.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "authorization", "content-type", "ce-id"]);
    }

    #[test]
    fn everything_else_is_left_to_others() {
        let length = "Content-Length: 2";
        assert!(head(EMIT, &[length]).is_some());
        assert!(head(EMIT, &[length, "connection: close"]).is_some_and(|head| head.last));
        for line in [
            "GET /api/v1/events HTTP/1.1",
            "POST /api/v1/events HTTP/1.0",
            "POST /api/v1/events/ HTTP/1.1",
            "POST /api/v1/stop HTTP/1.1",
            "POST http://127.0.0.1:7700/api/v1/events HTTP/1.1",
        ] {
            assert!(head(line, &[length]).is_none(), "{line}");
        }
        for more in [
            "Transfer-Encoding: chunked",
            "Content-Encoding: gzip",
            "Expect: 100-continue",
            "Connection: close, te",
            "Connection: upgrade",
            "Upgrade: websocket",
            "Origin: http://127.0.0.1:7700",
            "Content-Length: 2",
            "Trailer: x",
            "a line without a colon",
        ] {
            assert!(head(EMIT, &[length, more]).is_none(), "{more}");
        }
        for length in [
            "",
            "Content-Length: +2",
            "Content-Length: 2, 2",
            "Content-Length: -1",
            "Content-Length:",
        ] {
            assert!(
                head(
                    EMIT,
                    &["Accept: */*", length][..1 + usize::from(!length.is_empty())]
                )
                .is_none(),
                "{length}"
            );
        }
        assert!(Head::read(b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n").is_none());
    }
}
