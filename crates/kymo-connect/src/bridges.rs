//! All bridges of a station: the words of `[sources.NAME]` and `[sinks.NAME]` in `kymo.toml`, and their start and end.
//!
//! Every kind is a variant with its settings here, and a room of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use kymo_event::{
    Filter,
    dialects::{self, Dialect},
};
use kymo_hub::Hub;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Cursors, HubOutlet, Tail, TailPlan, TailSettings,
    file::{FileSink, resolved, run_file_sink},
    nats::{NatsSink, NatsSource, run_nats_sink, run_nats_source},
    redis::{RedisSink, RedisSource, run_redis_sink, run_redis_source},
    run_routes,
};

/// The bridges that shall run, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BridgesSettings {
    /// Into the ledger.
    pub sources: BTreeMap<String, SourceSettings>,
    /// Out of it.
    pub sinks: BTreeMap<String, SinkSettings>,
}

impl BridgesSettings {
    /// What is wrong with one of them that its single values do not show, with what to do.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let sources = self.sources.values().find_map(SourceSettings::problem);
        sources.or_else(|| self.sinks.values().find_map(SinkSettings::problem))
    }

    /// The files that sinks write: whoever looks at folders leaves them out, or what is written makes more of it.
    #[must_use]
    pub fn written_files(&self) -> Vec<PathBuf> {
        let file = |sink: &SinkSettings| match sink {
            SinkSettings::File(settings) => settings.file().ok(),
            _ => None,
        };
        let files = self.sinks.values().filter_map(file);
        files.map(|file| resolved(&file)).collect()
    }
}

/// A text without what stands before an `@` in its addresses: names and passwords are shown to nobody.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        shown.push_str(&rest[..start]);
        rest = &rest[start..];
        // A password may have any of `/ ? # ,` in it: rather too much is left out.
        let end = rest
            .find(|c: char| c.is_whitespace() || "\"'".contains(c))
            .unwrap_or(rest.len());
        let next = rest[..end]
            .find("://")
            .map_or(end, |next| rest[..next].rfind(',').unwrap_or(next));
        let end = end.min(next);
        if let Some(at) = rest[..end].rfind('@') {
            rest = &rest[at + 1..];
        }
    }
    shown + rest
}

/// The dialect of this name, but for the native one, whose records need not be written anew.
pub(crate) fn foreign(name: &str) -> Option<&'static dyn Dialect> {
    dialects::by_name(name).filter(|dialect| dialect.name() != "kymo")
}

/// What is wrong with the name of a dialect.
pub(crate) fn dialect_problem(name: Option<&str>) -> Option<String> {
    let name = name.filter(|name| dialects::by_name(name).is_none())?;
    let known: Vec<_> = dialects::DIALECTS.iter().map(|dialect| dialect.name()).collect();
    Some(format!(
        "there is no dialect \"{name}\": choose one of {}",
        known.join(", ")
    ))
}

/// What is wrong with the text of a filter.
pub(crate) fn filter_problem(filter: &str) -> Option<String> {
    let error = Filter::parse(filter).err()?;
    Some(format!("`filter` cannot be read: {error}"))
}

/// A source and what it follows.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SourceSettings {
    /// Files of JSON lines.
    Tail(TailSettings),
    /// NATS subjects, or a JetStream stream.
    Nats(NatsSource),
    /// Redis streams.
    Redis(RedisSource),
}

impl SourceSettings {
    fn problem(&self) -> Option<String> {
        match self {
            Self::Tail(settings) => settings.problem(),
            Self::Nats(settings) => settings.problem(),
            Self::Redis(settings) => settings.problem(),
        }
    }
}

/// A sink and where it gives.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SinkSettings {
    /// A file of JSON lines.
    File(FileSink),
    /// NATS subjects, or a JetStream stream.
    Nats(NatsSink),
    /// A Redis stream and a channel.
    Redis(RedisSink),
}

impl SinkSettings {
    fn problem(&self) -> Option<String> {
        match self {
            Self::File(settings) => settings.problem(),
            Self::Nats(settings) => settings.problem(),
            Self::Redis(settings) => settings.problem(),
        }
    }
}

/// Bridges that run, and routes.
pub struct Bridges {
    tasks: TaskTracker,
}

impl Bridges {
    /// Starts all of them; each connects in its own time.
    #[must_use]
    pub fn start(settings: &BridgesSettings, hub: &Hub, data: &Path, end: &CancellationToken) -> Self {
        let tasks = TaskTracker::new();
        let cursors = Cursors::new(data);
        tasks.spawn(run_routes(hub.clone(), cursors.clone(), end.clone()));
        for (name, source) in &settings.sources {
            match source {
                SourceSettings::Tail(tail) => {
                    let plan = TailPlan::kept(name, tail.clone(), data, &cursors, hub);
                    // What our own sinks write would go in circles.
                    let plan = plan.but(settings.written_files());
                    let outlet = Arc::new(HubOutlet::new(hub.clone(), "tail"));
                    let tail = Tail::start(plan, outlet, end);
                    tasks.spawn(async move {
                        if let Ok(tail) = tail {
                            tail.finished().await;
                        }
                    });
                }
                SourceSettings::Nats(settings) => {
                    let (name, settings) = (name.clone(), settings.clone());
                    let (hub, cursors, end) = (hub.clone(), cursors.clone(), end.clone());
                    tasks.spawn(run_nats_source(name, settings, hub, cursors, end));
                }
                SourceSettings::Redis(settings) => {
                    let (name, settings) = (name.clone(), settings.clone());
                    let (hub, cursors, end) = (hub.clone(), cursors.clone(), end.clone());
                    tasks.spawn(run_redis_source(name, settings, hub, cursors, end));
                }
            }
        }
        for (name, sink) in settings.sinks.clone() {
            let (hub, cursors, end) = (hub.clone(), cursors.clone(), end.clone());
            match sink {
                SinkSettings::File(settings) => {
                    tasks.spawn(run_file_sink(name, settings, data.to_owned(), hub, cursors, end))
                }
                SinkSettings::Nats(settings) => tasks.spawn(run_nats_sink(name, settings, hub, cursors, end)),
                SinkSettings::Redis(settings) => {
                    tasks.spawn(run_redis_sink(name, settings, hub, cursors, end))
                }
            };
        }
        tasks.close();
        Self { tasks }
    }

    /// Waits until all of them have ended, after the token said so.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_not_shown() {
        for (text, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://egor:s3cr@t@a:4222/x", "nats://a:4222/x"),
            ("redis://u:pa/ss?w#o,rd@a:6379/0", "redis://a:6379/0"),
            ("nats://u:p/@a,nats://u:/p@b", "nats://a,nats://b"),
            ("[\"nats://u:p@a\", \"tls://t@b\"]", "[\"nats://a\", \"tls://b\"]"),
            ("nats://u:p@a,nats://u:p@b", "nats://a,nats://b"),
            ("someone@example.org", "someone@example.org"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }
}
