//! Thin clients: HTTP/1.1 kept alive, and WebSocket, over one socket each. They parse no JSON.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{Outcome, server::Server};

/// A kept-alive HTTP connection.
pub(crate) struct Http {
    socket: BufReader<TcpStream>,
    host: String,
    token: String,
}

impl Http {
    pub(crate) async fn connect(server: &Server) -> Outcome<Self> {
        let socket = TcpStream::connect(&server.address).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket: BufReader::new(socket),
            host: server.address.clone(),
            token: server.token.clone(),
        })
    }

    /// Posts a body and gives back the answer's body; anything but 200 is an error.
    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> Outcome<Vec<u8>> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            self.host,
            self.token,
            body.len()
        );
        let mut request = head.into_bytes();
        if body.len() < 4096 {
            request.extend_from_slice(body);
            self.socket.write_all(&request).await?;
        } else {
            self.socket.write_all(&request).await?;
            self.socket.write_all(body).await?;
        }
        self.answer().await
    }

    async fn answer(&mut self) -> Outcome<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.socket.read_u8().await?);
        }
        let head = String::from_utf8(head)?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await?;
        if !head.starts_with("http/1.1 200") {
            return Err(format!(
                "{}: {}",
                head.lines().next().unwrap_or_default(),
                String::from_utf8_lossy(&body)
            )
            .into());
        }
        Ok(body)
    }
}

/// A WebSocket connection.
pub(crate) struct WebSocket {
    socket: TcpStream,
    buffer: Vec<u8>,
    start: usize,
}

impl WebSocket {
    pub(crate) async fn connect(server: &Server) -> Outcome<Self> {
        let mut socket = TcpStream::connect(&server.address).await?;
        socket.set_nodelay(true)?;
        let request = format!(
            "GET /api/v1/ws HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.address, server.token
        );
        socket.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&head).into_owned().into());
        }
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(256 << 10),
            start: 0,
        })
    }

    /// Sends a text message (masked with zeros, which leaves it as it is).
    pub(crate) async fn send(&mut self, text: &str) -> Outcome {
        let mut frame = vec![0x81];
        match text.len() {
            short @ 0..=125 => frame.push(0x80 | u8::try_from(short)?),
            medium @ 126..=65_535 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(medium)?.to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&u64::try_from(long)?.to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.socket.write_all(&frame).await?;
        Ok(())
    }

    /// Waits for a text message and looks at its bytes; answers pings on the way.
    pub(crate) async fn receive<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> Outcome<T> {
        loop {
            let (opcode, from, to) = self.frame().await?;
            self.start = to;
            match opcode {
                1 => return Ok(look(&self.buffer[from..to])),
                8 => return Err("the server closed the connection".into()),
                9 => self.socket.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?,
                _ => {}
            }
        }
    }

    /// Waits for the first message that begins so; the others are passed over.
    pub(crate) async fn receive_op(&mut self, begins: &str) -> Outcome<Vec<u8>> {
        loop {
            let message = self.receive(<[u8]>::to_vec).await?;
            if message.starts_with(br#"{"op":"error""#) {
                return Err(String::from_utf8_lossy(&message).into_owned().into());
            }
            if message.starts_with(begins.as_bytes()) {
                return Ok(message);
            }
        }
    }

    async fn frame(&mut self) -> Outcome<(u8, usize, usize)> {
        loop {
            if let Some(found) = parse_frame(&self.buffer[self.start..]) {
                return Ok((found.0, self.start + found.1, self.start + found.2));
            }
            if self.start > 0 {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection ended".into());
            }
        }
    }
}

/// Opcode, start and end of the payload of the frame that begins here, once it is whole.
fn parse_frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (from, length) = match second & 0x7f {
        126 => (
            4,
            u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let to = from + usize::try_from(length).ok()?;
    (bytes.len() >= to).then_some((first & 0x0f, from, to))
}
