//! The words of `[sources.NAME]` and `[sinks.NAME]` with `kind = "nats"`.

use std::path::PathBuf;

use async_nats::ServerAddr;
use kymo_event::Filter;
use kymo_hub::Hub;

use super::subject::{self, Template};
use crate::{
    bridges::{dialect_problem, filter_problem, without_userinfo},
    messages::Reading,
    sink::{Begin, Selection},
};

/// Which server, and who we are there.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NatsServer {
    /// `nats://host:port` or `tls://host:port`; several of one cluster with commas between.
    pub url: String,
    /// Who, where the server asks for a user.
    pub user: Option<String>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// A file with a token.
    pub token_file: Option<PathBuf>,
    /// A file with the seed of an nkey.
    pub nkey_file: Option<PathBuf>,
    /// A credentials file, as `nsc` writes them.
    pub credentials_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's own may be signed by, besides those the system knows.
    pub tls_ca: Option<PathBuf>,
    /// Our certificate (PEM), where the server asks for one.
    pub tls_cert: Option<PathBuf>,
    /// The key of our certificate (PEM).
    pub tls_key: Option<PathBuf>,
}

impl Default for NatsServer {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".into(),
            user: None,
            password_file: None,
            token_file: None,
            nkey_file: None,
            credentials_file: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
        }
    }
}

impl NatsServer {
    pub(super) fn addresses(&self) -> Result<Vec<ServerAddr>, String> {
        let parts = self.url.split(',').map(str::trim);
        let parsed = parts.map(|part| {
            let shown = without_userinfo(part);
            part.parse::<ServerAddr>()
                .map_err(|error| format!("`url` cannot be \"{shown}\": {error}; write nats://HOST:PORT"))
        });
        parsed.collect()
    }

    /// The broker, the same whoever we are there and however it is written: events that came from it are marked so.
    pub(super) fn broker(&self) -> String {
        let addresses = self.addresses().unwrap_or_default();
        let mut hosts: Vec<_> = addresses
            .iter()
            .map(|address| format!("nats://{}:{}", address.host(), address.port()))
            .collect();
        hosts.sort();
        hosts.join(",")
    }

    fn problem(&self) -> Option<String> {
        let addresses = match self.addresses() {
            Ok(addresses) => addresses,
            Err(problem) => return Some(problem),
        };
        let ways = [
            (
                "the user in `url`",
                addresses.iter().any(|address| address.username().is_some()),
            ),
            ("user", self.user.is_some()),
            ("token_file", self.token_file.is_some()),
            ("nkey_file", self.nkey_file.is_some()),
            ("credentials_file", self.credentials_file.is_some()),
        ];
        let given: Vec<_> = ways
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name)
            .collect();
        if given.len() > 1 {
            return Some(format!(
                "leave one of {} out: we can be only one at a time",
                given.join(" and ")
            ));
        }
        if self.user.is_some() != self.password_file.is_some() {
            return Some("`user` and `password_file` go together".into());
        }
        (self.tls_cert.is_some() != self.tls_key.is_some())
            .then(|| "`tls_cert` and `tls_key` go together".into())
    }
}

/// A source from NATS.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NatsSource {
    /// Which server.
    #[serde(flatten)]
    pub server: NatsServer,
    /// Subjects, with wildcards.
    pub subjects: Vec<String>,
    /// The JetStream stream to read them from; without one they are heard only while we listen.
    pub stream: Option<String>,
    /// The durable consumer of the stream. Without a name it is `kymo-` and the name of this source.
    pub consumer: Option<String>,
    /// Where a new consumer begins.
    pub begin: Begin,
    /// Seconds after which the stream gives what was not acknowledged once more.
    pub ack_wait_s: u64,
    /// The form of the messages; without one it is found out for each.
    pub dialect: Option<String>,
    /// The `source` of events that name none.
    pub source: String,
    /// Messages that may wait in memory; what comes beyond them is lost, and said to be.
    pub waiting_max: usize,
}

impl Default for NatsSource {
    fn default() -> Self {
        Self {
            server: NatsServer::default(),
            subjects: vec!["egos.>".into()],
            stream: None,
            consumer: None,
            begin: Begin::Start,
            ack_wait_s: 30,
            dialect: None,
            source: "nats".into(),
            waiting_max: 65_536,
        }
    }
}

impl NatsSource {
    /// What is wrong with it, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let subjects = || {
            if self.subjects.is_empty() {
                return Some("`subjects` names none".into());
            }
            let wrong = self.subjects.iter().find(|subject| !subject::is_pattern(subject));
            if let Some(wrong) = wrong {
                return Some(format!("\"{wrong}\" is no subject: write a.b, a.* or a.>"));
            }
            let pairs = self.subjects.iter().enumerate();
            let mut pairs =
                pairs.flat_map(|(at, one)| self.subjects[at + 1..].iter().map(move |other| (one, other)));
            let twice = pairs.find(|(one, other)| subject::overlap(one, other));
            twice.map(|(one, other)| {
                format!("what \"{one}\" and \"{other}\" have in common would come twice: leave one out")
            })
        };
        self.server
            .problem()
            .or_else(subjects)
            .or_else(|| dialect_problem(self.dialect.as_deref()))
    }

    pub(super) fn reading(&self, hub: &Hub) -> Reading {
        Reading::new(self.server.broker(), self.dialect.as_deref(), &self.source, hub)
    }

    pub(super) fn target(&self) -> String {
        let broker = self.server.broker();
        match &self.stream {
            Some(stream) => format!("{broker} stream {stream}"),
            None => format!("{broker} {}", self.subjects.join(" ")),
        }
    }
}

/// A sink to NATS.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NatsSink {
    /// Which server.
    #[serde(flatten)]
    pub server: NatsServer,
    /// What is published.
    pub filter: String,
    /// The subject of each event, with keys of the event in braces.
    pub subject: String,
    /// The JetStream stream that shall store them: each is acknowledged by it. Without one they are only published.
    pub stream: Option<String>,
    /// The form they are written in.
    pub dialect: String,
    /// Where a new sink begins.
    pub begin: Begin,
    /// Whether the imported past is published too.
    pub backfill: bool,
}

impl Default for NatsSink {
    fn default() -> Self {
        Self {
            server: NatsServer::default(),
            filter: "-type:kymo.*".into(),
            subject: "kymo.{source}.{type}".into(),
            stream: None,
            dialect: "kymo".into(),
            begin: Begin::Now,
            backfill: false,
        }
    }
}

impl NatsSink {
    /// What is wrong with it, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        self.server
            .problem()
            .or_else(|| filter_problem(&self.filter))
            .or_else(|| Template::parse(&self.subject).err())
            .or_else(|| dialect_problem(Some(&self.dialect)))
    }

    pub(super) fn target(&self) -> String {
        let broker = self.server.broker();
        match &self.stream {
            Some(stream) => format!("{broker} stream {stream}"),
            None => format!("{broker} {}", self.subject),
        }
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            filter: Filter::parse(&self.filter).expect("judged with the settings"),
            begin: self.begin,
            backfill: self.backfill,
        }
    }
}
