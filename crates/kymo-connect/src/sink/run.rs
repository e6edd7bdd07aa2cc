//! The life of every sink: connect, deliver, keep the place; see the module above.

use std::{future::Future, sync::Arc, time::Duration};

use kymo_hub::{Bridge, BridgeAbout, BridgeFault, From, Hub, Principal, SubscribeRequest};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Refused, Selection, Sink, SinkFault,
    batch::{Lines, Wanted},
    breaker::{Breaker, Verdict},
    follow::Follower,
    place::Place,
};
use crate::{
    cursors::Cursors,
    retry::{Pauses, pause},
};

/// A connection that lasted this long was good: the next pause is short.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// On shutdown, how long what is on its way may take.
const PARTING: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Clone, Debug)]
pub struct SinkPlan {
    /// What it is called and where it goes.
    pub about: BridgeAbout,
    /// What it is given.
    pub selection: Selection,
}

/// Runs a sink until shutdown. Faults are shown on the board and tried again; nothing ends it but shutdown, a place
/// that cannot be read, or a hub that gives it nothing.
pub async fn run_sink<S: Sink>(sink: S, plan: SinkPlan, hub: Hub, cursors: &Cursors, end: CancellationToken) {
    let bridge = hub.bridges().enter(plan.about.clone());
    let file = cursors.of(plan.about.direction, &plan.about.name);
    let place = match Place::load(file, plan.selection.begin, &hub, &bridge).await {
        Ok(place) => place,
        Err(fault) => return bridge.stopped(Some(fault)),
    };
    let request = SubscribeRequest {
        filter: plan.selection.filter.clone(),
        channels: Vec::new(),
        from: From::Seq(place.next(), None),
        encoder: Arc::new(Lines),
    };
    let reader = match hub.subscribe(request, &Principal::owner()).await {
        Ok(reader) => reader,
        Err(error) => return bridge.stopped(Some(BridgeFault::new("ledger_unreadable", error.to_string()))),
    };
    let mut run = Run {
        wanted: Wanted {
            about: plan.about,
            origin: sink.origin().map(ToOwned::to_owned),
            backfill: plan.selection.backfill,
        },
        sink,
        bridge,
        follower: Follower::new(reader),
        place,
        pauses: Pauses::default(),
        breaker: Breaker::default(),
        end,
    };
    if run.place.is_new() {
        if let Err(fault) = run.sink.forget().await {
            run.bridge.fault(fault);
        }
        // From here on it has begun, whatever comes of the other side.
        run.store().await;
    }
    run.live().await;
    run.part().await;
}

struct Run<S> {
    sink: S,
    wanted: Wanted,
    bridge: Bridge,
    follower: Follower,
    place: Place,
    pauses: Pauses,
    breaker: Breaker,
    end: CancellationToken,
}

/// Why a connection is not used any more.
enum Over {
    Lost(BridgeFault),
    Shutdown,
}

impl<S: Sink> Run<S> {
    async fn live(&mut self) {
        let end = self.end.clone();
        while !end.is_cancelled() && !self.follower.is_closing() {
            self.bridge.connecting();
            self.fill();
            self.show();
            let began = Instant::now();
            let connecting = timeout(self.sink.patience(), self.sink.connect());
            let connected = match end.run_until_cancelled(connecting).await {
                None => return,
                Some(Err(_)) => Err(BridgeFault::new(
                    "timeout",
                    "the other side did not answer in time",
                )),
                Some(Ok(connected)) => connected,
            };
            let fault = match connected {
                Err(fault) => fault,
                Ok(()) => {
                    self.bridge.connected();
                    match self.work().await {
                        Over::Shutdown => return,
                        Over::Lost(fault) => fault,
                    }
                }
            };
            if began.elapsed() > GOOD_AFTER {
                self.pauses.reset();
            }
            let next = self.pauses.next_pause();
            self.bridge.waiting(fault, Some(next));
            self.store_if_due().await;
            if !pause(next, &end).await {
                return;
            }
        }
    }

    /// Delivers for as long as the connection lasts.
    async fn work(&mut self) -> Over {
        loop {
            self.fill();
            if self.follower.batch().is_empty() {
                self.passed();
            }
            self.show();
            if self.follower.batch().is_empty() {
                if let Some(over) = self.idle().await {
                    return over;
                }
                continue;
            }
            let end = self.end.clone();
            let delivering = timeout(self.sink.patience(), self.sink.deliver(self.follower.batch()));
            let delivered = match or_parting(&end, delivering).await {
                None => return Over::Shutdown,
                Some(Err(_)) => {
                    let message = "the other side did not take a batch in time";
                    return Over::Lost(BridgeFault::new("timeout", message));
                }
                Some(Ok(delivered)) => delivered,
            };
            match delivered {
                Ok(refused) => self.delivered(&refused).await,
                Err(SinkFault::Lost(fault)) => return Over::Lost(fault),
                Err(SinkFault::Refused(fault)) => {
                    if !self.refused(fault).await {
                        return Over::Shutdown;
                    }
                }
            }
        }
    }

    /// Waits for events while there are none.
    async fn idle(&mut self) -> Option<Over> {
        if self.follower.is_closing() {
            return Some(Over::Shutdown);
        }
        let store_at = self.place.due();
        tokio::select! {
            () = self.end.cancelled() => return Some(Over::Shutdown),
            fault = self.sink.lost() => return Some(Over::Lost(fault)),
            () = self.follower.wait(&self.wanted, &self.bridge) => {}
            () = at(store_at) => {}
        }
        self.store_if_due().await;
        None
    }

    fn fill(&mut self) {
        self.follower.fill(&self.wanted, &self.bridge);
    }

    async fn delivered(&mut self, refused: &[Refused]) {
        let events = self.follower.batch().len() as u64;
        self.follower.delivered();
        self.passed();
        self.breaker.worked();
        self.pauses.reset();
        self.bridge.connected();
        self.bridge.passed(events - refused.len() as u64);
        if let Some(first) = refused.first() {
            self.bridge.refused(refused.len() as u64, &first.fault);
        }
        self.store_if_due().await;
    }

    /// The other side took nothing; false if shutdown came while it was left alone.
    async fn refused(&mut self, fault: BridgeFault) -> bool {
        let next = match self.breaker.failed() {
            Verdict::Retry(next) => {
                self.bridge.waiting(fault, Some(next));
                next
            }
            Verdict::Open(next) => {
                self.bridge.paused(fault, Some(next));
                next
            }
        };
        pause(next, &self.end).await
    }

    /// Everything that was looked at is delivered.
    fn passed(&mut self) {
        self.place.move_to(self.follower.looked());
    }

    fn show(&self) {
        self.bridge
            .position(self.place.next(), self.follower.batch().oldest());
    }

    async fn store_if_due(&mut self) {
        if self.place.due().is_some_and(|due| due <= Instant::now()) {
            self.store().await;
        }
    }

    async fn store(&mut self) {
        if !self.place.moved() {
            return;
        }
        let fault = match timeout(self.sink.patience(), self.sink.keep()).await {
            Ok(Ok(())) => match self.place.store().await {
                Ok(()) => return,
                Err(error) => {
                    let message =
                        format!("the place of this sink cannot be stored, so a restart repeats: {error}");
                    BridgeFault::new("cursor_unwritable", message)
                }
            },
            Ok(Err(fault)) => fault,
            Err(_) => BridgeFault::new("timeout", "the other side did not keep what it has in time"),
        };
        self.place.later();
        self.bridge.fault(fault);
    }

    async fn part(&mut self) {
        let _ = timeout(PARTING, self.sink.close()).await;
        // What is not stored is repeated; an end that never comes would be worse.
        let _ = timeout(PARTING, self.store()).await;
        self.bridge.stopped(None);
    }
}

/// Waits for `work`; once it shall end, only a little longer.
async fn or_parting<T>(end: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return Some(done),
        () = end.cancelled() => {}
    }
    timeout(PARTING, work).await.ok()
}

/// At this moment; never without one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
