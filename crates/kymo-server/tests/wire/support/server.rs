//! A server with its ledger in a folder that goes away with the test.
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kymo_event::Seq;
use kymo_hub::{Hub, HubSettings};
use kymo_ledger::{Ground, Ledger, LedgerSettings, testing::FaultyDisk};
use kymo_server::{Parts, Server, ServerSettings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    http::{self, Answer},
    soon,
};

/// What a test may choose.
#[derive(Clone, Default)]
pub(crate) struct Choices {
    pub(crate) hub: HubSettings,
    pub(crate) ledger: LedgerSettings,
    pub(crate) server: ServerSettings,
    /// Instead of the machine's own.
    pub(crate) disk: Option<FaultyDisk>,
}

/// A running server.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    /// The Socket.IO door's own port.
    pub(crate) socketio_addr: Option<SocketAddr>,
    pub(crate) conductor_addr: Option<SocketAddr>,
    pub(crate) token: String,
    pub(crate) login_url: String,
    pub(crate) stop_asked: CancellationToken,
    folder: TempDir,
    pub(crate) hub: Hub,
    shutdown: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(Choices::default()).await
    }

    pub(crate) async fn with(choices: Choices) -> Self {
        Self::on(tempfile::tempdir().expect("a folder"), choices).await
    }

    /// On a folder that may have been used before.
    pub(crate) async fn on(folder: TempDir, mut choices: Choices) -> Self {
        choices.server.listen.set_port(0);
        let mut ground = Ground::default();
        if let Some(disk) = choices.disk {
            ground.disk = Arc::new(disk);
        }
        let ledger = Ledger::open_on(ground, folder.path(), choices.ledger, Box::new(|_| {}));
        let ledger = ledger.expect("the ledger opens");
        let hub = Hub::start(choices.hub, ledger);
        let stop_asked = CancellationToken::new();
        let parts = Parts {
            hub: hub.clone(),
            data: folder.path().to_owned(),
            stop: stop_asked.clone(),
            status: Arc::new(|| json!({ "watch": [] })),
        };
        let server = Server::bind(choices.server, parts)
            .await
            .expect("the server binds");
        let shutdown = CancellationToken::new();
        Self {
            addr: server.addr(),
            socketio_addr: server.socketio_addr(),
            conductor_addr: server.conductor_addr(),
            token: fs::read_to_string(folder.path().join("token"))
                .expect("the token")
                .trim()
                .to_owned(),
            login_url: server.login_url(),
            stop_asked,
            folder,
            hub,
            served: tokio::spawn(server.serve(shutdown.clone())),
            shutdown,
        }
    }

    /// Begins the shutdown.
    pub(crate) fn ask_to_end(&self) {
        self.shutdown.cancel();
    }

    /// Shuts down in order and leaves the folder.
    pub(crate) async fn end(self) -> TempDir {
        self.shutdown.cancel();
        soon(self.served)
            .await
            .expect("serving ends well")
            .expect("serving ends well");
        soon(self.hub.close()).await;
        self.folder
    }

    /// Ends and starts again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        Self::on(self.end().await, Choices::default()).await
    }

    /// Removes what the settings do not retain, once it is indexed and folded; the first seq that is left.
    pub(crate) async fn tidy_up(&self) -> u64 {
        let ledger = self.hub.ledger();
        let removed = async {
            while ledger.first() == Seq::FIRST {
                ledger.maintain().expect("the ledger is tidied up");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(removed).await;
        ledger.first().get()
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A request with the owner's token.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        http::ask(self.addr, method, path, &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"").await
    }

    /// Emits a body as JSON.
    pub(crate) async fn emit(&self, body: impl AsRef<[u8]>) -> Answer {
        self.ask(
            "POST",
            "/api/v1/events",
            &[("content-type", "application/json")],
            body.as_ref(),
        )
        .await
    }

    /// Emits a body as lines.
    pub(crate) async fn emit_lines(&self, body: impl AsRef<[u8]>) -> Answer {
        self.ask(
            "POST",
            "/api/v1/events",
            &[("content-type", "application/x-ndjson")],
            body.as_ref(),
        )
        .await
    }

    /// Emits `count` events of the type `name`, with `data` counting from 1; the seq of the first.
    pub(crate) async fn emit_many(&self, name: &str, count: usize) -> u64 {
        let lines: String = (1..=count)
            .map(|n| format!("{{\"type\":{name:?},\"source\":\"test\",\"data\":{n}}}\n"))
            .collect();
        let answer = self.emit_lines(lines).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["first"].as_u64().expect("a seq")
    }

    /// Emits far more than sockets and the hub's memory hold; the seq of the last.
    pub(crate) async fn emit_a_long_past(&self) -> u64 {
        let data = "x".repeat(900);
        let mut last = 0;
        for _ in 0..30 {
            let event = |n| format!("{{\"type\":\"load\",\"data\":[{n},\"{data}\"]}}\n");
            let answer = self.emit_lines((0..1000).map(event).collect::<String>()).await;
            last = answer.json()["last"].as_u64().expect("a seq");
        }
        last
    }

    /// The stored lines of a filter, oldest first, as text.
    pub(crate) async fn lines(&self, filter: &str) -> Vec<String> {
        let path = format!("/api/v1/events?from=start&filter={}", http::encoded(filter));
        let answer = self
            .ask("GET", &path, &[("accept", "application/x-ndjson")], b"")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().lines().map(str::to_owned).collect()
    }

    /// Makes a token with these scopes and bindings.
    pub(crate) async fn make_token(&self, name: &str, scopes: &[&str], bound: &[(&str, &str)]) -> String {
        let bound: BTreeMap<_, _> = bound.iter().copied().collect();
        let body = json!({ "name": name, "scopes": scopes, "bound": bound }).to_string();
        let answer = self.ask("POST", "/api/v1/tokens", &[], body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["token"].as_str().expect("a token").to_owned()
    }
}

/// The data of a stored line as text, token for token.
pub(crate) fn data_of(line: &str) -> String {
    let line: BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(line).expect("a line is JSON");
    line.get("data")
        .map(|data| data.get().to_owned())
        .unwrap_or_default()
}

/// Parses lines.
pub(crate) fn parsed(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}
