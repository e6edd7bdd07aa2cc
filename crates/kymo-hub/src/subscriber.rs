//! Carries out what a [`Subscription`] says: takes frames from the ring, slices from the ledger, and waits.

use std::{sync::Arc, time::Duration};

use kymo_event::{Filter, Seq};
use tokio::time::Instant;

use crate::{
    Delivery,
    catchup::{Item, Pipeline, ReadFailure},
    feeds::Feed,
    frames::Frame,
    lull::Lull,
    readers::ReaderStatus,
    shared::Shared,
    subscription::{Horizon, Step, Subscription},
};

/// A reader whose filter matches nothing is told its cursor after this long at the latest, unless very many wait.
const CURSOR_EVERY: Duration = Duration::from_secs(1);
/// After a failed read the next one waits this long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A reader's cursor. Drop to unsubscribe.
pub struct Subscriber {
    hub: Arc<Shared>,
    feed: Arc<Feed>,
    from: Seq,
    subscription: Subscription,
    pipeline: Pipeline,
    status: Arc<ReaderStatus>,
    /// When the cursor must be told, if it moved without a match.
    remind_at: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Subscriber {
    pub(crate) fn new(
        hub: Arc<Shared>,
        feed: Arc<Feed>,
        subscription: Subscription,
        status: Arc<ReaderStatus>,
    ) -> Self {
        let pipeline = Pipeline::new(Arc::clone(&hub.catchup), Arc::clone(&feed));
        Self {
            from: subscription.next(),
            hub,
            feed,
            subscription,
            pipeline,
            status,
            remind_at: None,
            retry_at: None,
        }
    }

    /// The server's number of the feed (effective filter and encoder).
    #[must_use]
    pub fn feed(&self) -> u32 {
        self.feed.number
    }

    /// First seq that can be delivered.
    #[must_use]
    pub fn from(&self) -> Seq {
        self.from
    }

    /// The first seq that was not looked at yet: whoever reads on from here misses nothing and is given nothing twice.
    #[must_use]
    pub fn position(&self) -> Seq {
        self.subscription.next()
    }

    /// Effective filter.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.feed.filter
    }

    /// What comes next, in order; waits when there is nothing. Cancel-safe: a dropped future loses nothing. After
    /// [`Delivery::Closing`] nothing else follows.
    pub async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.try_next() {
                return delivery;
            }
            if let Some(cursor) = self.overdue() {
                return self.cursor_frame(cursor);
            }
            match self.behind() {
                Some(from) => self.read(from).await,
                None => self.sleep().await,
            }
        }
    }

    /// What comes next if it is there already: lets a door feed while there is work and flush when there is none.
    pub fn try_next(&mut self) -> Option<Delivery> {
        let delivery = self.pass_lull().or_else(|| self.ready());
        let cursor = self.subscription.cursor().map_or(0, Seq::get);
        self.status.set(cursor, self.subscription.is_live());
        delivery
    }

    /// Passes what was looked at for it while it waited.
    fn pass_lull(&mut self) -> Option<Delivery> {
        let passed = self.status.passed(self.hub.wake.looked())?;
        let to = passed.prev().filter(|to| *to >= self.subscription.next())?;
        let told = self.subscription.pass(to, 0)?;
        Some(self.cursor_frame(told))
    }

    fn ready(&mut self) -> Option<Delivery> {
        loop {
            let horizon = self.hub.ring.horizon();
            match self.subscription.step(horizon) {
                Step::Wait => return None,
                Step::Ring(from) => {
                    // The ring may have moved on since the horizon was drawn; the next one says so.
                    if let Some(frame) = self.hub.ring.frame(&self.feed, from)
                        && let Some(delivery) = self.hand_on(frame)
                    {
                        return Some(delivery);
                    }
                }
                Step::Ledger(from) => {
                    let item = self.pipeline.take(from)?;
                    if let Some(delivery) = self.take_item(item, horizon) {
                        return Some(delivery);
                    }
                }
                Step::Gap(gap) => return Some(Delivery::Gap(gap)),
                Step::CaughtUp { cursor } => {
                    self.pipeline.rest();
                    return Some(Delivery::CaughtUp { cursor });
                }
                Step::FellBehind { cursor, lag_events } => {
                    return Some(Delivery::FellBehind { cursor, lag_events });
                }
                Step::Closing { cursor } => return Some(Delivery::Closing { cursor }),
            }
        }
    }

    fn take_item(&mut self, item: Result<Item, ReadFailure>, horizon: Horizon) -> Option<Delivery> {
        let item = match item {
            Ok(item) => item,
            Err(failure) => {
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                return Some(Delivery::Failed {
                    code: "ledger_unreadable",
                    message: format!(
                        "the ledger could not be read: {failure}; reading is tried again, and `kymo verify` says what is wrong"
                    ),
                });
            }
        };
        self.pipeline.start_ahead(&item, horizon.ring_first);
        match item {
            Item::Frame { frame, .. } => self.hand_on(frame),
            Item::Gap { gap, .. } => self.subscription.lose(gap).map(Delivery::Gap),
        }
    }

    fn hand_on(&mut self, frame: Frame) -> Option<Delivery> {
        let told = self.subscription.pass(frame.to, frame.events);
        match (told, frame.bytes) {
            (Some(cursor), Some(bytes)) => {
                self.remind_at = None;
                Some(Delivery::Frame {
                    bytes,
                    cursor,
                    events: frame.events,
                })
            }
            (Some(cursor), None) => Some(self.cursor_frame(cursor)),
            (None, _) => {
                self.remind_later();
                None
            }
        }
    }

    fn cursor_frame(&mut self, cursor: Seq) -> Delivery {
        self.remind_at = None;
        Delivery::Frame {
            bytes: self.feed.empty_frame(cursor),
            cursor,
            events: 0,
        }
    }

    fn remind_later(&mut self) -> Instant {
        let reminder = || self.hub.wake.reminder(CURSOR_EVERY, self.status.turn());
        *self.remind_at.get_or_insert_with(|| Instant::now() + reminder())
    }

    /// The cursor, when it is time to tell it.
    fn overdue(&mut self) -> Option<Seq> {
        if self.remind_at.is_none_or(|at| Instant::now() < at) {
            return None;
        }
        self.remind_at = None;
        self.subscription.remind()
    }

    /// Where the ledger must be read, if the ring does not have it.
    fn behind(&self) -> Option<Seq> {
        let next = self.subscription.next();
        let horizon = self.hub.ring.horizon();
        (!self.subscription.is_live() && next < horizon.ring_first && next < horizon.end).then_some(next)
    }

    async fn read(&mut self, from: Seq) {
        if let Some(at) = self.retry_at {
            tokio::time::sleep_until(at).await;
            self.retry_at = None;
        }
        self.pipeline.start(from);
        self.pipeline.arrive().await;
    }

    /// Waits for what may be its own, or until its cursor is due.
    async fn sleep(&mut self) {
        // What everything is for learns its cursor from frames.
        let remind_at = (!self.feed.filter.is_all()).then(|| self.remind_later());
        let _waiting = self.hub.wake.wait();
        let lull = self.feed.lull();
        self.wait_in(&lull, remind_at).await;
    }

    async fn wait_in(&self, lull: &Arc<Lull>, remind_at: Option<Instant>) {
        let bell = lull.bell();
        // Asked once it would be woken, so that nothing that happens in between is missed.
        let horizon = self.hub.ring.horizon();
        let is_at_end = self.subscription.is_live() && self.subscription.next() >= horizon.end;
        if lull.is_over() || horizon.closing || !is_at_end {
            return;
        }
        self.status.waits(Arc::clone(lull));
        match remind_at {
            None => bell.await,
            Some(at) => {
                let _ = tokio::time::timeout_at(at, bell).await;
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.hub.readers.leave(&self.status);
        if self.hub.feeds.leave(&self.feed) {
            self.hub.catchup.forget(self.feed.number);
        }
    }
}

#[cfg(test)]
mod tests;
