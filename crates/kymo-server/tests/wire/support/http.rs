//! A plain HTTP/1.1 client: one request per connection, everything visible.
use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

/// An answer, its body put together.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its own end.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of an error answer.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no code in {}", self.text()))
            .to_owned()
    }

    /// Codes of the refused records.
    #[track_caller]
    pub(crate) fn rejected(&self) -> Vec<String> {
        let json = self.json();
        let list = json["rejected"]
            .as_array()
            .unwrap_or_else(|| panic!("no list in {}", self.text()));
        list.iter()
            .map(|entry| entry["code"].as_str().expect("a code").to_owned())
            .collect()
    }
}

/// Sends a request, and reads the answer to its end.
pub(crate) async fn ask(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    soon(async {
        let mut stream = TcpStream::connect(addr).await.expect("the server listens");
        let head = head(addr, method, path, headers, Some(body.len()));
        stream.write_all(head.as_bytes()).await.expect("it is taken");
        // A refusal may come before the body was taken.
        let _ = stream.write_all(body).await;
        read_answer(&mut stream).await
    })
    .await
}

/// The head of a request that closes its connection.
pub(crate) fn head(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    length: Option<usize>,
) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {addr}\r\n"));
    }
    if let Some(length) = length {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// Reads an answer up to the end of the connection.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    read_answer_behind(b"", stream).await
}

/// The same, of which a beginning was read already.
pub(crate) async fn read_answer_behind(begun: &[u8], stream: &mut TcpStream) -> Answer {
    let mut bytes = begun.to_vec();
    let mut piece = vec![0; 64 << 10];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
    parse(&bytes)
}

/// Parses a whole answer.
pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let at = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a whole head");
    let head = std::str::from_utf8(&bytes[..at]).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .expect("a status line");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let rest = &bytes[at + 4..];
    let (body, whole) = if chunked {
        dechunk(rest)
    } else {
        (rest.to_vec(), true)
    };
    Answer {
        status,
        headers,
        body,
        whole,
    }
}

/// Puts chunks together; whether the last one came.
pub(crate) fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some((data, size)) = chunk(bytes) {
        if data.is_empty() {
            return (body, true);
        }
        body.extend_from_slice(data);
        bytes = &bytes[size..];
    }
    (body, false)
}

/// The first chunk, if it is whole, and its size with all that is around it. The last one is empty.
pub(crate) fn chunk(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.windows(2).position(|window| window == b"\r\n")?;
    let size = std::str::from_utf8(&bytes[..end]).expect("a size");
    let size = usize::from_str_radix(size, 16).expect("a size");
    let data = bytes.get(end + 2..end + 2 + size)?;
    let whole = end + 2 + size + 2;
    (bytes.len() >= whole).then_some((data, whole))
}

/// Percent-encodes a query value.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
