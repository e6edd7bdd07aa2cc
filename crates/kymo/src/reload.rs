//! Reads the settings again when their file changes, and lets what can change while it runs follow: the routes.
//!
//! A file that cannot be understood changes nothing; that is an event, with the line. What only a restart can change is
//! named.
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use kymo_event::{Event, Level};
use kymo_hub::Hub;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    settings::{self, Loaded, Settings, SettingsArgs},
};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Where the settings of a station come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) args: SettingsArgs,
    /// What flags of the command set: (key, value, flag).
    pub(crate) flags: Vec<(&'static str, String, &'static str)>,
    pub(crate) data: PathBuf,
}

impl Source {
    /// Reads them.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        Loaded::load(&self.args, &self.data, &self.flags)
    }

    /// Which file counts now, and what tells that it was written.
    fn stamp(&self) -> Option<Stamp> {
        let path = settings::file(self.args.config.as_deref(), &self.data)?;
        let about = fs::metadata(&path).ok()?;
        Some((path, about.len(), about.modified().ok()))
    }
}

type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Follows the settings until told to end; `begun` are those it runs with.
pub(crate) async fn follow(source: Source, begun: Settings, hub: Hub, end: CancellationToken) {
    let mut seen = source.stamp();
    let mut now = begun.clone();
    while end.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let stamp = source.stamp();
        if stamp == seen {
            continue;
        }
        // A file that is being written looks as if it ended early: it is read once it has rested.
        tokio::time::sleep(EVERY / 10).await;
        if source.stamp() != stamp || !is_replacement(seen.as_ref(), stamp.as_ref()) {
            continue;
        }
        seen = stamp;
        let file = seen.as_ref().map(|(path, ..)| path.as_path());
        match source.load() {
            Ok(loaded) if loaded.settings == now => {}
            Ok(loaded) => {
                hub.routes().configure(&loaded.settings.routes);
                hub.note(reloaded(file, &begun, &loaded.settings));
                now = loaded.settings;
            }
            Err(failure) => hub.note(refused(file, &failure)),
        }
    }
}

/// Whether what is there now stands in the place of what was there. A file that is away or empty, or whose place another
/// one further up would take, is about to be written: it changes nothing.
fn is_replacement(seen: Option<&Stamp>, stamp: Option<&Stamp>) -> bool {
    match (seen, stamp) {
        (_, None | Some((_, 0, _))) => false,
        (None, Some(_)) => true,
        (Some((before, ..)), Some((now, ..))) => before == now || before.exists(),
    }
}

fn reloaded(file: Option<&Path>, begun: &Settings, now: &Settings) -> Event<'static> {
    let data = json!({
        "file": file,
        "routes": now.routes.keys().collect::<Vec<_>>(),
        "restart_for": restart_for(begun, now),
    });
    Event {
        data: Some(data.to_string().into()),
        ..Event::new("kymo.settings.reloaded", "kymo")
    }
}

fn refused(file: Option<&Path>, failure: &Failure) -> Event<'static> {
    let data = json!({ "file": file, "message": failure.to_string() });
    Event {
        level: Level::Warn,
        data: Some(data.to_string().into()),
        ..Event::new("kymo.settings.refused", "kymo")
    }
}

/// Sections that differ and hold only after a restart.
fn restart_for(begun: &Settings, now: &Settings) -> Vec<String> {
    let sections = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let (begun, now) = (sections(begun), sections(now));
    let names = |value: &Value| {
        value
            .as_object()
            .map(|map| map.keys().cloned().collect::<Vec<_>>())
    };
    let mut names: Vec<_> = [names(&begun), names(&now)]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    names.sort();
    names.dedup();
    names.retain(|name| name != "routes" && begun.get(name) != now.get(name));
    names
}
