//! The head of a request, if it is that of a plain emit.
use std::ops::Range;

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
    /// Whether no further request comes.
    pub(super) last: bool,
    text: Vec<u8>,
    /// Where in the text the length of the body stands.
    length: Range<usize>,
}

/// How many bytes a request has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    pub(super) head: usize,
    pub(super) body: usize,
}

impl Extent {
    /// Where the request ends.
    pub(super) fn end(self) -> usize {
        self.head + self.body
    }
}

impl Head {
    /// The head that `read` begins with; `None` if it is not all there, or of anything but a plain emit.
    pub(super) fn read(read: &[u8]) -> Option<Self> {
        let mut lines = [httparse::EMPTY_HEADER; COUNT_MAX];
        let mut request = httparse::Request::new(&mut lines);
        let Ok(httparse::Status::Complete(bytes)) = request.parse(read) else {
            return None;
        };
        let plain = request.method == Some("POST") && request.version == Some(1);
        let target = request.path.filter(|_| plain)?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        if path != PATH {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(8);
        let (mut length, mut last) = (None, false);
        for &mut httparse::Header { name, value } in request.headers {
            match Line::of(name)? {
                Line::Kept(name) => {
                    headers.append(name, HeaderValue::from_bytes(value).ok()?);
                }
                Line::Length if length.is_some() => return None,
                Line::Length => {
                    let from = value.as_ptr() as usize - read.as_ptr() as usize;
                    length = Some(from..from + value.len());
                }
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
            last,
            text: read[..bytes].to_owned(),
            length: length?,
        })
    }

    /// The extent of the request that `read` begins with, if its head says the same as this one, whatever the length it
    /// announces.
    pub(super) fn extent(&self, read: &[u8]) -> Option<Extent> {
        let (before, behind) = (&self.text[..self.length.start], &self.text[self.length.end..]);
        let rest = read.strip_prefix(before)?;
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at(count);
        rest.starts_with(behind).then_some(())?;
        Some(Extent {
            head: before.len() + count + behind.len(),
            body: std::str::from_utf8(digits).ok()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMIT: &str = "POST /api/v1/events HTTP/1.1";

    fn text(line: &str, more: &[&str]) -> Vec<u8> {
        let lines = [&[line, "Host: 127.0.0.1:7700"], more].concat();
        format!("{}\r\n\r\n{{}}", lines.join("\r\n")).into()
    }

    /// The head, if it is one for here and says how long the body is.
    fn head(line: &str, more: &[&str]) -> Option<Head> {
        let text = text(line, more);
        Head::read(&text).filter(|head| head.extent(&text).is_some())
    }

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
        assert!(!found.last);
        let names: Vec<_> = found.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "authorization", "content-type", "ce-id"]);
    }

    #[test]
    fn everything_else_is_left_to_others() {
        const LENGTH: &str = "Content-Length: 2";
        assert!(head(EMIT, &[LENGTH]).is_some());
        assert!(head(EMIT, &[LENGTH, "connection: close"]).is_some_and(|head| head.last));
        for line in [
            "GET /api/v1/events HTTP/1.1",
            "POST /api/v1/events HTTP/1.0",
            "POST /api/v1/events/ HTTP/1.1",
            "POST /api/v1/stop HTTP/1.1",
            "POST http://127.0.0.1:7700/api/v1/events HTTP/1.1",
        ] {
            assert!(head(line, &[LENGTH]).is_none(), "{line}");
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
            assert!(head(EMIT, &[LENGTH, more]).is_none(), "{more}");
        }
        for length in ["+2", "2, 2", "-1", "0x2", "2 2", ""] {
            let line = format!("Content-Length: {length}");
            assert!(head(EMIT, &[&line]).is_none(), "{line}");
        }
        assert!(head(EMIT, &["Accept: */*"]).is_none(), "without a length");
        let whole = text(EMIT, &[LENGTH]);
        assert!(Head::read(&whole[..whole.len() - 4]).is_none(), "not all there");
    }

    #[test]
    fn a_head_is_known_again_whatever_length_it_announces() {
        const TOKEN: &str = "Authorization: Bearer t";
        let known = head(EMIT, &["Content-Length: 2", TOKEN]).expect("a plain emit");
        for (length, body) in [("2", 2), ("17", 17), ("002", 2), ("1000000", 1_000_000)] {
            let text = text(EMIT, &[&format!("Content-Length: {length}"), TOKEN]);
            let head = text.len() - "{}".len();
            assert_eq!(known.extent(&text), Some(Extent { head, body }));
        }
        for other in [
            &["Content-Length: ", TOKEN][..],
            &["Content-Length: 2x", TOKEN],
            &["Content-Length: 99999999999999999999999", TOKEN],
            &["Content-Length: 2", "Authorization: Bearer tt"],
            &["Content-Length: 2", "Authorization: Bearer u"],
            &["Content-Length: 2", TOKEN, "Origin: null"],
            &["Content-Length: 2"],
        ] {
            assert_eq!(known.extent(&text(EMIT, other)), None, "{other:?}");
        }
        let whole = text(EMIT, &["Content-Length: 2", TOKEN]);
        assert_eq!(known.extent(&whole[..whole.len() - 4]), None, "not all there");
    }
}
