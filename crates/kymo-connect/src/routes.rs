//! Runs the hub's routes: each is a sink whose other side is the hub itself.
//!
//! So a route has what every sink has: a place on disk that it goes on from, a state on the board, and no way to slow
//! anybody down. What it derives has an id made of the route and the original's seq: after a crash nothing is derived
//! twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kymo_hub::{
    BridgeAbout, BridgeFault, Direction, Hub,
    routes::{Listed, RouteList, RouteSettings, Rule},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Cursors, HubOutlet, Outlet,
    sink::{Batch, Begin, Refused, Selection, Sink, SinkFault, SinkPlan, run_sink},
};

/// Follows the list of routes and runs what is on it, until told to end.
pub async fn run_routes(hub: Hub, cursors: Cursors, end: CancellationToken) {
    let mut running = Running {
        hub,
        cursors,
        routes: BTreeMap::new(),
        listed: BTreeSet::new(),
    };
    let mut changes = running.hub.routes().changes();
    loop {
        let list = Arc::clone(&changes.borrow_and_update());
        running.follow(&list).await;
        match end.run_until_cancelled(changes.changed()).await {
            Some(Ok(())) => {}
            _ => break,
        }
    }
    let routes = std::mem::take(&mut running.routes);
    routes.values().for_each(|route| route.end.cancel());
    for route in routes.into_values() {
        route.end().await;
    }
}

struct Running {
    hub: Hub,
    cursors: Cursors,
    routes: BTreeMap<String, Route>,
    /// The names on the list that was followed last, also of those that did not run.
    listed: BTreeSet<String>,
}

/// A route that runs.
struct Route {
    settings: RouteSettings,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Route {
    async fn end(self) {
        self.end.cancel();
        // It is aborted by nobody, and a panic in it was its own.
        let _ = self.task.await;
    }
}

impl Running {
    /// Ends what is not on the list any more, or says something else now; begins what does not run yet.
    async fn follow(&mut self, list: &RouteList) {
        let runs = |name: &str| list.get(name).filter(|listed| listed.settings.enabled);
        let is_over = |(name, route): &(&String, &Route)| {
            runs(name).is_none_or(|listed| listed.settings != route.settings)
        };
        let over: Vec<_> = self
            .routes
            .iter()
            .filter(is_over)
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            let Some(route) = self.routes.remove(&name) else {
                continue;
            };
            route.end().await;
            if runs(&name).is_none() {
                self.hub.bridges().remove(Direction::Route, &name);
            }
        }
        // Who comes back under this name after being removed begins anew.
        let listed = list.keys().cloned().collect();
        for name in std::mem::replace(&mut self.listed, listed).difference(&self.listed) {
            let place = self.cursors.of::<serde_json::Value>(Direction::Route, name);
            if let Err(error) = place.remove() {
                tracing::warn!(route = name, %error, "the place of a route that is gone could not be removed");
            }
        }
        for (name, Listed { settings, .. }) in list.iter() {
            if settings.enabled && !self.routes.contains_key(name) {
                self.routes.extend(self.begin(name, settings));
            }
        }
    }

    fn begin(&self, name: &str, settings: &RouteSettings) -> Option<(String, Route)> {
        let about = BridgeAbout {
            name: name.to_owned(),
            kind: "route",
            direction: Direction::Route,
            target: settings.emit.kind.clone(),
        };
        let rule = match Rule::new(settings) {
            Ok(rule) => rule,
            Err(error) => {
                // The list has only what can be run; whoever changes that shall see it.
                let fault = BridgeFault::new("invalid_route", error.to_string());
                self.hub.bridges().enter(about).stopped(Some(fault));
                return None;
            }
        };
        let plan = SinkPlan {
            about,
            selection: Selection {
                filter: rule.filter().clone(),
                begin: Begin::Now,
                backfill: settings.backfill,
            },
        };
        let derive = Derive {
            outlet: HubOutlet::new(self.hub.clone(), "route"),
            rule,
            name: name.to_owned(),
            ledger: self.hub.ledger().id().to_string(),
        };
        let (hub, cursors, end) = (self.hub.clone(), self.cursors.clone(), CancellationToken::new());
        let ends = end.clone();
        let task = tokio::spawn(async move { run_sink(derive, plan, hub, &cursors, ends).await });
        let settings = settings.clone();
        Some((name.to_owned(), Route { settings, end, task }))
    }
}

/// The other side of a route: what is derived is stored.
struct Derive {
    rule: Rule,
    outlet: HubOutlet,
    name: String,
    ledger: String,
}

impl Sink for Derive {
    async fn connect(&mut self) -> Result<(), BridgeFault> {
        Ok(())
    }

    async fn deliver(&mut self, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        let (mut refused, mut events, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
        for (index, item) in batch.iter().enumerate() {
            let id = format!("{}/{}:{}", self.name, self.ledger, item.view.seq());
            match self.rule.derive(&item.view, id) {
                Ok(Some(event)) => {
                    events.push(event);
                    indexes.push(index);
                }
                Ok(None) => {}
                Err(fault) => refused.push(Refused {
                    index,
                    fault: BridgeFault::new(fault.code, fault.message),
                }),
            }
        }
        let taken = self.outlet.emit_each(events).await;
        let taken = taken.map_err(|message| SinkFault::Refused(BridgeFault::new("not_stored", message)))?;
        refused.extend(taken.refused.into_iter().map(|event| Refused {
            index: indexes[event.index],
            fault: BridgeFault::new("not_stored", format!("{}: {}", event.code, event.message)),
        }));
        refused.sort_unstable_by_key(|refused| refused.index);
        Ok(refused)
    }

    /// The hub is no other side that may be gone: a rate limit or a full disk is waited out.
    fn patience(&self) -> Duration {
        Duration::from_secs(365 * 24 * 60 * 60)
    }
}
