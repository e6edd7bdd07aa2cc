//! The life of every source that connects to something: try, follow for as long as it lasts, try again.

use std::{future::Future, time::Duration};

use kymo_hub::{Bridge, BridgeAbout, BridgeFault, Hub};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::retry::{Pauses, pause};

/// A connection that lasted this long was good: the next pause is short.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// On shutdown, how long what is on its way may take.
const PARTING: Duration = Duration::from_secs(3);

/// The other side of a source.
pub(crate) trait Follow: Send + 'static {
    /// Connects, says so on the board, and hands over what happens until the connection is no good any more. Without a
    /// fault it was shutdown that ended it.
    fn follow(
        &mut self,
        bridge: &Bridge,
        end: &CancellationToken,
    ) -> impl Future<Output = Result<(), BridgeFault>> + Send;
}

/// Some time after shutdown was asked for: whoever has not ended by then is ended.
pub(crate) async fn ended(end: &CancellationToken) {
    end.cancelled().await;
    tokio::time::sleep(PARTING).await;
}

/// Runs a source until shutdown.
pub(crate) async fn run_source(
    mut source: impl Follow,
    about: BridgeAbout,
    hub: Hub,
    end: CancellationToken,
) {
    let bridge = hub.bridges().enter(about);
    let mut pauses = Pauses::default();
    while !end.is_cancelled() {
        bridge.connecting();
        let began = Instant::now();
        let Err(fault) = source.follow(&bridge, &end).await else {
            break;
        };
        if began.elapsed() > GOOD_AFTER {
            pauses.reset();
        }
        let next = pauses.next_pause();
        bridge.waiting(fault, Some(next));
        if !pause(next, &end).await {
            break;
        }
    }
    bridge.stopped(None);
}
