//! Sources of this process whose server is another one: their events go out through an [`Outbox`].
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kymo_connect::{Emitted, Outlet, Refused, Taken, take_up_spools};
use kymo_event::{Event, Level};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    native,
    outbox::{Delivered, Outbox, is_waiting},
    printer::note,
};

/// Sends events over HTTP, or keeps them.
pub(crate) struct ServerOutlet {
    outbox: Arc<Mutex<Outbox>>,
}

impl ServerOutlet {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self {
            outbox: Arc::new(Mutex::new(outbox)),
        }
    }
}

impl Outlet for ServerOutlet {
    fn emit<'a>(
        &'a self,
        events: Vec<Event<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        let outbox = Arc::clone(&self.outbox);
        Box::pin(async move {
            let sent = tokio::task::spawn_blocking(move || send(&outbox, events)).await;
            sent.unwrap_or_else(|panic| Err(panic.to_string()))?
                .refused
                .iter()
                .for_each(|refused| {
                    note(format!(
                        "an event was refused: {} [{}]",
                        refused.message, refused.code
                    ));
                });
            Ok(())
        })
    }

    fn emit_each<'a>(&'a self, events: Vec<Event<'static>>) -> Emitted<'a, Taken> {
        let outbox = Arc::clone(&self.outbox);
        Box::pin(async move {
            let sent = tokio::task::spawn_blocking(move || send(&outbox, events)).await;
            sent.unwrap_or_else(|panic| Err(panic.to_string()))
        })
    }

    /// There is no ledger of ours to put it into, so what is serious is told to whoever looks on.
    fn note(&self, event: Event<'static>) {
        if event.level >= Level::Warn {
            note(format!("{} {}", event.kind, event.data.as_deref().unwrap_or("")));
        }
    }
}

/// Hands events over and answers with what became of them; refusals are counted from the first of them all.
fn send(outbox: &Mutex<Outbox>, events: Vec<Event<'static>>) -> Result<Taken, String> {
    let records: Vec<String> = events
        .into_iter()
        .map(|mut event| {
            native::make_sendable(&mut event);
            native::json(&event)
        })
        .collect();
    let answers = outbox
        .lock()
        .expect("nobody panics while holding it")
        .deliver(&records)
        .map_err(|failure| {
            note(failure.to_string());
            failure.to_string()
        })?;
    let mut taken = Taken::default();
    for answer in answers {
        if let Delivered::Stored(receipt) = answer {
            taken.repeats += receipt.duplicates.len() as u64;
            taken
                .refused
                .extend(receipt.rejected.into_iter().map(|rejected| Refused {
                    index: rejected.index,
                    code: rejected.code,
                    message: rejected.message,
                }));
        }
    }
    Ok(taken)
}

/// Sends on what earlier calls kept for a server elsewhere, since nobody else does. Takes up to a few seconds once
/// after that server was away.
pub(crate) fn hand_over_waiting(outbox: Outbox) -> Result<(), Failure> {
    let spool = outbox.spool_folder().to_owned();
    if !is_waiting(&spool) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::failed(format!("the program's threads could not be started: {cause}")))?;
    runtime.block_on(async {
        let end = CancellationToken::new();
        let outlet = Arc::new(ServerOutlet::new(outbox));
        let until_empty = async {
            let deadline = Instant::now() + Duration::from_secs(10);
            while is_waiting(&spool) && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            end.cancel();
        };
        tokio::join!(
            take_up_spools(&spool, outlet, Duration::from_secs(2), end.clone()),
            until_empty
        );
    });
    Ok(())
}
