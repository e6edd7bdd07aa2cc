//! The subscriptions of one socket, asked in turns, so that a busy one does not starve the others.
use futures_util::future::select_all;
use kymo_hub::{Delivery, Subscriber};

use super::{close::Fault, outbox::Outbox, replies, talk::End};
use crate::error::ApiError;

/// Subscriptions of one socket.
const SUBSCRIPTIONS_MAX: usize = 64;

/// What a socket reads.
#[derive(Default)]
pub(crate) struct Feeds {
    list: Vec<Feed>,
    turn: usize,
}

struct Feed {
    sub: String,
    subscriber: Subscriber,
}

impl Feeds {
    /// Whether there may be a further subscription of this name.
    pub(crate) fn check(&self, sub: &str) -> Result<(), ApiError> {
        if self.list.iter().any(|feed| feed.sub == sub) {
            let message = format!("there is a subscription named {sub} on this socket; unsubscribe it first");
            return Err(ApiError::new("already_subscribed", message));
        }
        if self.list.len() == SUBSCRIPTIONS_MAX {
            let message =
                format!("a socket carries {SUBSCRIPTIONS_MAX} subscriptions; join filters, or open another");
            return Err(ApiError::parameter("sub", message));
        }
        Ok(())
    }

    /// Adds a subscription, unless the same feed is here already; gives it back for the answer.
    pub(crate) fn add(
        &mut self,
        sub: String,
        subscriber: Subscriber,
    ) -> Result<(&str, &Subscriber), ApiError> {
        if let Some(twin) = self
            .list
            .iter()
            .find(|feed| feed.subscriber.feed() == subscriber.feed())
        {
            let message = format!("{} reads the same already on this socket; use it", twin.sub);
            return Err(ApiError::new("already_subscribed", message));
        }
        self.list.push(Feed { sub, subscriber });
        let feed = self.list.last().expect("one was pushed above");
        Ok((&feed.sub, &feed.subscriber))
    }

    /// Ends a subscription.
    pub(crate) fn remove(&mut self, sub: &str) -> Result<(), ApiError> {
        let index = self.list.iter().position(|feed| feed.sub == sub);
        let unknown = || {
            ApiError::new(
                "not_found",
                format!("there is no subscription named {sub} on this socket"),
            )
        };
        self.list.remove(index.ok_or_else(unknown)?);
        Ok(())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Moves what is ready in memory to the outbox, until that is full.
    pub(crate) fn pull(&mut self, outbox: &mut Outbox) -> Result<(), End> {
        let mut idle = 0;
        while idle < self.list.len() && !outbox.is_full() {
            self.turn = (self.turn + 1) % self.list.len();
            match self.list[self.turn].subscriber.try_next() {
                None => idle += 1,
                Some(delivery) => {
                    idle = 0;
                    self.deliver(self.turn, delivery, outbox)?;
                }
            }
        }
        Ok(())
    }

    /// Waits for what comes next, and of which subscription; for ever if there is none.
    pub(crate) async fn next(&mut self) -> (usize, Delivery) {
        match self.list.as_mut_slice() {
            [] => std::future::pending().await,
            [feed] => (0, feed.subscriber.next().await),
            feeds => {
                let waiting = feeds.iter_mut().map(|feed| Box::pin(feed.subscriber.next()));
                let (delivery, index, _) = select_all(waiting).await;
                (index, delivery)
            }
        }
    }

    /// Puts a delivery of subscription `index` into the outbox.
    pub(crate) fn deliver(
        &mut self,
        index: usize,
        delivery: Delivery,
        outbox: &mut Outbox,
    ) -> Result<(), End> {
        let feed = self.list[index].subscriber.feed();
        match delivery {
            Delivery::Frame { bytes, .. } => outbox.share(bytes),
            Delivery::CaughtUp { cursor } => outbox.text(|out| replies::caught_up(feed, cursor, out)),
            Delivery::FellBehind { cursor, lag_events } => {
                outbox.text(|out| replies::fell_behind(feed, cursor, lag_events, out));
            }
            Delivery::Gap(gap) => outbox.text(|out| replies::gap(feed, &gap, out)),
            // The hub tries again by itself; nothing is lost.
            Delivery::Failed { code, message } => {
                let sub = serde_json::to_string(&self.list[index].sub).expect("a string is JSON");
                let error = ApiError::new(code, message);
                outbox.text(|out| replies::error(Some(("sub", &sub)), &error, out));
            }
            Delivery::Closing { .. } => return Err(End::Fault(Fault::CLOSING)),
        }
        Ok(())
    }
}
