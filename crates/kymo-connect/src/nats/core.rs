//! Follows subjects. The server keeps nothing for us: what is published while we do not listen is lost, so that every
//! such time is said, with its beginning and end, restarts of our own included.

use std::{sync::Arc, time::Duration};

use async_nats::Message;
use futures_util::{FutureExt, Stream, stream::select_all};
use kymo_event::Micros;
use kymo_hub::{Bridge, BridgeFault, Hub};
use tokio_util::sync::CancellationToken;

use super::{message_of, next_batch, server::Connection, settings::NatsSource};
use crate::{
    CursorFile, Loaded, Outlet,
    clock::now,
    messages::{Reading, hand_over},
    source::{Follow, ended},
};

/// How often it is looked whether the server was heard, and whether messages found no room.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Until when everything was heard.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Heard {
    /// Microseconds since 1970.
    until: i64,
}

pub(super) struct CoreSource {
    settings: NatsSource,
    reading: Reading,
    outlet: Arc<dyn Outlet>,
    place: CursorFile<Heard>,
    loaded: bool,
    /// Until when everything was heard; `None` before it ever listened.
    heard: Option<Micros>,
    /// Why it does not listen.
    reason: &'static str,
    dropped: Dropped,
}

/// Messages that found no room, as long as there is no end of them.
#[derive(Default)]
struct Dropped {
    counted: u64,
    since: Option<(Micros, u64)>,
}

impl CoreSource {
    pub(super) fn new(
        settings: NatsSource,
        hub: &Hub,
        outlet: Arc<dyn Outlet>,
        place: CursorFile<Heard>,
    ) -> Self {
        Self {
            reading: settings.reading(hub),
            settings,
            outlet,
            place,
            loaded: false,
            heard: None,
            reason: "not_running",
            dropped: Dropped::default(),
        }
    }

    async fn listen(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        self.load(bridge)?;
        let connection = Connection::open(&self.settings.server, self.settings.waiting_max).await?;
        let mut subscribers = Vec::new();
        for subject in &self.settings.subjects {
            let subscriber = connection.client.subscribe(subject.clone()).await;
            subscribers.push(subscriber.map_err(|error| BridgeFault::new("unreachable", error.to_string()))?);
        }
        let mut messages = select_all(subscribers);
        connection.settle().await?;
        self.begin(bridge).await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut bytes = 0;
        loop {
            tokio::select! {
                batch = next_batch(&mut messages, |message: &Message| message.length) => match batch {
                    Some(batch) => self.take(batch, bridge).await?,
                    None => return Err(connection.lost().await),
                },
                _ = look.tick() => {
                    let heard = connection.heard();
                    if heard != bytes {
                        bytes = heard;
                        self.hear().await;
                    }
                    self.dropped.look(connection.dropped(), bridge);
                }
                fault = connection.lost() => {
                    self.drain(&mut messages, bridge).await?;
                    return Err(fault);
                }
                fault = connection.complained() => return Err(fault),
                () = end.cancelled() => {
                    self.drain(&mut messages, bridge).await?;
                    self.hear().await;
                    return Ok(());
                }
            }
        }
    }

    fn load(&mut self, bridge: &Bridge) -> Result<(), BridgeFault> {
        if self.loaded {
            return Ok(());
        }
        match self.place.load() {
            Ok(Loaded::At(heard)) => self.heard = Some(Micros(heard.until)),
            Ok(Loaded::Absent) => {}
            Ok(Loaded::Damaged { kept, cause }) => {
                let data = serde_json::json!({ "kept": kept.display().to_string(), "cause": cause });
                bridge.note("kymo.bridge.cursor_damaged", kymo_event::Level::Error, data);
            }
            Err(error) => {
                let message = format!("until when this source heard everything cannot be read: {error}");
                return Err(BridgeFault::new("cursor_unreadable", message));
            }
        }
        self.loaded = true;
        Ok(())
    }

    /// It listens from now on.
    async fn begin(&mut self, bridge: &Bridge) {
        if let Some(heard) = self.heard {
            bridge.gap(heard, now(), None, self.reason);
        }
        self.dropped = Dropped::default();
        self.hear().await;
        bridge.connected();
    }

    async fn hear(&mut self) {
        let until = now();
        self.heard = Some(until);
        let place = self.place.clone();
        let stored = tokio::task::spawn_blocking(move || place.store(&Heard { until: until.0 })).await;
        if let Ok(Err(error)) = stored {
            tracing::warn!(%error, "until when a source heard everything could not be stored");
        }
    }

    /// What had come before the end.
    async fn drain(
        &mut self,
        messages: &mut (impl Stream<Item = Message> + Unpin),
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        while let Some(Some(batch)) = next_batch(messages, |message: &Message| message.length).now_or_never()
        {
            self.take(batch, bridge).await?;
        }
        Ok(())
    }

    async fn take(&mut self, batch: Vec<Message>, bridge: &Bridge) -> Result<(), BridgeFault> {
        let read = batch
            .iter()
            .map(|message| self.reading.read(message_of(message, None)));
        hand_over(read, &*self.outlet, bridge).await
    }
}

impl Follow for CoreSource {
    async fn follow(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        tokio::select! {
            followed = self.listen(bridge, end) => followed.inspect_err(|fault| self.reason = fault.code),
            // While it listens it ends by itself; while it connects there is nothing to lose.
            () = ended(end) => Ok(()),
        }
    }
}

impl Dropped {
    /// Says how many found no room once that is over.
    fn look(&mut self, all: u64, bridge: &Bridge) {
        let at = now();
        let more = all - self.counted;
        self.counted = all;
        match (&mut self.since, more) {
            (_, 0) => {
                if let Some((since, count)) = self.since.take() {
                    bridge.gap(since, at, Some(count), "slow_consumer");
                }
            }
            (Some((_, count)), more) => *count += more,
            (None, more) => {
                let since = Micros(at.0 - i64::try_from(LOOK_EVERY.as_micros()).unwrap_or(0));
                self.since = Some((since, more));
            }
        }
    }
}
