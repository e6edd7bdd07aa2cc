//! The lane of those who only emit, and little at a time: one thread with an event loop of its own.
//!
//! It reads what all of them sent, lets the hub's combiner store it as one batch, and answers all: nobody is woken in
//! between. It waits for the disk, so nobody who reads events is served here, nobody who sends much, and no more than
//! [`SEATS`]; all others share the program's runtime. It begins with the first who needs it.
use std::{
    io,
    sync::{Arc, OnceLock},
    thread::JoinHandle,
};

use kymo_hub::{Combiner, Hub};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::warn;

use crate::app::{Application, Open};

/// Connections that it serves at most: more would be answered faster by all cores together.
const SEATS: u64 = 256;

/// Records of one request that are little, in bytes.
pub(crate) const LITTLE_BYTES: usize = 16 << 10;

/// Tasks that have a turn before the sockets are asked, and the combiner: all of them.
const TASKS_IN_A_ROW: u32 = 512;

/// Threads of the lane for what blocks: looking up ids that were seen long ago.
const BLOCKING: usize = 1;

/// Where lone emitters are served; nothing until there is one.
#[derive(Default)]
pub(crate) struct Lane {
    running: OnceLock<Option<Running>>,
    ends: CancellationToken,
}

struct Running {
    handle: Handle,
    combiner: Arc<Combiner>,
    thread: JoinHandle<()>,
}

/// A place in the lane.
pub(crate) struct Seat {
    /// Joins the events of all who are here.
    pub(crate) combiner: Arc<Combiner>,
    handle: Handle,
    _open: Open,
}

impl Lane {
    /// A place for one more connection, if there is one.
    pub(crate) fn seat(&self, app: &Application) -> Option<Seat> {
        if app.counts.lane.now() >= SEATS {
            return None;
        }
        let running = self.running.get_or_init(|| {
            Running::begin(app.hub(), self.ends.clone())
                .map_err(|error| warn!(%error, "lone emitters are served like all others"))
                .ok()
        });
        let running = running.as_ref().filter(|running| !running.thread.is_finished())?;
        Some(Seat {
            combiner: Arc::clone(&running.combiner),
            handle: running.handle.clone(),
            _open: app.counts.lane.enter(),
        })
    }

    /// Ends the thread, once nobody is served here.
    pub(crate) fn end(&self) {
        self.ends.cancel();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    fn begin(hub: &Hub, ends: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .event_interval(TASKS_IN_A_ROW)
            .max_blocking_threads(BLOCKING)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let combiner = Arc::new(Combiner::new(hub));
        let rounds = Arc::clone(&combiner);
        let work = move || {
            runtime.block_on(ends.run_until_cancelled(rounds.run()));
        };
        let thread = std::thread::Builder::new().name("kymo-lane".into()).spawn(work)?;
        Ok(Self {
            handle,
            combiner,
            thread,
        })
    }
}

impl Seat {
    /// Does `work` in the lane, while who calls waits; `None` if the lane came to an end or the work panicked. Work that
    /// is no longer waited for ends.
    pub(crate) async fn serve<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        AbortOnDropHandle::new(self.handle.spawn(work)).await.ok()
    }
}

/// Lets the event loop that calls this watch a connection from now on.
pub(crate) fn adopt(stream: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

#[cfg(test)]
mod tests;
