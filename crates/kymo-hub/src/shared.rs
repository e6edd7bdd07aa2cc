//! What all rooms of a hub share, the tasks that serve them, and where a reader begins.

use std::sync::Arc;

use kymo_event::{Micros, Seq};
use kymo_ledger::{Appended, Durability, Gap, GapReason, Ledger, ReadError};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    From, HubSettings, Principal, Scope, SubscribeError,
    bridges::Board,
    catchup::CatchUp,
    clock::Clock,
    counters::Numbers,
    feeds::Feeds,
    folds::Folds,
    gate::Gate,
    housekeeping,
    ids::Ids,
    notes::{self, Notes},
    rates::Rates,
    readers::Readers,
    ring::Ring,
    routes::Routes,
    wake::Wake,
};

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
    pub(crate) feeds: Arc<Feeds>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) readers: Readers,
    pub(crate) catchup: Arc<CatchUp>,
    pub(crate) folds: Arc<Folds>,
    pub(crate) routes: Routes,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) bridges: Arc<Board>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) closed: watch::Sender<bool>,
}

/// Whether the ids that the ledger remembers are in memory.
pub(crate) struct Loaded(watch::Receiver<bool>);

impl Loaded {
    pub(crate) async fn wait(&self) {
        // The sender only goes after it said so, or with the runtime.
        let _ = self.0.clone().wait_for(|loaded| *loaded).await;
    }

    /// Whether nobody need wait.
    pub(crate) fn is_over(&self) -> bool {
        *self.0.borrow()
    }
}

impl Drop for Shared {
    /// Without [`Hub::close`] the tasks end with the last handle, intake or subscriber.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    /// Takes the ledger over: its commits go into the ring from here on.
    pub(crate) fn new(settings: HubSettings, ledger: Ledger, clock: Clock) -> Self {
        let end = ledger.head().map_or(Seq::FIRST, Seq::next);
        let ring = Arc::new(Ring::new(settings.ring_bytes_max, settings.frame_bytes_max, end));
        let feeds = Arc::new(Feeds::default());
        let wake = Arc::new(Wake::new(Arc::clone(&ring), Arc::clone(&feeds)));
        let catchup = Arc::new(CatchUp::new(&settings, ledger.clone()));
        let notes = Arc::default();
        let folds = Arc::new(Folds::new(&settings, &ledger, &ring, &catchup, &notes));
        let (pushed, woken, rung) = (Arc::clone(&ring), Arc::clone(&wake), Arc::downgrade(&folds));
        ledger.on_commit(Box::new(move |lines| {
            pushed.push(lines);
            woken.committed();
            // Weakly: it holds the ledger that holds this.
            if let Some(folds) = rung.upgrade() {
                folds.committed();
            }
        }));
        let ids = Arc::new(Ids::new(settings.ids_max));
        let ids_loaded = load_ids(&ids, &ledger, settings.ids_max);
        Self {
            gate: Arc::default(),
            ids,
            ids_loaded,
            rates: Arc::new(Rates::new(settings.rate_per_source)),
            ring,
            feeds,
            wake,
            readers: Readers::default(),
            catchup,
            folds,
            routes: Routes::default(),
            numbers: Arc::new(Numbers::new(clock.clone())),
            notes,
            bridges: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            closed: watch::Sender::new(false),
            settings,
            ledger,
            clock,
        }
    }

    pub(crate) fn start_tasks(self: &Arc<Self>) {
        let writer = notes::Writer {
            notes: Arc::clone(&self.notes),
            ledger: self.ledger.clone(),
            numbers: Arc::clone(&self.numbers),
            clock: self.clock.clone(),
        };
        self.tasks.spawn(writer.run(self.stop.clone()));
        let wake = Arc::clone(&self.wake);
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(wake.look_on()).await });
        let folds = Arc::clone(&self.folds);
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(folds.run()).await });
        let rates = Arc::clone(&self.rates);
        let work = housekeeping::run(self.ledger.clone(), rates, Arc::clone(&self.notes));
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(work).await });
    }

    /// Whether it may subscribe or look at the past.
    pub(crate) fn may_read(&self, principal: &Principal) -> Result<(), SubscribeError> {
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
    pub(crate) async fn begin(&self, from: &From) -> Result<(Seq, Option<Gap>), ReadError> {
        let From::Seq(asked, ledger) = from else {
            return Ok((self.resolve(from).await?, None));
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

    /// The seq a beginning or an end means: times mean `recorded`.
    pub(crate) async fn resolve(&self, from: &From) -> Result<Seq, ReadError> {
        match from {
            From::Now => Ok(self.end()),
            From::Start => Ok(self.ledger.first()),
            From::Seq(seq, _) => Ok(*seq),
            From::Ago(micros) => {
                self.seq_at(Micros(self.clock.now().0.saturating_sub(*micros)))
                    .await
            }
            From::Time(time) => self.seq_at(*time).await,
        }
    }

    async fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        self.catchup.read(move |ledger| ledger.seq_at(time)).await
    }

    /// The seq after the newest durable one.
    pub(crate) fn end(&self) -> Seq {
        self.ledger.head().map_or(Seq::FIRST, Seq::next)
    }
}

/// Reads the newest ids behind the start, because most events have none and need not wait for it.
fn load_ids(ids: &Arc<Ids>, ledger: &Ledger, ids_max: usize) -> Loaded {
    let (sender, loaded) = watch::channel(false);
    let (ids, ledger) = (Arc::clone(ids), ledger.clone());
    tokio::task::spawn_blocking(move || {
        let end = ledger.head().map_or(Seq::FIRST, Seq::next);
        let events = end.get() - ledger.first().get();
        let recent = ledger.recent_ids(ids_max);
        // Only of a short ledger it is certain that all its ids were looked at. Where none were found there are none,
        // or they could not be read: then nothing is known.
        let covered = match recent.first() {
            _ if events == 0 => None,
            Some(_) if events < ids_max as u64 => None,
            Some((_, seq)) => Some(*seq),
            None => Some(end),
        };
        ids.load(&recent, covered);
        sender.send_replace(true);
    });
    Loaded(loaded)
}
