//! Where a source's events go.
//!
//! A source hands over events in order and waits: what slows the other side down slows the source, and nothing piles
//! up between them. Busy hubs, full disks and rate limits are waited for here, so that no source has to know them.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use kymo_event::Event;
use kymo_hub::{Hub, Principal, PublishError, Receipt, Rejected};

/// The refusal that passes by itself.
const RATE_LIMITED: &str = "rate_limited";
/// A receipt names every refusal of a batch this small.
const BATCH_EVENTS_MAX: usize = 500;
/// Rates are counted by the second.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// What comes of handing events over.
pub type Emitted<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// Where a source's events go: the hub in the same process, or a server elsewhere.
pub trait Outlet: Send + Sync + 'static {
    /// Hands events over in order; done when they are durable (or were kept for later). Waits and retries by itself
    /// when the other side is busy; an error is final for these events and was already reported.
    fn emit<'a>(
        &'a self,
        events: Vec<Event<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

    /// The same for a source that keeps what was refused: those events are named in the answer instead of reported.
    /// An outlet that cannot tell them apart answers for all of them.
    fn emit_each<'a>(&'a self, events: Vec<Event<'static>>) -> Emitted<'a, Taken> {
        Box::pin(async move { self.emit(events).await.map(|()| Taken::default()) })
    }

    /// Reports a happening of Kymo's own (`kymo.*`). Never waits, never fails.
    fn note(&self, event: Event<'static>) {
        tracing::warn!(kind = %event.kind, data = event.data.as_deref().unwrap_or(""), "note");
    }
}

/// What became of events that were handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Those that were not taken.
    pub refused: Vec<Refused>,
    /// How many were stored before.
    pub repeats: u64,
}

/// An event that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Index among the events handed over.
    pub index: usize,
    /// Stable.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
}

/// The hub of this process.
pub struct HubOutlet {
    hub: Hub,
    owner: Arc<Principal>,
    door: &'static str,
    drops_over_rate: bool,
}

impl HubOutlet {
    /// As the owner, at this door (`watch`, `spool`).
    #[must_use]
    pub fn new(hub: Hub, door: &'static str) -> Self {
        Self {
            hub,
            owner: Arc::new(Principal::owner()),
            door,
            drops_over_rate: false,
        }
    }

    /// The same for a source whose other side waits for nobody: what is over a rate limit is refused instead of handed
    /// over later.
    #[must_use]
    pub fn dropping_over_rate(self) -> Self {
        Self {
            drops_over_rate: true,
            ..self
        }
    }

    /// Hands all of them over; what the rate limit holds back is handed over again until it passes, and what comes
    /// after it waits, so that a source's events are stored in its order (warnings always pass).
    async fn deliver(&self, events: &[Event<'static>]) -> Result<Taken, String> {
        let mut taken = Taken::default();
        let mut left: Vec<usize> = (0..events.len()).collect();
        loop {
            let mut held_back = Vec::new();
            let mut handed_over = 0;
            for part in left.chunks(BATCH_EVENTS_MAX) {
                handed_over += part.len();
                let receipt = self.commit(events, part).await?;
                taken.repeats += receipt.duplicates.len() as u64;
                for rejected in receipt.rejected {
                    if rejected.code == RATE_LIMITED && !self.drops_over_rate {
                        held_back.push(rejected.index);
                    } else {
                        taken.refused.push(rejected.into());
                    }
                }
                if !held_back.is_empty() {
                    break;
                }
            }
            if held_back.is_empty() {
                return Ok(taken);
            }
            held_back.extend_from_slice(&left[handed_over..]);
            left = held_back;
            tokio::time::sleep(RATE_WINDOW).await;
        }
    }

    async fn commit(&self, events: &[Event<'static>], indexes: &[usize]) -> Result<Receipt, String> {
        let mut patience = Patience::default();
        loop {
            let mut intake = self.hub.intake(Arc::clone(&self.owner), self.door);
            for &index in indexes {
                intake.event(index, events[index].clone());
            }
            match intake.commit().await {
                Ok(receipt) => return Ok(receipt),
                Err(error) => patience.wait(error, self.door).await?,
            }
        }
    }
}

impl Outlet for HubOutlet {
    fn emit<'a>(
        &'a self,
        events: Vec<Event<'static>>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let refused = self.deliver(&events).await?.refused;
            let Some(first) = refused.first() else {
                return Ok(());
            };
            self.note(refusal_note(self.door, &refused, first));
            Err(format!(
                "{} of {} events were refused: {}",
                refused.len(),
                events.len(),
                first.message
            ))
        })
    }

    fn emit_each<'a>(&'a self, events: Vec<Event<'static>>) -> Emitted<'a, Taken> {
        Box::pin(async move { self.deliver(&events).await })
    }

    fn note(&self, event: Event<'static>) {
        self.hub.note(event);
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self {
            index: rejected.index,
            code: rejected.code.to_owned(),
            message: rejected.message,
        }
    }
}

fn refusal_note(door: &str, refused: &[Refused], first: &Refused) -> Event<'static> {
    let data = serde_json::json!({
        "door": door, "refused": refused.len(), "code": first.code, "message": first.message,
    });
    let mut note = Event::new("kymo.source.refused", "kymo");
    note.level = kymo_event::Level::Warn;
    note.data = Some(data.to_string().into());
    note
}

/// How long to wait before the next try; longer each time a fault stays.
#[derive(Default)]
struct Patience {
    tries: u32,
}

impl Patience {
    const LONGEST: Duration = Duration::from_secs(5);

    /// Waits out what passes by itself; gives back what does not.
    async fn wait(&mut self, error: PublishError, door: &str) -> Result<(), String> {
        let asked = match &error {
            PublishError::Busy { retry_after_s } => Duration::from_secs(u64::from(*retry_after_s)),
            PublishError::DiskFull | PublishError::Unwritable(_) => Duration::from_secs(1),
            PublishError::Closing | PublishError::NotAllowed => return Err(error.to_string()),
        };
        if self.tries == 0 {
            tracing::warn!(door, %error, "events wait");
        }
        let grown = Duration::from_millis(50 << self.tries.min(7));
        self.tries += 1;
        tokio::time::sleep(grown.min(asked).min(Self::LONGEST)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_busy_hub_is_waited_for_and_a_closing_one_is_not() {
        let mut patience = Patience::default();
        assert!(
            patience
                .wait(PublishError::Busy { retry_after_s: 1 }, "watch")
                .await
                .is_ok()
        );
        assert!(patience.wait(PublishError::DiskFull, "watch").await.is_ok());
        assert!(patience.wait(PublishError::Closing, "watch").await.is_err());
    }
}
