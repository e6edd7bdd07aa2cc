//! Follows subjects. The server keeps nothing for us: what is published while we do not listen is lost, so that every
//! such time is said, with its beginning and end, restarts of our own included.

use std::{fmt::Display, sync::Arc, time::Duration};

use async_nats::Message;
use futures_util::{FutureExt, Stream, StreamExt, stream::select_all};
use kymo_event::Micros;
use kymo_hub::{Bridge, BridgeFault, Hub};
use tokio::time::timeout;
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
/// On shutdown, how long the server may take to give what it still has.
const PARTING: Duration = Duration::from_secs(1);

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
    /// What the client has told of them: not each, but never without one.
    told: u64,
    /// Messages that were taken, echoes among them.
    taken: u64,
    /// Of those that arrived and were not taken, how many were said to be lost.
    said: u64,
    looked: Option<Micros>,
    since: Option<Micros>,
    /// Since it was looked last nothing was told of.
    is_over: bool,
    /// As far as is known.
    lost: u64,
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
        let unreachable = |error: &dyn Display| BridgeFault::new("unreachable", error.to_string());
        let mut subscribers = Vec::new();
        for subject in &self.settings.subjects {
            let subscriber = connection.client.subscribe(subject.clone()).await;
            subscribers.push(subscriber.map_err(|error| unreachable(&error))?);
        }
        let mut messages = select_all(subscribers);
        let inbox = connection.client.new_inbox();
        let echoes = connection.client.subscribe(inbox.clone()).await;
        let mut echoes = echoes.map_err(|error| unreachable(&error))?;
        let asked = now();
        connection.settle().await?;
        self.begin(asked, bridge).await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        // When the server was asked for an echo that has not come yet.
        let mut asked = None;
        loop {
            tokio::select! {
                batch = next_batch(&mut messages, |message: &Message| message.length) => match batch {
                    Some(batch) => self.take(batch, bridge).await?,
                    None => return Err(connection.lost().await),
                },
                _ = look.tick() => {
                    self.dropped.look(connection.dropped());
                    if asked.is_none() {
                        asked = Some(now());
                        let sent = connection.client.publish(inbox.clone(), "".into()).await;
                        sent.map_err(|error| unreachable(&error))?;
                    }
                }
                echo = echoes.next() => {
                    self.dropped.taken += u64::from(echo.is_some());
                    let arrived = connection.arrived();
                    // What the server gave us before the echo is here by now.
                    let is_all = self.drain(&mut messages, bridge).await?;
                    if let Some(until) = asked.take().filter(|_| is_all) {
                        self.dropped.settle(arrived, bridge);
                        // What found no room is not said before that is over; who is killed meanwhile says more.
                        if self.dropped.is_none(connection.dropped()) {
                            self.hear(until).await;
                        }
                    }
                }
                fault = connection.lost() => {
                    self.part(&connection, &mut messages, bridge).await?;
                    return Err(fault);
                }
                fault = connection.turned_away() => {
                    self.part(&connection, &mut messages, bridge).await?;
                    return Err(fault);
                }
                () = end.cancelled() => {
                    let until = now();
                    let settled = timeout(PARTING, connection.settle()).await;
                    let is_settled = matches!(settled, Ok(Ok(())));
                    let echo = asked.and_then(|_| echoes.next().now_or_never());
                    self.dropped.taken += u64::from(is_settled) + u64::from(echo.is_some());
                    if self.part(&connection, &mut messages, bridge).await? && is_settled {
                        self.hear(until).await;
                    }
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

    /// It listens from now on, surely since `asked`.
    async fn begin(&mut self, asked: Micros, bridge: &Bridge) {
        if let Some(heard) = self.heard {
            bridge.gap(heard, now(), None, self.reason);
        }
        self.dropped = Dropped::begin();
        self.hear(asked).await;
        bridge.connected();
    }

    /// Everything that was published until then is durable.
    async fn hear(&mut self, until: Micros) {
        self.heard = Some(until);
        let place = self.place.clone();
        let stored = tokio::task::spawn_blocking(move || place.store(&Heard { until: until.0 })).await;
        if let Ok(Err(error)) = stored {
            tracing::warn!(%error, "until when a source heard everything could not be stored");
        }
    }

    /// Takes what is here already; whether that was all.
    async fn drain(
        &mut self,
        messages: &mut (impl Stream<Item = Message> + Unpin),
        bridge: &Bridge,
    ) -> Result<bool, BridgeFault> {
        let room = self.settings.waiting_max * self.settings.subjects.len();
        let enough = self.dropped.taken + room as u64;
        while self.dropped.taken <= enough {
            let batch = next_batch(messages, |message: &Message| message.length).now_or_never();
            let Some(Some(batch)) = batch else { return Ok(true) };
            self.take(batch, bridge).await?;
        }
        Ok(false)
    }

    /// The same at the end of a connection, when nothing more will find no room.
    async fn part(
        &mut self,
        connection: &Connection,
        messages: &mut (impl Stream<Item = Message> + Unpin),
        bridge: &Bridge,
    ) -> Result<bool, BridgeFault> {
        let arrived = connection.arrived();
        let is_all = self.drain(messages, bridge).await?;
        self.dropped.look(connection.dropped());
        if is_all {
            self.dropped.is_over = true;
            self.dropped.settle(arrived, bridge);
        }
        Ok(is_all)
    }

    async fn take(&mut self, batch: Vec<Message>, bridge: &Bridge) -> Result<(), BridgeFault> {
        let read = batch
            .iter()
            .map(|message| self.reading.read(message_of(message, None)));
        hand_over(read, &*self.outlet, bridge).await?;
        self.dropped.taken += batch.len() as u64;
        Ok(())
    }
}

impl Follow for CoreSource {
    async fn follow(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        let followed = tokio::select! {
            followed = self.listen(bridge, end) => followed.inspect_err(|fault| self.reason = fault.code),
            // While it listens it ends by itself; while it connects there is nothing to lose.
            () = ended(end) => Ok(()),
        };
        self.dropped.end(bridge);
        followed
    }
}

impl Dropped {
    /// From now on: what arrived before is the echo by which it is known that the server listens.
    fn begin() -> Self {
        Self {
            taken: 1,
            looked: Some(now()),
            ..Self::default()
        }
    }

    /// What the client has told in all, now and then.
    fn look(&mut self, told: u64) {
        let more = told - self.told;
        (self.told, self.is_over) = (told, more == 0);
        if more > 0 {
            self.since = self.since.or(self.looked);
            self.lost += more;
        }
        self.looked = Some(now());
    }

    /// Of what had arrived by then nothing waits any more: says how many found no room, once that is over.
    fn settle(&mut self, arrived: u64, bridge: &Bridge) {
        let missing = arrived.saturating_sub(self.taken + self.said);
        if self.since.is_some() && self.is_over {
            self.lost = self.lost.max(missing);
            self.end(bridge);
        }
    }

    /// Whether everything that found no room was said, as far as the client has told.
    fn is_none(&self, told: u64) -> bool {
        self.since.is_none() && told == self.told
    }

    fn end(&mut self, bridge: &Bridge) {
        if let Some(since) = self.since.take() {
            bridge.gap(since, now(), Some(self.lost), "slow_consumer");
            self.said += std::mem::take(&mut self.lost);
        }
    }
}
