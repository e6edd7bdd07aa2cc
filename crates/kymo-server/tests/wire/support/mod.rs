//! A server to talk to, and clients that share no code with it.
pub(crate) mod http;
pub(crate) mod server;
pub(crate) mod sio;
pub(crate) mod sse;
pub(crate) mod ws;

use std::{future::Future, path::PathBuf, time::Duration};

use serde_json::Value;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it took too long")
}

/// The folder of public fixtures beside the checkout, if it is there.
pub(crate) fn fixtures(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures")).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// The values of a key in a list of objects.
pub(crate) fn each(list: &Value, key: &str) -> Vec<Value> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry[key].clone())
        .collect()
}
