//! The handle that doors, sources and the program hold: puts the rooms together and takes them apart again.

use std::sync::Arc;

use kymo_event::{Channel, Event, Filter, Micros, Seq};
use kymo_ledger::{Appended, Durability, Gap, GapReason, Ledger, ReadError};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Counters, From, HistoryPage, HistoryRequest, HubSettings, Intake, Notices, Principal, Scope,
    SubscribeError, SubscribeRequest, Subscriber,
    catchup::CatchUp,
    clock::Clock,
    counters::Numbers,
    feeds::Feeds,
    gate::Gate,
    history, housekeeping,
    ids::Ids,
    notes::{self, Notes},
    rates::Rates,
    readers::Readers,
    ring::Ring,
    subscription::Subscription,
};

/// The hub. Clones share it.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

/// What all rooms share.
pub(crate) struct Shared {
    pub(crate) settings: HubSettings,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<Gate>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) ids_loaded: Loaded,
    pub(crate) rates: Arc<Rates>,
    pub(crate) ring: Arc<Ring>,
    pub(crate) feeds: Feeds,
    pub(crate) readers: Readers,
    pub(crate) catchup: Arc<CatchUp>,
    pub(crate) numbers: Arc<Numbers>,
    notes: Arc<Notes>,
    tasks: TaskTracker,
    stop: CancellationToken,
    closed: watch::Sender<bool>,
}

/// Whether the ids that the ledger remembers are in memory.
pub(crate) struct Loaded(watch::Receiver<bool>);

impl Loaded {
    pub(crate) async fn wait(&self) {
        // The sender only goes after it said so, or with the runtime.
        let _ = self.0.clone().wait_for(|loaded| *loaded).await;
    }
}

impl Hub {
    /// Takes the ledger over: from here on all appends go through the hub. Needs a tokio runtime with time (notes,
    /// catch-up reads).
    #[must_use]
    pub fn start(settings: HubSettings, ledger: Ledger) -> Self {
        Self::start_with(settings, ledger, Notices::new())
    }

    /// The same, recording as `kymo.*` events what the ledger's notices say (from before the start on).
    #[must_use]
    pub fn start_with(settings: HubSettings, ledger: Ledger, notices: Notices) -> Self {
        Self::start_at(settings, ledger, &notices, Clock::system())
    }

    pub(crate) fn start_at(settings: HubSettings, ledger: Ledger, notices: &Notices, clock: Clock) -> Self {
        let end = ledger.head().map_or(Seq::FIRST, Seq::next);
        let ring = Arc::new(Ring::new(settings.ring_bytes_max, settings.frame_bytes_max, end));
        let pushed = Arc::clone(&ring);
        ledger.on_commit(Box::new(move |lines| pushed.push(lines)));
        let ids = Arc::new(Ids::new(settings.ids_max));
        let ids_loaded = load_ids(&ids, &ledger, settings.ids_max);
        let shared = Arc::new(Shared {
            gate: Arc::default(),
            ids,
            ids_loaded,
            rates: Arc::new(Rates::new(settings.rate_per_source)),
            ring,
            feeds: Feeds::default(),
            readers: Readers::default(),
            catchup: Arc::new(CatchUp::new(&settings, ledger.clone())),
            numbers: Arc::new(Numbers::new(clock.clone())),
            notes: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            closed: watch::Sender::new(false),
            settings,
            ledger,
            clock,
        });
        notices.connect(&shared.notes);
        shared.start_tasks();
        Self { shared }
    }

    /// The ledger beneath.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Settings in force.
    #[must_use]
    pub fn settings(&self) -> &HubSettings {
        &self.shared.settings
    }

    /// Begins a batch from one principal at one door (`http`, `ws`, `import`, …).
    #[must_use]
    pub fn intake(&self, principal: &Principal, door: &'static str) -> Intake {
        Intake::new(Arc::clone(&self.shared), principal.clone(), door)
    }

    /// Records something of our own: type `kymo.*`, source `kymo`. Never blocks, never fails loudly; aggregated under
    /// load.
    pub fn note(&self, event: Event<'static>) {
        self.shared.notes.say(event);
    }

    /// A reader.
    pub fn subscribe(
        &self,
        request: SubscribeRequest,
        principal: &Principal,
    ) -> Result<Subscriber, SubscribeError> {
        let hub = &self.shared;
        hub.may_read(principal)?;
        let (next, opening) = hub.begin(&request.from)?;
        let filter = effective(principal, &request.channels, &request.filter);
        let feed = hub.feeds.join(filter, request.encoder);
        let cursor = next.get() - 1;
        let name = Arc::clone(&principal.name);
        let status = hub
            .readers
            .enter(feed.number, name, feed.filter.canonical(), cursor);
        let subscription = Subscription::new(next, opening);
        Ok(Subscriber::new(Arc::clone(hub), feed, subscription, status))
    }

    /// A page of the past; reads on the bounded catch-up pool.
    pub async fn history(
        &self,
        request: HistoryRequest,
        principal: &Principal,
    ) -> Result<HistoryPage, SubscribeError> {
        self.shared.may_read(principal)?;
        let filter = effective(principal, &request.channels, &request.filter);
        history::page(&self.shared, request, filter).await
    }

    /// Resolves `from`/`to` to a seq: times mean `recorded`.
    pub fn resolve(&self, from: &From) -> Result<Seq, ReadError> {
        self.shared.resolve(from)
    }

    /// Numbers of this moment.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let hub = &self.shared;
        let head = hub.ledger.head().map_or(0, Seq::get);
        Counters {
            head,
            first: hub.ledger.first().get(),
            ledger_bytes: hub.ledger.size_bytes(),
            readers: hub.readers.infos(head),
            ring_bytes: hub.ring.bytes(),
            ..hub.numbers.snapshot()
        }
    }

    /// Stops admitting (`closing`), waits for what the ledger was given, ends subscribers with
    /// [`crate::Delivery::Closing`] (after what is durable was delivered, to those that keep up), and closes the
    /// ledger. Called again it waits for the first call.
    pub async fn close(&self) {
        let hub = &self.shared;
        if !hub.gate.close() {
            // The sender lives as long as we do.
            let _ = hub.closed.subscribe().wait_for(|closed| *closed).await;
            return;
        }
        hub.gate.empty().await;
        hub.stop.cancel();
        hub.tasks.close();
        hub.tasks.wait().await;
        hub.ring.close();
        let ledger = hub.ledger.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || ledger.close()).await {
            tracing::error!(%error, "closing the ledger failed");
        }
        hub.closed.send_replace(true);
    }
}

impl Drop for Shared {
    /// Without [`Hub::close`] the tasks end with the last handle, intake or subscriber.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn start_tasks(self: &Arc<Self>) {
        let writer = notes::Writer {
            notes: Arc::clone(&self.notes),
            ledger: self.ledger.clone(),
            numbers: Arc::clone(&self.numbers),
            clock: self.clock.clone(),
        };
        self.tasks.spawn(writer.run(self.stop.clone()));
        let ring = Arc::clone(&self.ring);
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(ring.wake.pump()).await });
        let rates = Arc::clone(&self.rates);
        let work = housekeeping::run(self.ledger.clone(), rates, Arc::clone(&self.notes));
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(work).await });
    }

    fn may_read(&self, principal: &Principal) -> Result<(), SubscribeError> {
        if !principal.may(Scope::Read) {
            return Err(SubscribeError::NotAllowed);
        }
        if self.gate.is_closing() {
            return Err(SubscribeError::Closing);
        }
        Ok(())
    }

    /// Level reached; where nothing was appended, the one that what is stored has reached.
    pub(crate) fn durability(&self, appended: Option<Appended>) -> Durability {
        appended.map_or_else(|| self.ledger.durability(), |appended| appended.durability)
    }

    /// The first seq to be looked at, and the gap to be told before.
    pub(crate) fn begin(&self, from: &From) -> Result<(Seq, Option<Gap>), ReadError> {
        let From::Seq(asked, ledger) = from else {
            return Ok((self.resolve(from)?, None));
        };
        let gap = |first: Seq, lost, reason| Gap {
            asked: *asked,
            first,
            lost,
            reason,
        };
        let end = self.end();
        if ledger.as_ref().is_some_and(|ledger| *ledger != self.ledger.id()) {
            // How many are lost is unknown: nothing is known of the other ledger.
            let first = self.ledger.first();
            return Ok((first, Some(gap(first, 0, GapReason::OtherLedger))));
        }
        if *asked > end {
            let lost = asked.get() - end.get();
            return Ok((end, Some(gap(end, lost, GapReason::AheadOfLedger))));
        }
        Ok((*asked, None))
    }

    pub(crate) fn resolve(&self, from: &From) -> Result<Seq, ReadError> {
        match from {
            From::Now => Ok(self.end()),
            From::Start => Ok(self.ledger.first()),
            From::Seq(seq, _) => Ok(*seq),
            From::Ago(micros) => self
                .ledger
                .seq_at(Micros(self.clock.now().0.saturating_sub(*micros))),
            From::Time(time) => self.ledger.seq_at(*time),
        }
    }

    /// The seq after the newest durable one.
    pub(crate) fn end(&self) -> Seq {
        self.ledger.head().map_or(Seq::FIRST, Seq::next)
    }
}

fn effective(principal: &Principal, channels: &[Channel], filter: &Filter) -> Filter {
    principal.filter().and(&Channel::union(channels)).and(filter)
}

/// Reads the newest ids behind the start, because most events have none and need not wait for it.
fn load_ids(ids: &Arc<Ids>, ledger: &Ledger, ids_max: usize) -> Loaded {
    let (sender, loaded) = watch::channel(false);
    let (ids, ledger) = (Arc::clone(ids), ledger.clone());
    tokio::task::spawn_blocking(move || {
        let recent = ledger.recent_ids(ids_max);
        ids.load(&recent, recent.len() < ids_max);
        sender.send_replace(true);
    });
    Loaded(loaded)
}
