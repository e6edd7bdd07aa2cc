//! The lane of those who only emit, and little at a time: one thread with an event loop of its own.
//!
//! It reads what all of them sent, lets the hub's combiner store it as one batch, and answers all: nobody is woken in
//! between. It waits for the disk, so nobody who reads events is served here, nobody who sends much, and no more than
//! [`SEATS`]; all others share the program's runtime. It begins with the first who needs it.
use std::{
    sync::{Arc, OnceLock},
    thread::JoinHandle,
};

use kymo_hub::{Combiner, Hub};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{serve, session::Session, talk::Place};
use crate::app::{App, Application};

/// Sockets that it serves at most: more would be answered faster by all cores together.
const SEATS: u64 = 256;

/// Threads of the lane for what blocks: looking up ids that were seen long ago.
const BLOCKING: usize = 1;

/// Where lone emitters are served; nothing until there is one.
#[derive(Default)]
pub(crate) struct Lane {
    running: OnceLock<Option<Running>>,
    ends: CancellationToken,
}

struct Running {
    /// Where all others are served.
    runtime: Handle,
    /// The lane's own event loop.
    handle: Handle,
    combiner: Arc<Combiner>,
    thread: JoinHandle<()>,
}

impl Lane {
    /// What joins the events of those who are served here; `None` if there is no room for a further one.
    pub(crate) fn seat(&self, app: &Application) -> Option<Arc<Combiner>> {
        if app.counts.lane.now() >= SEATS {
            return None;
        }
        let running = self.running.get_or_init(|| {
            Running::begin(app.hub(), self.ends.clone())
                .map_err(|error| warn!(%error, "lone emitters are served like all others"))
                .ok()
        });
        let running = running.as_ref().filter(|running| !running.thread.is_finished())?;
        Some(Arc::clone(&running.combiner))
    }

    /// Goes on with a session on the event loop of `place`.
    pub(crate) fn hand_over(&self, app: App, session: Session<TcpStream>, place: &Place) {
        let Some(Some(running)) = self.running.get() else {
            unreachable!("nobody goes anywhere before there is a lane");
        };
        let (handle, seated) = match place {
            Place::Runtime => (&running.runtime, None),
            Place::Lane(_) => (&running.handle, Some(app.counts.lane.enter())),
        };
        let conversations = app.conversations.clone();
        let served = async move {
            let _seated = seated;
            match session.moved() {
                Ok(session) => serve(app, session).await,
                Err(error) => debug!(%error, "a connection ended on its way to another event loop"),
            }
        };
        conversations.spawn_on(served, handle);
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
    fn begin(hub: &Hub, ends: CancellationToken) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread()
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
            runtime: Handle::current(),
            handle,
            combiner,
            thread,
        })
    }
}
