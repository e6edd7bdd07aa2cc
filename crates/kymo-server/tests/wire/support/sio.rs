//! A foreign client of Engine.IO and Socket.IO, on both transports, with everything visible.
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use kymo_server::{Anonymous, ServerSettings, SocketIoSettings};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

use super::{
    http::{self, Answer},
    server::{Choices, Running},
    soon,
};

/// A server whose Socket.IO door is open, as `change` says.
pub(crate) async fn server(change: impl FnOnce(&mut SocketIoSettings)) -> Running {
    Running::with(choices(change)).await
}

pub(crate) fn choices(change: impl FnOnce(&mut SocketIoSettings)) -> Choices {
    let mut server = ServerSettings::default();
    server.doors.socketio.enabled = true;
    change(&mut server.doors.socketio);
    Choices {
        server,
        ..Choices::default()
    }
}

/// A server that lets anybody read and emit.
pub(crate) async fn open_server() -> Running {
    server(|door| door.anonymous = Anonymous::ReadAndEmit).await
}

/// A client on a WebSocket.
pub(crate) struct Sio {
    pub(crate) stream: WebSocketStream<TcpStream>,
    /// What `open` said.
    pub(crate) opened: Value,
}

impl Sio {
    /// Opens a session and takes its first packet.
    pub(crate) async fn open(addr: SocketAddr, query: &str) -> Self {
        let mut client = Self::dial(addr, query).await.expect("an upgrade");
        let opened = client.packet().await;
        client.opened =
            serde_json::from_str(opened.strip_prefix('0').expect("an open packet")).expect("JSON");
        client
    }

    /// Opens a WebSocket and nothing else.
    pub(crate) async fn dial(addr: SocketAddr, query: &str) -> Result<Self, Box<Error>> {
        let address = format!("ws://{addr}/socket.io/?EIO=4&transport=websocket{query}");
        let request = address.into_client_request().expect("a request");
        let stream = TcpStream::connect(addr).await.expect("the server listens");
        let (stream, _) = soon(client_async(request, stream)).await.map_err(Box::new)?;
        Ok(Self {
            stream,
            opened: Value::Null,
        })
    }

    /// Opens a session and connects with this `auth`; the answer.
    pub(crate) async fn connect(addr: SocketAddr, auth: &Value) -> (Self, Value) {
        let mut client = Self::open(addr, "").await;
        let answer = client.join(auth).await;
        (client, answer)
    }

    /// Sends CONNECT; the answer.
    pub(crate) async fn join(&mut self, auth: &Value) -> Value {
        self.send(&format!("40{auth}")).await;
        serde_json::from_str(&self.answer("40").await).expect("JSON")
    }

    /// What follows in the next packet that is no event, which must begin so.
    pub(crate) async fn answer(&mut self, begins: &str) -> String {
        loop {
            let packet = self.packet().await;
            if !packet.starts_with("42") {
                let rest = packet.strip_prefix(begins);
                return rest
                    .unwrap_or_else(|| panic!("{begins} was due, {packet} came"))
                    .to_owned();
            }
        }
    }

    pub(crate) async fn send(&mut self, packet: &str) {
        soon(self.stream.send(Message::text(packet)))
            .await
            .expect("it is sent");
    }

    /// The next message of any kind; `None` when the connection is over.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        soon(self.stream.next()).await.and_then(Result::ok)
    }

    /// The next packet; pings are answered.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Message::Text(text)) if text == "2" => self.send("3").await,
                Some(Message::Text(text)) => return text.to_string(),
                other => panic!("expected a packet, not {other:?}"),
            }
        }
    }

    /// The next event: its name and arguments.
    pub(crate) async fn event(&mut self) -> (String, Vec<Value>) {
        let packet = self.packet().await;
        let list = packet
            .strip_prefix("42")
            .unwrap_or_else(|| panic!("no event: {packet}"));
        let mut list: Vec<Value> = serde_json::from_str(list).expect("JSON");
        let name = list.remove(0);
        (name.as_str().expect("a name").to_owned(), list)
    }

    /// The arguments of the next event of this name, passing over others.
    pub(crate) async fn named(&mut self, name: &str) -> Vec<Value> {
        loop {
            let (other, arguments) = self.event().await;
            if other == name {
                return arguments;
            }
        }
    }

    /// The data of the next so many events, passing over what is said in between.
    pub(crate) async fn data(&mut self, count: usize) -> Vec<Value> {
        let mut data = Vec::new();
        while data.len() < count {
            data.push(self.named("event").await[0]["data"].clone());
        }
        data
    }

    /// Sends an event and waits for its answer.
    pub(crate) async fn call(&mut self, name: &str, argument: &Value) -> Value {
        self.send(&format!("427{}", json!([name, argument]))).await;
        let mut list: Vec<Value> = serde_json::from_str(&self.answer("437").await).expect("JSON");
        list.remove(0)
    }

    /// How the server closes.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame,
                Some(_) => {}
                None => return None,
            }
        }
    }
}

/// A client that polls.
pub(crate) struct Poller {
    addr: SocketAddr,
    pub(crate) sid: String,
}

impl Poller {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        let answer = ask(addr, "GET", "", b"").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let opened: Value = serde_json::from_slice(&answer.body[1..]).expect("JSON");
        assert_eq!(opened["upgrades"], json!(["websocket"]));
        let sid = opened["sid"].as_str().expect("a sid").to_owned();
        Self { addr, sid }
    }

    /// Opens a session and connects with this `auth`.
    pub(crate) async fn connect(addr: SocketAddr, auth: &Value) -> Self {
        let poller = Self::open(addr).await;
        assert_eq!(poller.post(format!("40{auth}")).await.text(), "ok");
        poller
    }

    fn query(&self) -> String {
        format!("&sid={}", self.sid)
    }

    pub(crate) async fn get(&self) -> Answer {
        ask(self.addr, "GET", &self.query(), b"").await
    }

    pub(crate) async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        ask(self.addr, "POST", &self.query(), body.as_ref()).await
    }

    /// The packets of the next poll.
    pub(crate) async fn packets(&self) -> Vec<String> {
        let answer = self.get().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().split('\x1e').map(str::to_owned).collect()
    }
}

/// A request by polling.
pub(crate) async fn ask(addr: SocketAddr, method: &str, query: &str, body: &[u8]) -> Answer {
    let path = format!("/socket.io/?EIO=4&transport=polling{query}");
    http::ask(addr, method, &path, &[], body).await
}
