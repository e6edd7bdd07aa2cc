//! Signals: those that ask a long-running command to stop, and those that are none of our business.
use std::io;

/// Whether whoever started us wants this signal ignored (`nohup`, a script's `&`). Taking it over would undo that,
/// for us and for every command we start.
#[cfg(target_os = "linux")]
pub(crate) fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    u32::try_from(signal - 1).is_ok_and(|bit| mask >> bit & 1 == 1)
}

/// Other systems do not tell without calls that this program does not make.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_ignored(_: i32) -> bool {
    false
}

/// Signals that ask to stop.
#[cfg(unix)]
pub(crate) struct Signals {
    kinds: [Option<tokio::signal::unix::Signal>; 3],
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let receive = |kind: SignalKind| {
            if is_ignored(kind.as_raw_value()) {
                Ok(None)
            } else {
                signal(kind).map(Some)
            }
        };
        Ok(Self {
            kinds: [
                receive(SignalKind::interrupt())?,
                receive(SignalKind::terminate())?,
                receive(SignalKind::hangup())?,
            ],
        })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.kinds;
        tokio::select! {
            () = came(interrupt) => {}
            () = came(terminate) => {}
            () = came(hang_up) => {}
        }
    }
}

#[cfg(unix)]
async fn came(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Where there are no signals: Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
