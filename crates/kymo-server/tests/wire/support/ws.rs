//! A foreign WebSocket client, with our ops on top of it.
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::Frame},
    },
};

use super::{server::Running, soon};

/// A connected client.
pub(crate) struct Ws {
    pub(crate) stream: WebSocketStream<TcpStream>,
}

impl Ws {
    /// Connects as the owner and takes the hello.
    pub(crate) async fn connect(server: &Running) -> Self {
        Self::connect_as(server, &server.token).await
    }

    /// Connects with a token and takes the hello.
    pub(crate) async fn connect_as(server: &Running, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        let mut client = Self::open(server, &[("authorization", &bearer)])
            .await
            .expect("an upgrade");
        assert_eq!(client.json().await["op"], "hello");
        client
    }

    /// Connects with these headers.
    pub(crate) async fn open(server: &Running, headers: &[(&str, &str)]) -> Result<Self, Box<Error>> {
        Self::at(server.addr, "/api/v1/ws", headers).await
    }

    /// Connects to any path of any port.
    pub(crate) async fn at(
        addr: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Box<Error>> {
        let mut request = format!("ws://{addr}{path}")
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            let name = name.parse::<axum::http::HeaderName>().expect("a name");
            request
                .headers_mut()
                .insert(name, value.parse().expect("a value"));
        }
        let stream = TcpStream::connect(addr).await.expect("the server listens");
        let (stream, _) = soon(client_async(request, stream)).await.map_err(Box::new)?;
        Ok(Self { stream })
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        soon(self.stream.send(Message::text(text)))
            .await
            .expect("it is sent");
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) {
        soon(self.stream.send(Message::Frame(frame)))
            .await
            .expect("it is sent");
    }

    /// The next message of any kind; `None` when the connection is over.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        soon(self.stream.next()).await.and_then(Result::ok)
    }

    /// The next text message as it stands.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Message::Text(text)) => return text.to_string(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("expected a text message, not {other:?}"),
            }
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("a message is JSON")
    }

    /// The next message with this op, passing over others.
    pub(crate) async fn op(&mut self, op: &str) -> Value {
        loop {
            let message = self.json().await;
            if message["op"] == op {
                return message;
            }
            assert_ne!(message["op"], "error", "waiting for {op}: {message}");
        }
    }

    /// The next refusal, passing over others.
    pub(crate) async fn refusal(&mut self) -> Value {
        loop {
            let message = self.json().await;
            if message["op"] == "error" {
                return message;
            }
        }
    }

    /// How the server closes.
    pub(crate) async fn closed(&mut self) -> CloseFrame {
        loop {
            match self.message().await {
                Some(Message::Close(Some(frame))) => return frame,
                Some(_) => {}
                None => panic!("the connection ended without a close frame"),
            }
        }
    }

    /// Subscribes; the answer.
    pub(crate) async fn subscribe(&mut self, sub: &str, filter: &str, from: Value) -> Value {
        self.send(&json!({ "op": "subscribe", "sub": sub, "filter": filter, "from": from }))
            .await;
        self.op("subscribed").await
    }

    /// Emits and waits for the ack.
    pub(crate) async fn emit(&mut self, events: &Value) -> Value {
        self.send(&json!({ "op": "emit", "ref": "r", "events": events }))
            .await;
        self.op("ack").await
    }

    /// The next `count` events, whatever frames they come in.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let frame = self.op("events").await;
            events.extend(frame["events"].as_array().expect("a list").iter().cloned());
        }
        events
    }
}
