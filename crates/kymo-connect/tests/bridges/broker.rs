//! A real `nats-server` on a free port with a folder of its own; ended, frozen and started again by its own handle.
#![allow(dead_code, reason = "the tests of each crate use their part")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use async_nats::{Client, ConnectOptions, jetstream};

use crate::process::{Process, free_port};

/// A NATS server. Dropped, it is gone.
pub(crate) struct Broker {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    process: Option<Process>,
}

impl Broker {
    /// With JetStream, for everybody.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With more lines in its configuration; `FOLDER` there is its folder.
    pub(crate) fn with(more: &str) -> Self {
        Self::prepared(more, |_| {})
    }

    /// The same, once something was put into its folder.
    pub(crate) fn prepared(more: &str, prepare: impl FnOnce(&Path)) -> Self {
        let mut broker = Self::down(more);
        prepare(broker.folder.path());
        broker.up();
        broker
    }

    /// One that does not run yet.
    pub(crate) fn down(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let path = folder.path().display();
        let more = more.replace("FOLDER", &path.to_string());
        let config = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{path}/store\", max_file: 1G }}\n{more}\n"
        );
        std::fs::write(folder.path().join("nats.conf"), config).expect("written");
        Self {
            folder,
            port,
            process: None,
        }
    }

    pub(crate) fn up(&mut self) {
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(self.folder.path().join("nats.conf"));
        self.process = Some(Process::start(command, self.port).expect("nats-server is installed"));
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
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client of somebody else.
    pub(crate) async fn client(&self) -> Client {
        ConnectOptions::new()
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|_| Duration::from_millis(20))
            .connect(self.url())
            .await
            .expect("connected")
    }

    /// A stream of these subjects, on disk.
    pub(crate) async fn stream(&self, name: &str, subject: &str) -> jetstream::stream::Stream {
        let config = jetstream::stream::Config {
            name: name.into(),
            subjects: vec![subject.into()],
            ..jetstream::stream::Config::default()
        };
        let context = jetstream::new(self.client().await);
        context.get_or_create_stream(config).await.expect("a stream")
    }
}
