//! What clients are told of the whole: how many events, clients, channels and agents there are.
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kymo_hub::{Hub, Principal};
use parking_lot::Mutex;
use serde_json::json;

use super::{ConductorSettings, wishes::Wishes};
use crate::error::ApiError;

/// How long numbers are as good as new, however many ask.
const FRESH: Duration = Duration::from_secs(1);

/// Who is here, and on which channels.
#[derive(Default)]
pub(super) struct Board {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    clients: usize,
    /// By name; only those that somebody is on.
    channels: HashMap<Box<str>, usize>,
    newest: Option<(Instant, Arc<str>)>,
}

/// A client's place on the board, until it is dropped.
pub(super) struct Place {
    shared: Arc<Mutex<Shared>>,
    channels: Vec<Box<str>>,
}

/// What one client was given, for those that may not know of the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given {
    pub(super) history: usize,
    pub(super) events: u64,
}

impl Board {
    /// One more client, unless there are too many.
    pub(super) fn enter(&self, clients_max: usize, wishes: &Wishes) -> Result<Place, ApiError> {
        let mut shared = self.shared.lock();
        if shared.clients >= clients_max {
            let message = "too many clients of the conductor; close some, or try again in a moment";
            return Err(ApiError::new("busy", message).retry_after(1));
        }
        let mut channels: Vec<Box<str>> = wishes.names().map(Into::into).collect();
        channels.sort_unstable();
        channels.dedup();
        shared.clients += 1;
        for channel in &channels {
            *shared.channels.entry(channel.clone()).or_default() += 1;
        }
        Ok(Place {
            shared: Arc::clone(&self.shared),
            channels,
        })
    }

    pub(super) fn clients(&self) -> usize {
        self.shared.lock().clients
    }

    /// The message for this reader.
    pub(super) fn message(
        &self,
        hub: &Hub,
        principal: &Principal,
        settings: &ConductorSettings,
        given: Given,
    ) -> Arc<str> {
        if !principal.bound.is_empty() {
            return self.for_bound(hub, principal, given);
        }
        let newest = self.shared.lock().newest.clone();
        if let Some((_, message)) = newest.filter(|(at, _)| at.elapsed() < FRESH) {
            return message;
        }
        let counters = hub.counters();
        let recent: u64 = counters
            .pulse
            .iter()
            .rev()
            .take(usize::try_from(settings.history_s).unwrap_or(usize::MAX))
            .flat_map(|(_, levels)| levels.iter().map(|count| u64::from(*count)))
            .sum();
        let message = self.words(
            counters.head,
            hub.agents_known(principal),
            recent.min(settings.history_max as u64),
        );
        self.shared.lock().newest = Some((Instant::now(), Arc::clone(&message)));
        message
    }

    /// Who may see only some events is told of those it was given.
    fn for_bound(&self, hub: &Hub, principal: &Principal, given: Given) -> Arc<str> {
        self.words(
            given.history as u64 + given.events,
            hub.agents_known(principal),
            given.history as u64,
        )
    }

    fn words(&self, total: u64, agents: usize, history: u64) -> Arc<str> {
        let shared = self.shared.lock();
        let metrics = json!({
            "totalEvents": total,
            "activeConnections": shared.clients,
            "channelsActive": shared.channels.len(),
            "agentStates": agents,
            "historySize": history,
        });
        json!({ "type": "metrics", "metrics": metrics })
            .to_string()
            .into()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        shared.clients -= 1;
        for channel in &self.channels {
            if let Some(count) = shared.channels.get_mut(channel) {
                *count -= 1;
                if *count == 0 {
                    shared.channels.remove(channel);
                }
            }
        }
    }
}
