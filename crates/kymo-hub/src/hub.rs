//! The handle that doors, sources and the program hold.

use std::sync::Arc;

use kymo_event::{Channel, Event, Filter, Seq};
use kymo_ledger::{Ledger, ReadError};

use crate::{
    AgentsError, AgentsPage, AgentsRequest, Bridges, Counters, From, HistoryPage, HistoryRequest,
    HubSettings, Intake, Notices, Principal, SubscribeError, SubscribeRequest, Subscriber, clock::Clock,
    folds::asking, history, routes::Routes, shared::Shared, subscription::Subscription,
};

/// The hub. Clones share it.
#[derive(Clone)]
pub struct Hub {
    pub(crate) shared: Arc<Shared>,
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
        let shared = Arc::new(Shared::new(settings, ledger, clock));
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
    pub fn intake(&self, principal: impl Into<Arc<Principal>>, door: &'static str) -> Intake {
        Intake::new(Arc::clone(&self.shared), principal.into(), door)
    }

    /// Records something of our own: type `kymo.*`, source `kymo`. Never blocks, never fails loudly; aggregated under
    /// load.
    pub fn note(&self, event: Event<'static>) {
        self.shared.notes.say(event);
    }

    /// The board of bridges to other systems, as of this moment.
    #[must_use]
    pub fn bridges(&self) -> Bridges {
        Bridges {
            board: Arc::clone(&self.shared.bridges),
            notes: Arc::clone(&self.shared.notes),
            clock: self.shared.clock.clone(),
            head: self.ledger().head().map_or(0, Seq::get),
        }
    }

    /// A reader. Waits only to find where a time is.
    pub async fn subscribe(
        &self,
        request: SubscribeRequest,
        principal: &Principal,
    ) -> Result<Subscriber, SubscribeError> {
        let hub = &self.shared;
        hub.may_read(principal)?;
        let (next, opening) = hub.begin(&request.from).await?;
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
    pub async fn resolve(&self, from: &From) -> Result<Seq, ReadError> {
        self.shared.resolve(from).await
    }

    /// Which agents there are and how they are, now or as of a moment.
    pub async fn agents(
        &self,
        request: AgentsRequest,
        principal: &Principal,
    ) -> Result<AgentsPage, AgentsError> {
        asking::agents(&self.shared, request, principal).await
    }

    /// How many agents this reader may see.
    #[must_use]
    pub fn agents_known(&self, principal: &Principal) -> usize {
        self.shared.folds.look(|agents| agents.count(principal))
    }

    /// The routes that shall run.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.shared.routes
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
            readers: hub.readers.infos(head, hub.wake.looked()),
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
        hub.folds.close().await;
        hub.ring.close();
        hub.wake.everyone();
        let ledger = hub.ledger.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || ledger.close()).await {
            tracing::error!(%error, "closing the ledger failed");
        }
        hub.closed.send_replace(true);
    }
}

fn effective(principal: &Principal, channels: &[Channel], filter: &Filter) -> Filter {
    principal.filter().and(&Channel::union(channels)).and(filter)
}
