//! The words of `[sources.NAME]` and `[sinks.NAME]` with `kind = "redis"`.

use std::path::PathBuf;

use kymo_event::Filter;
use kymo_hub::Hub;
use redis::{ConnectionAddr, ConnectionInfo};

use crate::{
    bridges::{dialect_problem, filter_problem, without_userinfo},
    messages::Reading,
    sink::{Begin, Selection},
};

/// The stream and the channel of v5.
const STREAM: &str = "v5:stream";
const CHANNEL: &str = "v5:events";
/// The field of an entry that has the JSON text, as v5 writes it.
pub(super) const FIELD: &str = "event";
/// Ids of events are made of names.
const NAME_BYTES_MAX: usize = 128;

/// Which server, and who we are there.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RedisServer {
    /// `redis://host:port` or, with TLS, `rediss://host:port`; a number after a slash is the database.
    pub url: String,
    /// Who, where the server knows users.
    pub user: Option<String>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's own may be signed by, instead of those the system knows.
    pub tls_ca: Option<PathBuf>,
    /// Our certificate (PEM), where the server asks for one.
    pub tls_cert: Option<PathBuf>,
    /// The key of our certificate (PEM).
    pub tls_key: Option<PathBuf>,
}

impl Default for RedisServer {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".into(),
            user: None,
            password_file: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
        }
    }
}

impl RedisServer {
    pub(super) fn address(&self) -> Result<ConnectionInfo, String> {
        let shown = without_userinfo(&self.url);
        let wrong = |why: &str| format!("`url` cannot be \"{shown}\": {why}; write redis://HOST:PORT");
        // After `#` or `?` a client may be told to check no certificate, or to be somebody else.
        if self.url.contains(['#', '?']) {
            return Err(wrong("it has more than an address"));
        }
        let address: ConnectionInfo = self.url.parse().map_err(|_| wrong("it is no address"))?;
        match address.addr() {
            ConnectionAddr::Tcp(..) | ConnectionAddr::TcpTls { .. } => Ok(address),
            _ => Err(wrong("it is no address of a host")),
        }
    }

    /// The broker, the same whoever we are there and however it is written: events that came from it are marked so.
    pub(super) fn broker(&self) -> String {
        match self.address() {
            Ok(address) => format!("redis://{}", address.addr()),
            Err(_) => String::new(),
        }
    }

    fn problem(&self) -> Option<String> {
        let address = match self.address() {
            Ok(address) => address,
            Err(problem) => return Some(problem),
        };
        let redis = address.redis_settings();
        let is_in_url = redis.username().is_some() || redis.password().is_some();
        if is_in_url && (self.user.is_some() || self.password_file.is_some()) {
            return Some("leave the user in `url` out, or `user` and `password_file`".into());
        }
        if self.user.is_some() && self.password_file.is_none() {
            return Some("`user` needs a `password_file`".into());
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Some("`tls_cert` and `tls_key` go together".into());
        }
        let is_tls = matches!(address.addr(), ConnectionAddr::TcpTls { .. });
        let wants_tls = self.tls_ca.is_some() || self.tls_cert.is_some();
        (wants_tls && !is_tls).then(|| "for TLS write rediss:// in `url`".into())
    }
}

/// A source from Redis.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RedisSource {
    /// Which server.
    #[serde(flatten)]
    pub server: RedisServer,
    /// Streams, read through a consumer group. `None`: v5's, or none where channels or patterns are named.
    pub streams: Option<Vec<String>>,
    /// Channels, heard only while we listen.
    pub channels: Vec<String>,
    /// Patterns of channels.
    pub patterns: Vec<String>,
    /// The consumer group. Without a name it is `kymo-`, the name of this source, and the ledger: nobody shares it.
    pub group: Option<String>,
    /// Who we are in the group. Without a name it is `kymo-` and the ledger.
    pub consumer: Option<String>,
    /// Where a new group begins.
    pub begin: Begin,
    /// Seconds after which entries are taken over that another consumer of the group left unacknowledged; none if zero.
    pub claim_after_s: u64,
    /// The field of an entry that has the event.
    pub field: String,
    /// The form of the messages; without one it is found out for each.
    pub dialect: Option<String>,
    /// The `source` of events that name none.
    pub source: String,
    /// Messages of channels that may wait in memory; what comes beyond them is lost, and said to be.
    pub waiting_max: usize,
}

impl Default for RedisSource {
    fn default() -> Self {
        Self {
            server: RedisServer::default(),
            streams: None,
            channels: Vec::new(),
            patterns: Vec::new(),
            group: None,
            consumer: None,
            begin: Begin::Start,
            claim_after_s: 60,
            field: FIELD.into(),
            dialect: None,
            source: "redis".into(),
            waiting_max: 65_536,
        }
    }
}

impl RedisSource {
    /// What is wrong with it, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let names = || {
            let all = [
                ("streams", &*self.streams()),
                ("channels", &self.channels),
                ("patterns", &self.patterns),
            ];
            if all.iter().all(|(_, names)| names.is_empty()) {
                return Some("name `streams`, `channels` or `patterns`".into());
            }
            all.iter().find_map(|(word, names)| name_problem(word, names))
        };
        let empty = || {
            let words = [
                ("group", self.group.as_deref()),
                ("consumer", self.consumer.as_deref()),
                ("field", Some(&*self.field)),
            ];
            let (word, _) = words.iter().find(|(_, text)| *text == Some(""))?;
            Some(format!("`{word}` is empty"))
        };
        self.server
            .problem()
            .or_else(names)
            .or_else(empty)
            .or_else(|| dialect_problem(self.dialect.as_deref()))
    }

    pub(super) fn reading(&self, hub: &Hub) -> Reading {
        Reading::new(self.server.broker(), self.dialect.as_deref(), &self.source, hub)
    }

    /// The streams that are read.
    pub(super) fn streams(&self) -> Vec<String> {
        let ours = || match self.hears() {
            true => Vec::new(),
            false => vec![STREAM.to_owned()],
        };
        self.streams.clone().unwrap_or_else(ours)
    }

    /// Whether channels are heard.
    pub(super) fn hears(&self) -> bool {
        !self.channels.is_empty() || !self.patterns.is_empty()
    }

    pub(super) fn target(&self) -> String {
        let streams = self.streams();
        let ways = [
            ("stream", &streams),
            ("channel", &self.channels),
            ("pattern", &self.patterns),
        ];
        let ways = ways.iter().filter(|(_, names)| !names.is_empty());
        let ways: String = ways
            .map(|(way, names)| format!(" {way} {}", names.join(" ")))
            .collect();
        self.server.broker() + &ways
    }
}

/// A sink to Redis.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RedisSink {
    /// Which server.
    #[serde(flatten)]
    pub server: RedisServer,
    /// What is given.
    pub filter: String,
    /// The stream that entries are added to; none if empty.
    pub stream: String,
    /// The channel it is published on; none if empty.
    pub channel: String,
    /// About so many entries the stream keeps; all if zero.
    pub maxlen: u64,
    /// The field of an entry that has the text.
    pub field: String,
    /// The form they are written in.
    pub dialect: String,
    /// Where a new sink begins.
    pub begin: Begin,
    /// Whether the imported past is given too.
    pub backfill: bool,
}

impl Default for RedisSink {
    fn default() -> Self {
        Self {
            server: RedisServer::default(),
            filter: "-type:kymo.*".into(),
            stream: STREAM.into(),
            channel: CHANNEL.into(),
            maxlen: 10_000,
            field: FIELD.into(),
            dialect: "broadcast".into(),
            begin: Begin::Now,
            backfill: false,
        }
    }
}

impl RedisSink {
    /// What is wrong with it, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let names = || {
            if self.stream.is_empty() && self.channel.is_empty() {
                return Some("name a `stream`, a `channel`, or both".into());
            }
            self.field.is_empty().then(|| "`field` is empty".into())
        };
        self.server
            .problem()
            .or_else(names)
            .or_else(|| filter_problem(&self.filter))
            .or_else(|| dialect_problem(Some(&self.dialect)))
    }

    pub(super) fn target(&self) -> String {
        let ways = [("stream", &self.stream), ("channel", &self.channel)];
        let ways = ways.iter().filter(|(_, name)| !name.is_empty());
        let ways: String = ways.map(|(way, name)| format!(" {way} {name}")).collect();
        self.server.broker() + &ways
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            filter: Filter::parse(&self.filter).expect("judged with the settings"),
            begin: self.begin,
            backfill: self.backfill,
        }
    }
}

/// What is wrong with a list of names.
fn name_problem(word: &str, names: &[String]) -> Option<String> {
    if names.iter().any(String::is_empty) {
        return Some(format!("`{word}` has an empty name"));
    }
    if let Some(long) = names.iter().find(|name| name.len() > NAME_BYTES_MAX) {
        return Some(format!(
            "`{word}` has a name of {} bytes; {NAME_BYTES_MAX} are allowed",
            long.len()
        ));
    }
    let mut pairs = names.iter().enumerate();
    let twice = pairs.find(|(at, name)| names[at + 1..].contains(name));
    twice.map(|(_, name)| format!("`{word}` has \"{name}\" twice"))
}
