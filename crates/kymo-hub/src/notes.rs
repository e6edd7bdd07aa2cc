//! What the hub itself has to say: events of type `kymo.*` from source `kymo`.
//!
//! Saying never blocks and never fails. One task writes them down, a bounded number of each type in a while and the
//! rest as one event with their number; while the ledger cannot be written they wait, and what finds no room is
//! counted. Nothing said here is about what is said here.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use kymo_event::{Batch, Event, Level};
use kymo_ledger::{AppendError, Ledger};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    counters::{Numbers, tally::Tally},
};

mod aggregate;

/// Notes that wait for the task, and those that wait for the ledger.
const WAITING_MAX: usize = 1_024;
/// How often windows are looked at and failed writes are tried again.
const TICK: Duration = Duration::from_secs(1);
const SOURCE: &str = "kymo";
const PREFIX: &str = "kymo.";

/// Where anybody may leave a note.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    waiting: Mutex<Waiting>,
    bell: Notify,
    /// A segment was sealed, or what held retention back is over: there may be something to tidy up.
    pub(crate) sealed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    notes: VecDeque<Event<'static>>,
    dropped: u64,
}

impl Notes {
    pub(crate) fn say(&self, mut event: Event<'static>) {
        event.source = SOURCE.into();
        if !event.kind.starts_with(PREFIX) {
            event.kind = format!("{PREFIX}{}", event.kind).into();
        }
        let mut waiting = self.waiting.lock();
        if waiting.notes.len() < WAITING_MAX {
            waiting.notes.push_back(event);
        } else {
            waiting.dropped += 1;
        }
        drop(waiting);
        self.bell.notify_one();
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock())
    }
}

/// Makes a note with a JSON object as data.
pub(crate) fn note(kind: &'static str, level: Level, data: &serde_json::Value) -> Event<'static> {
    let mut event = Event::new(kind, SOURCE);
    event.level = level;
    event.data = Some(data.to_string().into());
    event
}

/// The task that writes notes down.
pub(crate) struct Writer {
    pub(crate) notes: Arc<Notes>,
    pub(crate) ledger: Ledger,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) clock: Clock,
}

impl Writer {
    /// Works until it is told to stop, then writes what is left.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut aggregate = aggregate::Aggregate::default();
        let mut unwritten = VecDeque::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.notes.bell.notified() => {}
                _ = tick.tick() => {}
                () = stop.cancelled() => {}
            }
            self.gather(&mut aggregate, &mut unwritten);
            self.write(&mut unwritten).await;
        }
        self.gather(&mut aggregate, &mut unwritten);
        unwritten.extend(aggregate.flush(None));
        self.write(&mut unwritten).await;
    }

    fn gather(&self, aggregate: &mut aggregate::Aggregate, unwritten: &mut VecDeque<Event<'static>>) {
        let now = self.clock.now();
        let Waiting { notes, mut dropped } = self.notes.take();
        unwritten.extend(aggregate.flush(Some(now)));
        unwritten.extend(notes.into_iter().filter_map(|note| aggregate.offer(note, now)));
        while unwritten.len() > WAITING_MAX {
            unwritten.pop_front();
            dropped += 1;
        }
        if dropped > 0 {
            let data = serde_json::json!({ "dropped": dropped });
            unwritten.push_back(note("kymo.notes.dropped", Level::Warn, &data));
        }
    }

    /// Appends what there is; what the ledger does not take stays for later.
    async fn write(&self, unwritten: &mut VecDeque<Event<'static>>) {
        if unwritten.is_empty() {
            return;
        }
        let mut batch = Batch::default();
        let mut tally = Tally::default();
        for event in &*unwritten {
            batch.push(event);
            tally.add(&event.kind, &event.source, event.level);
        }
        let (sender, answer) = oneshot::channel();
        // Nobody listens only when the runtime is going down.
        self.ledger
            .append(batch, Box::new(move |result| drop(sender.send(result))));
        match answer.await {
            Ok(Ok(_)) => {
                self.numbers.stored(&tally);
                unwritten.clear();
            }
            Ok(Err(AppendError::Closed)) | Err(_) => unwritten.clear(),
            Ok(Err(error)) => tracing::debug!(%error, notes = unwritten.len(), "notes wait for the ledger"),
        }
    }
}
