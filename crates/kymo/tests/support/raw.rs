//! A client that says exactly the bytes it is told to say, right or wrong, and reads what comes back.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddrV4, TcpStream},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{DEADLINE, Server};

/// One connection.
pub struct Raw {
    reader: BufReader<TcpStream>,
}

/// An answer as it stands on the wire.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The stable code of a refusal; empty where the status alone speaks.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The codes of refused records.
    pub fn rejected(&self) -> Vec<String> {
        let answer = self.json();
        let rejected = answer["rejected"].as_array().cloned().unwrap_or_default();
        let code = |one: &Value| one["code"].as_str().unwrap_or_default().to_owned();
        rejected.iter().map(code).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Raw {
    pub fn to(server: &Server) -> Self {
        Self::open(&server.address(), None).expect("the server listens")
    }

    /// A connection; the system takes about `narrow` bytes for a reader that does not read.
    pub fn open(address: &str, narrow: Option<usize>) -> Option<Self> {
        let stream = connect(address, narrow)?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.set_write_timeout(Some(DEADLINE)).ok()?;
        Some(Self {
            reader: BufReader::with_capacity(4 << 10, stream),
        })
    }

    /// How long reading waits.
    pub fn timeout(&self, timeout: Duration) {
        let _ = self.socket().set_read_timeout(Some(timeout));
    }

    pub fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    pub fn send(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket().write_all(bytes.as_ref())
    }

    /// Says that nothing more comes, and goes on reading.
    pub fn half_close(&self) {
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Ends it as a program that crashed does: the other side is told of a reset.
    pub fn reset(self) {
        let _ = rustix::net::sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO));
    }

    /// The next answer; `None` if the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        let head = self.head()?;
        let status = status_of(&head)?;
        let mut body = Vec::new();
        if header(&head, "transfer-encoding").is_some() {
            Chunks::new(&mut self.reader).read_to_end(&mut body).ok()?;
        } else {
            let length = header(&head, "content-length").and_then(|text| text.parse().ok());
            (&mut self.reader)
                .take(length.unwrap_or(0))
                .read_to_end(&mut body)
                .ok()?;
        }
        Some(Answer { status, head, body })
    }

    /// The status and the body of an answer that goes on.
    pub fn stream(mut self) -> Option<(u16, impl Read)> {
        let head = self.head()?;
        Some((status_of(&head)?, Chunks::new(self.reader)))
    }

    /// Asks for the upgrade to WebSocket.
    pub fn upgrade(&mut self, token: &str) -> Option<()> {
        self.send(upgrade(token)).ok()?;
        (status_of(&self.head()?)? == 101).then_some(())
    }

    /// The next WebSocket frame: first byte and payload.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        self.reader.read_exact(&mut start).ok()?;
        let length = match start[1] {
            126 => u64::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.reader.read_exact(&mut payload).ok()?;
        Some((start[0], payload))
    }

    /// The next WebSocket message with this `op`; `None` if the connection ends before.
    pub fn op(&mut self, op: &str) -> Option<Value> {
        self.op_of(&[op])
    }

    /// The same with any of these. Pings do not keep it waiting for ever.
    pub fn op_of(&mut self, ops: &[&str]) -> Option<Value> {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let (_, payload) = self.frame()?;
            let message: Value = serde_json::from_slice(&payload).unwrap_or_default();
            if ops.iter().any(|op| message["op"] == *op) {
                return Some(message);
            }
        }
        None
    }

    /// The code of the close frame to come; `None` if the connection ends without.
    pub fn close_code(&mut self) -> Option<u16> {
        loop {
            let (first, payload) = self.frame()?;
            if first & 0x0f == 8 {
                return Some(u16::from_be_bytes(payload.first_chunk().copied()?));
            }
        }
    }

    /// Reads to the end of the connection, whatever comes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        rest
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let before = head.len();
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
            if head[before..].trim_end().is_empty() {
                return Some(head);
            }
        }
    }
}

/// A connection to host and port. The system takes about `narrow` bytes for a reader that does not read: to be said
/// before connecting, or the sender waits for the room it saw at first.
pub fn connect(address: &str, narrow: Option<usize>) -> Option<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
    let Some(bytes) = narrow else {
        return TcpStream::connect(address).ok();
    };
    let address: SocketAddrV4 = address.parse().ok()?;
    let narrow = socket(AddressFamily::INET, SocketType::STREAM, None).ok()?;
    sockopt::set_socket_recv_buffer_size(&narrow, bytes).ok()?;
    connect(&narrow, &address).ok()?;
    Some(narrow.into())
}

/// A request for the upgrade to WebSocket.
pub fn upgrade(token: &str) -> String {
    format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The head of a POST of events with these further headers.
pub fn post_head(token: &str, headers: &str) -> String {
    format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/x-ndjson\r\n{headers}\r\n"
    )
}

/// A POST of events.
pub fn post(token: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    [post_head(token, &headers).as_bytes(), body].concat()
}

/// A WebSocket frame of a client; `first` is its first byte, flags and opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        size @ 0..126 => out.push(0x80 | u8::try_from(size).expect("short")),
        size @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&u16::try_from(size).expect("medium").to_be_bytes());
        }
        size => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    // A mask of zeros is one, too, and leaves the payload as it is.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

/// A text message of a client.
pub fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x81, payload.as_ref())
}

fn status_of(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// A chunked body as the bytes it carries.
struct Chunks<R> {
    reader: R,
    left: u64,
    over: bool,
}

impl<R: BufRead> Chunks<R> {
    fn new(reader: R) -> Self {
        Self {
            reader,
            left: 0,
            over: false,
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut line = String::new();
        // The line feed behind a chunk is an empty line here.
        while line.trim().is_empty() {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.left = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        self.over = self.left == 0;
        if self.over {
            self.reader.read_line(&mut line)?;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.over {
            self.begin()?;
        }
        let wanted = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.reader.read(&mut buf[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}
