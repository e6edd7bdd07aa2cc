//! A reader of server-sent events, by the words of the WHATWG standard.
use std::collections::VecDeque;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    http::{self, Answer},
    server::Running,
    soon,
};

/// One dispatched event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) data: String,
    /// The last id when it was dispatched.
    pub(crate) id: String,
}

impl Message {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("data is JSON")
    }
}

/// An open stream.
pub(crate) struct Sse {
    stream: TcpStream,
    pub(crate) head: Answer,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// The browser's last event id.
    pub(crate) last_id: String,
    pub(crate) retry_ms: Option<u64>,
    ready: VecDeque<Message>,
    ended: bool,
}

impl Sse {
    /// Opens a stream that must begin well.
    pub(crate) async fn open(server: &Running, query: &str, headers: &[(&str, &str)]) -> Self {
        Self::open_with(server, query, &format!("Bearer {}", server.token), headers).await
    }

    /// Opens a stream with this Authorization.
    pub(crate) async fn open_as(server: &Running, query: &str, bearer: &str) -> Self {
        Self::open_with(server, query, bearer, &[]).await
    }

    async fn open_with(server: &Running, query: &str, bearer: &str, headers: &[(&str, &str)]) -> Self {
        let headers = [
            &[("authorization", bearer), ("accept", "text/event-stream")],
            headers,
        ]
        .concat();
        let mut stream = TcpStream::connect(server.addr).await.expect("the server listens");
        let path = format!("/api/v1/stream?{query}");
        let head = http::head(server.addr, "GET", &path, &headers, None);
        stream.write_all(head.as_bytes()).await.expect("it is taken");
        let mut raw = Vec::new();
        let at = soon(async {
            loop {
                if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
                    return at + 4;
                }
                assert!(
                    stream.read_buf(&mut raw).await.expect("an answer") > 0,
                    "no answer"
                );
            }
        })
        .await;
        let rest = raw.split_off(at);
        let head = http::parse(&raw);
        assert_eq!(head.status, 200, "{head:?}");
        let mut open = Self {
            stream,
            head,
            raw: rest,
            text: Vec::new(),
            last_id: String::new(),
            retry_ms: None,
            ready: VecDeque::new(),
            ended: false,
        };
        // What came with the head is not announced again.
        open.dispatch();
        open
    }

    /// The next dispatched event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        soon(async {
            loop {
                if let Some(message) = self.ready.pop_front() {
                    return Some(message);
                }
                if self.ended {
                    return None;
                }
                self.ended = self.stream.read_buf(&mut self.raw).await.unwrap_or(0) == 0;
                self.dispatch();
            }
        })
        .await
    }

    /// The next plain message as JSON, passing over others.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let message = self.next().await.expect("a message");
            if message.event == "message" {
                return message.json();
            }
        }
    }

    /// The next event of this name.
    pub(crate) async fn named(&mut self, name: &str) -> Message {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("no {name} came"));
            if message.event == name {
                return message;
            }
        }
    }

    fn dispatch(&mut self) {
        while let Some((chunk, size)) = http::chunk(&self.raw) {
            self.text.extend_from_slice(chunk);
            self.raw.drain(..size);
        }
        let Some(end) = self.text.windows(2).rposition(|window| window == b"\n\n") else {
            return;
        };
        let rest = self.text.split_off(end + 2);
        let blocks = std::mem::replace(&mut self.text, rest);
        let blocks = String::from_utf8(blocks).expect("a message is text");
        for block in blocks.trim_end_matches('\n').split("\n\n") {
            self.block(block);
        }
    }

    fn block(&mut self, block: &str) {
        let (mut event, mut data) = (String::new(), Vec::new());
        for line in block.lines() {
            match line
                .split_once(':')
                .map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value)))
            {
                Some(("event", value)) => event = value.to_owned(),
                Some(("data", value)) => data.push(value.to_owned()),
                Some(("id", value)) => self.last_id = value.to_owned(),
                Some(("retry", value)) => self.retry_ms = value.parse().ok(),
                Some(("", _)) => {}
                _ => panic!("{line:?} is no line of an event"),
            }
        }
        // Without data nothing is dispatched, but the id has moved.
        if !data.is_empty() {
            let event = if event.is_empty() {
                "message".to_owned()
            } else {
                event
            };
            let (data, id) = (data.join("\n"), self.last_id.clone());
            self.ready.push_back(Message { event, data, id });
        }
    }
}
