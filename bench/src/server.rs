//! The server under measurement: the real binary on a free port and an empty folder, stopped by its own handle.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::Outcome;

/// A running server.
pub(crate) struct Server {
    child: Child,
    data: TempDir,
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    /// The owner's token.
    pub(crate) token: String,
}

impl Server {
    /// Starts `kymo serve` and waits until it accepts.
    pub(crate) async fn start(kymo: &Path) -> Outcome<Self> {
        let data = tempfile::tempdir()?;
        let child = Command::new(kymo)
            // Meant for us; to the server it would be a setting it does not know.
            .env_remove("KYMO_BIN")
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let described = wait_for(&data.path().join("server.json")).await?;
        let described: serde_json::Value = serde_json::from_str(&described)?;
        let url = described["url"].as_str().ok_or("server.json names no url")?;
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let token = fs::read_to_string(data.path().join("token"))?.trim().to_owned();
        Ok(Self {
            child,
            data,
            address,
            token,
        })
    }

    /// Bytes of all segments.
    pub(crate) fn ledger_bytes(&self) -> u64 {
        let entries = fs::read_dir(self.ledger()).into_iter().flatten().flatten();
        let segments = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".jsonl"));
        segments
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Seconds of processor time used so far, user and system.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = self.proc("stat");
        // The name in parentheses may hold spaces; what follows it does not.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Peak resident memory so far.
    pub(crate) fn peak_memory_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap_or_default();
        line.split_whitespace()
            .nth(1)
            .and_then(|kb| kb.parse::<f64>().ok())
            .unwrap_or(0.0)
            / 1024.0
    }

    /// Ends the server as a person would.
    pub(crate) async fn stop(mut self) -> Outcome {
        self.child.kill().await?;
        Ok(())
    }

    fn ledger(&self) -> PathBuf {
        self.data.path().join("ledger")
    }

    fn proc(&self, file: &str) -> String {
        let pid = self.child.id().unwrap_or(0);
        fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    }
}

async fn wait_for(path: &Path) -> Outcome<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Ok(text) = fs::read_to_string(path) {
            return Ok(text);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(format!("{} did not appear", path.display()).into())
}
