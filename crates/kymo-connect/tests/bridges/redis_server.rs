//! A real `redis-server` on a free port with a folder of its own, which keeps what it has on disk.
#![allow(dead_code, reason = "the tests of each crate use their part")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection, cmd};

use crate::process::{Process, free_port};

/// A Redis server. Dropped, it is gone.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    process: Option<Process>,
}

impl Server {
    /// For everybody; `None`, and it says so, where there is no redis-server.
    pub(crate) fn start() -> Option<Self> {
        Self::with("")
    }

    /// With more lines in its configuration; `FOLDER` there is its folder, `PORT` its port.
    pub(crate) fn with(more: &str) -> Option<Self> {
        Self::prepared(more, |_| {})
    }

    /// The same, once something was put into its folder.
    pub(crate) fn prepared(more: &str, prepare: impl FnOnce(&Path)) -> Option<Self> {
        let mut server = Self::down(more);
        prepare(server.folder.path());
        server.up().then_some(server)
    }

    /// One that does not run yet.
    pub(crate) fn down(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let path = folder.path().display().to_string();
        let more = more.replace("FOLDER", &path).replace("PORT", &port.to_string());
        // Of two lines of one name the last counts.
        let config = format!(
            "bind 127.0.0.1\nport {port}\ndir {path}\nsave \"\"\nappendonly yes\nappendfsync everysec\n\
             enable-debug-command yes\n{more}\n"
        );
        std::fs::write(folder.path().join("redis.conf"), config).expect("written");
        Self {
            folder,
            port,
            process: None,
        }
    }

    /// False if there is no redis-server.
    pub(crate) fn up(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command.arg(self.folder.path().join("redis.conf"));
        self.process = Process::start(command, self.port);
        if self.process.is_none() {
            println!(
                "skipped: redis-server is not installed (Debian, Ubuntu: sudo apt-get install redis-server)"
            );
        }
        self.process.is_some()
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn freeze(&self) {
        self.process.as_ref().expect("it runs").freeze();
    }

    pub(crate) fn thaw(&self) {
        self.process.as_ref().expect("it runs").thaw();
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client of somebody else.
    pub(crate) async fn client(&self) -> Client {
        self.client_at(&self.url()).await
    }

    pub(crate) async fn client_at(&self, url: &str) -> Client {
        let client = redis::Client::open(url).expect("an address");
        loop {
            // One that was just started may still read its files.
            if let Ok(connection) = client.get_multiplexed_async_connection().await {
                let client = Client(connection);
                if client.try_ask::<String>(&cmd("PING")).await.is_ok() {
                    return client;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A connection.
pub(crate) struct Client(pub(crate) MultiplexedConnection);

impl Client {
    /// A command, its words with spaces between.
    pub(crate) async fn run<T: FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = cmd(words.next().expect("a command"));
        words.for_each(|word| {
            command.arg(word);
        });
        self.ask(&command).await
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.try_ask(command).await.expect("done")
    }

    pub(crate) async fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> redis::RedisResult<T> {
        command.query_async(&mut self.0.clone()).await
    }

    /// Adds an entry with a text as v5 does; gives its id.
    pub(crate) async fn add(&self, stream: &str, id: &str, text: impl AsRef<[u8]>) -> String {
        let mut add = cmd("XADD");
        add.arg(stream).arg(id).arg("event").arg(text.as_ref());
        self.ask(&add).await
    }

    pub(crate) async fn publish(&self, channel: &str, text: &str) {
        let () = self.ask(cmd("PUBLISH").arg(channel).arg(text)).await;
    }
}
