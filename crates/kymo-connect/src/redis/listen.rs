//! Stores what is heard on channels. The server keeps nothing of it for us: what is published while we do not listen is
//! lost, so that every such time is said, with its beginning and end, restarts of our own included. What is in a stream of
//! this source, too, is left to the stream.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use kymo_event::Micros;
use kymo_hub::{Bridge, BridgeFault, Hub};
use redis::cmd;
use tokio::time::Instant;

use super::{
    KIND,
    channels::{Ear, Heard, Subscriptions},
    dropped::Dropped,
    follow::LOOK_EVERY,
    mark::Mark,
    pairs::{APART, Pairs},
    server::Connection,
    settings::RedisSource,
};
use crate::{
    HubOutlet, Outlet,
    clock::now,
    messages::{Message, Read, Reading, hand_over},
};

/// Messages handed over together at most.
const BATCH_MESSAGES: usize = 1_000;
/// How often it is told which messages no stream has.
const PAIRED_EVERY: Duration = Duration::from_millis(250);

pub(super) struct Listening {
    subscriptions: Subscriptions,
    waiting_max: usize,
    outlet: Arc<dyn Outlet>,
    /// Held until it is known whether a stream has them; `None` where there are no streams.
    pairs: Option<Pairs<Heard>>,
    /// Until when everything was heard and stored; `None` before it ever listened.
    pub(super) until: Option<Micros>,
    /// Why it does not listen.
    pub(super) reason: &'static str,
    dropped: Dropped,
    /// When it was looked last which messages no stream has.
    paired: Instant,
}

impl Listening {
    pub(super) fn new(settings: &RedisSource, hub: &Hub) -> Self {
        Self {
            subscriptions: Subscriptions::of(settings),
            waiting_max: settings.waiting_max,
            // Nobody waits for us there: what is over a rate is lost.
            outlet: Arc::new(HubOutlet::new(hub.clone(), KIND).dropping_over_rate()),
            pairs: (!settings.streams().is_empty()).then(Pairs::default),
            until: None,
            reason: "not_running",
            dropped: Dropped::default(),
            paired: Instant::now(),
        }
    }

    /// Where messages of a new connection wait, and what puts them there.
    pub(super) fn ear(&self) -> (Ear, impl Fn(redis::PushInfo) + Send + Sync + 'static) {
        self.subscriptions.clone().ear(self.waiting_max)
    }

    /// It listens from now on.
    pub(super) async fn begin(&mut self, control: &Connection, bridge: &Bridge) -> Result<(), BridgeFault> {
        self.subscriptions.begin(control).await?;
        let began = now();
        if let Some(until) = self.until {
            bridge.gap(until, began, None, self.reason);
        }
        self.dropped = Dropped::default();
        self.until = Some(self.oldest().unwrap_or(began));
        Ok(())
    }

    /// Stores the message that came, and those that are there already.
    pub(super) async fn take(
        &mut self,
        first: Heard,
        ear: &mut Ear,
        reading: &Reading,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        let mut batch = vec![first];
        while batch.len() < BATCH_MESSAGES
            && let Ok(heard) = ear.messages.try_recv()
        {
            batch.push(heard);
        }
        let Some(pairs) = &mut self.pairs else {
            return self.store(batch, reading, bridge).await;
        };
        for heard in batch {
            let (text, at) = (heard.payload.clone(), heard.at);
            if pairs.hear(&text, heard, at) {
                bridge.skipped(1);
            }
        }
        Ok(())
    }

    /// What had come before the end of a connection.
    pub(super) async fn drain(
        &mut self,
        ear: &mut Ear,
        reading: &Reading,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        while let Some(Some(first)) = ear.messages.recv().now_or_never() {
            self.take(first, ear, reading, bridge).await?;
        }
        Ok(())
    }

    /// Says what found no room until the end of a connection.
    pub(super) fn end(&mut self, ear: &Ear, bridge: &Bridge) {
        self.dropped.look(ear.dropped(), LOOK_EVERY, bridge);
        self.dropped.look(ear.dropped(), LOOK_EVERY, bridge);
    }

    /// An entry of a stream takes the place of the message that has its text.
    pub(super) fn entry(&mut self, text: &[u8], bridge: &Bridge) {
        if let Some(pairs) = &mut self.pairs
            && pairs.read(text, Instant::now()).is_some()
        {
            bridge.skipped(1);
        }
    }

    /// Whether it is time to tell which messages no stream has, everything in them at this moment being read.
    pub(super) fn is_due(&self, at: Instant) -> bool {
        self.pairs.is_some() && self.paired + PAIRED_EVERY <= at
    }

    /// Everything that was in the streams at this moment was read, and what was published then is heard: stores the
    /// messages that no stream has.
    pub(super) async fn caught_up(
        &mut self,
        at: Instant,
        reading: &Reading,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        self.paired = at;
        let alone = self
            .pairs
            .as_mut()
            .map(|pairs| pairs.caught_up(at))
            .unwrap_or_default();
        self.store(alone, reading, bridge).await
    }

    /// Stores what is held still: its entries did not come in time.
    pub(super) async fn give_up(&mut self, reading: &Reading, bridge: &Bridge) -> Result<(), BridgeFault> {
        self.caught_up(Instant::now() + APART, reading, bridge).await
    }

    pub(super) fn is_holding(&self) -> bool {
        self.oldest().is_some()
    }

    /// Notes until when everything was heard and stored, once the server says that it is there.
    pub(super) async fn look(
        &mut self,
        control: &Connection,
        ear: &mut Ear,
        reading: &Reading,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        let asked = now();
        control.ask(&cmd("PING")).await?;
        // What was published before it was asked came before its answer.
        self.drain(ear, reading, bridge).await?;
        self.until = Some(self.oldest().map_or(asked, |oldest| oldest.min(asked)));
        self.dropped.look(ear.dropped(), LOOK_EVERY, bridge);
        Ok(())
    }

    /// When the oldest message came that is held.
    fn oldest(&self) -> Option<Micros> {
        Some(self.pairs.as_ref()?.oldest()?.time)
    }

    async fn store(
        &self,
        messages: Vec<Heard>,
        reading: &Reading,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        let read: Vec<Read> = messages
            .iter()
            .map(|heard| {
                let (mark, text) = Mark::take(&heard.payload);
                reading.read(Message {
                    subject: &heard.channel,
                    payload: &text,
                    from: mark.as_ref().map(Mark::publisher),
                    id: mark.as_ref().map(Mark::id),
                })
            })
            .collect();
        hand_over(read.into_iter(), &*self.outlet, bridge).await
    }
}
