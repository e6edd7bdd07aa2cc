//! What a source in this process needs whose server is elsewhere: the way there, and somebody who sends on what waits.
use std::{future::Future, path::Path, sync::Arc, time::Duration};

use kymo_connect::take_up_spools;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    exit::Exit, failure::Failure, find::Where, outbox::Outbox, outlet::ServerOutlet, printer::note,
    signals::Signals,
};

/// How long a server may take before events go to the spool.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between looks for events that wait.
const TAKE_UP: Duration = Duration::from_secs(5);

/// The way to the server, for as long as a source runs.
pub(crate) struct Sending {
    outbox: Outbox,
}

impl Sending {
    /// Finds the way and says where it leads.
    pub(crate) fn open(place: &Where, data: &Path) -> Result<Self, Failure> {
        let outbox = Outbox::open(place, PATIENCE)?;
        match outbox.url() {
            Some(url) => note(format!("sending to {url}; Ctrl-C stops")),
            None => note(format!(
                "no server is running on {}; events wait on disk",
                data.display()
            )),
        }
        Ok(Self { outbox })
    }

    /// Starts a source, and waits for a signal; then for what `ending` does with it after `end`.
    pub(crate) fn run<S, F: Future<Output = ()>>(
        self,
        start: impl AsyncFnOnce(Arc<ServerOutlet>, &CancellationToken) -> Result<S, Failure>,
        ending: impl FnOnce(S) -> F,
    ) -> Result<Exit, Failure> {
        // Whoever follows many files listens in many folders.
        kymo_server::raise_descriptors_max();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|cause| {
                Failure::failed(format!("the program's threads could not be started: {cause}"))
            })?;
        runtime.block_on(async {
            let mut signals = Signals::new()
                .map_err(|cause| Failure::failed(format!("signals cannot be received: {cause}")))?;
            let end = CancellationToken::new();
            let (outlet, taking_up) = self.outlet(&end);
            let source = start(outlet, &end).await?;
            signals.next().await;
            end.cancel();
            ending(source).await;
            if let Some(taking_up) = taking_up {
                let _ = taking_up.await;
            }
            Ok(Exit::Done)
        })
    }

    /// Nobody but us sends on what waits for a server elsewhere.
    fn outlet(self, end: &CancellationToken) -> (Arc<ServerOutlet>, Option<JoinHandle<()>>) {
        let spool = self.outbox.spool_folder().to_owned();
        let is_elsewhere = self.outbox.is_elsewhere();
        let outlet = Arc::new(ServerOutlet::new(self.outbox));
        let taking_up = is_elsewhere.then(|| {
            let (outlet, end) = (Arc::clone(&outlet), end.clone());
            tokio::spawn(async move { take_up_spools(&spool, outlet, TAKE_UP, end).await })
        });
        (outlet, taking_up)
    }
}
