//! Publishes events and adds them to a stream, as v5 does: the very same text on a channel and in an entry.
//!
//! The stream itself says what is in it: after a connection was lost, or we were killed, its newest entry of ours is looked
//! for, and what comes up to there is not added again. For that it must always have everything up to some event, so what
//! was added behind one that was refused is taken out. No transactions: of one whose end a crash tears off its log,
//! Redis 7.0 does a part after all, the second time it reads the log.

use kymo_event::{LedgerId, Seq, dialects::Dialect};
use kymo_hub::{BridgeFault, Hub};
use redis::{Cmd, RedisError, cmd};

use super::{
    entry::{EntryId, entries, text},
    mark::Mark,
    server::Connection,
    settings,
};
use crate::{
    bridges::foreign,
    sink::{Batch, Item, Refused, Sink, SinkFault},
};

/// Events sent together at most.
const PART_EVENTS: usize = 500;
/// Entries looked at together, and in all, for the newest of ours.
const LOOK_ENTRIES: usize = 500;
const LOOK_ENTRIES_MAX: usize = 50_000;

pub(super) struct RedisSink {
    settings: settings::RedisSink,
    name: String,
    dialect: Option<&'static dyn Dialect>,
    broker: String,
    ledger: LedgerId,
    hub: Hub,
    open: Option<Open>,
    /// The newest event that was published.
    published: Option<Seq>,
}

struct Open {
    connection: Connection,
    /// The newest event that is in the stream.
    given: Option<Seq>,
}

impl RedisSink {
    pub(super) fn new(name: &str, settings: settings::RedisSink, hub: Hub) -> Self {
        Self {
            name: name.to_owned(),
            dialect: foreign(&settings.dialect),
            broker: settings.server.broker(),
            settings,
            ledger: hub.ledger().id(),
            hub,
            open: None,
            published: None,
        }
    }

    /// Ends a connection of ours from before: what it sent to a server that hung is done when that goes on, and would come
    /// after we looked. Who may not do this risks repeats there.
    async fn part_from_before(&self, connection: &Connection) {
        let name = format!("kymo:{}:{}", self.ledger, self.name);
        let list = connection.ask(cmd("CLIENT").arg("LIST")).await;
        let list = list.ok().as_ref().and_then(text).unwrap_or_default();
        let of_line = |line: &str, key: &str| {
            let mut words = line.split(' ');
            words.find_map(|word| word.strip_prefix(key).map(ToOwned::to_owned))
        };
        let ours = list
            .lines()
            .filter(|line| of_line(line, "name=").as_ref() == Some(&name));
        for id in ours.filter_map(|line| of_line(line, "id=")) {
            if let Err(fault) = connection.ask(cmd("CLIENT").arg("KILL").arg("ID").arg(id)).await {
                tracing::debug!(fault.message, "a connection from before could not be ended");
            }
        }
        let named = connection.ask(cmd("CLIENT").arg("SETNAME").arg(&name)).await;
        if let Err(fault) = named {
            tracing::debug!(fault.message, "the connection could not be named");
        }
    }

    /// The newest event of ours that is in the stream.
    async fn given(&self, connection: &Connection) -> Result<Option<Seq>, BridgeFault> {
        if self.settings.stream.is_empty() {
            return Ok(None);
        }
        let mut before = "+".to_owned();
        for _ in 0..LOOK_ENTRIES_MAX / LOOK_ENTRIES {
            let mut look = cmd("XREVRANGE");
            look.arg(&self.settings.stream).arg(&before).arg("-");
            let found = entries(connection.ask(look.arg("COUNT").arg(LOOK_ENTRIES)).await?);
            let Some(oldest) = found.last().map(|entry| entry.id) else {
                return Ok(None);
            };
            before = oldest.before().to_string();
            let newest = found.into_iter().find_map(|entry| {
                let mark = Mark::take(&entry.payload(&self.settings.field)?).0?;
                (mark.ledger == self.ledger.as_str() && mark.sink == self.name).then_some(mark.seq)
            });
            if let Some(newest) = newest {
                let seq = Seq::new(newest);
                // A ledger that was set back gives these numbers to other events.
                return Ok(seq.filter(|seq| Some(*seq) <= self.hub.ledger().head()));
            }
            if oldest == EntryId::ZERO {
                return Ok(None);
            }
        }
        Ok(None)
    }

    fn text_of(&self, item: &Item<'_>) -> Vec<u8> {
        let mut text = match self.dialect {
            None => item.view.line().to_vec(),
            Some(dialect) => {
                let mut text = Vec::with_capacity(item.view.line().len() + 128);
                dialect.write(&item.view, &self.ledger, &mut text);
                text
            }
        };
        let mark = Mark {
            ledger: self.ledger.to_string(),
            sink: self.name.clone(),
            seq: item.view.seq().get(),
            hops: item.view.hops().unwrap_or(0),
        };
        mark.put(&mut text);
        text
    }

    fn add(&self, text: &[u8]) -> Cmd {
        let mut add = cmd("XADD");
        add.arg(&self.settings.stream);
        if self.settings.maxlen > 0 {
            add.arg("MAXLEN").arg("~").arg(self.settings.maxlen);
        }
        add.arg("*").arg(&self.settings.field).arg(text);
        add
    }

    fn publish(&self, text: &[u8]) -> Cmd {
        let mut publish = cmd("PUBLISH");
        publish.arg(&self.settings.channel).arg(text);
        publish
    }

    async fn give(&mut self, open: &mut Open, batch: &Batch) -> Result<(), SinkFault> {
        let items: Vec<_> = batch.iter().collect();
        for items in items.chunks(PART_EVENTS) {
            let texts: Vec<_> = items
                .iter()
                .map(|item| (item.view.seq(), self.text_of(item)))
                .collect();
            if !self.settings.stream.is_empty() {
                self.add_all(open, &texts).await?;
            }
            if !self.settings.channel.is_empty() {
                self.publish_all(open, &texts).await?;
            }
        }
        Ok(())
    }

    /// Adds those that are not in the stream yet.
    async fn add_all(&self, open: &mut Open, texts: &[(Seq, Vec<u8>)]) -> Result<(), SinkFault> {
        let given = open.given;
        let new: Vec<_> = texts.iter().filter(|(seq, _)| Some(*seq) > given).collect();
        let adds = new.iter().map(|(_, text)| self.add(text)).collect();
        let asked = open.connection.ask_each(adds).await;
        let answers = asked.map_err(|error| refused(open, &error))?;
        let mut failed = None;
        let mut behind = cmd("XDEL");
        behind.arg(&self.settings.stream);
        let mut is_behind = false;
        for ((seq, _), answer) in new.iter().zip(answers) {
            match (answer, &failed) {
                (Ok(_), None) => open.given = Some(*seq),
                (Ok(id), Some(_)) => {
                    is_behind = true;
                    behind.arg(text(&id));
                }
                (Err(error), None) => failed = Some(error),
                (Err(_), Some(_)) => {}
            }
        }
        let Some(error) = failed else {
            return Ok(());
        };
        if is_behind {
            open.connection.ask(&behind).await.map_err(SinkFault::Lost)?;
        }
        Err(refused(open, &error))
    }

    /// Publishes those that were not yet, as far as we know: whoever was killed publishes some again.
    async fn publish_all(&mut self, open: &Open, texts: &[(Seq, Vec<u8>)]) -> Result<(), SinkFault> {
        let new = texts.iter().filter(|(seq, _)| Some(*seq) > self.published);
        let publishes = new.map(|(_, text)| self.publish(text)).collect();
        let asked = open.connection.ask_each(publishes).await;
        let answers = asked.map_err(|error| refused(open, &error))?;
        if let Some(error) = answers.into_iter().find_map(Result::err) {
            return Err(refused(open, &error));
        }
        self.published = texts.last().map(|(seq, _)| *seq).max(self.published);
        Ok(())
    }
}

/// Whether the connection is gone, or the server does not take it.
fn refused(open: &Open, error: &RedisError) -> SinkFault {
    let fault = open.connection.fault(error);
    match fault.code {
        "unreachable" | "timeout" => SinkFault::Lost(fault),
        _ => SinkFault::Refused(fault),
    }
}

impl Sink for RedisSink {
    async fn connect(&mut self) -> Result<(), BridgeFault> {
        self.open = None;
        let connection = Connection::open(&self.settings.server, std::time::Duration::ZERO, |_| {}).await?;
        self.part_from_before(&connection).await;
        let given = self.given(&connection).await?;
        self.open = Some(Open { connection, given });
        Ok(())
    }

    async fn deliver(&mut self, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        let Some(mut open) = self.open.take() else {
            let message = format!("the connection to {} was lost", self.broker);
            return Err(SinkFault::Lost(BridgeFault::new("unreachable", message)));
        };
        let given = self.give(&mut open, batch).await;
        self.open = Some(open);
        given.map(|()| Vec::new())
    }

    async fn lost(&mut self) -> BridgeFault {
        match &self.open {
            Some(open) => open.connection.lost().await,
            None => std::future::pending().await,
        }
    }

    async fn close(&mut self) {
        self.open = None;
    }

    fn origin(&self) -> Option<&str> {
        Some(&self.broker)
    }
}
