//! Reads streams through a consumer group, on a connection that may wait: what we were given before and did not
//! acknowledge, then what others left lying, then what is new.
//!
//! The group's place, which the server keeps, is the truth; what we remember of it only tells whether the stream is
//! still the one we read.

use std::{collections::BTreeMap, time::Duration};

use kymo_event::Micros;
use kymo_hub::BridgeFault;
use redis::{Cmd, Value, cmd};
use tokio::{sync::mpsc, time::Instant};

use super::{
    entry::{Entry, EntryId, entries, streams},
    server::Connection,
    state::StreamState,
};
use crate::{clock::now, sink::Begin};

/// Entries asked for together at most.
const COUNT: usize = 1_000;
/// How long the server may wait for something new before it says that there is nothing.
pub(super) const BLOCK: Duration = Duration::from_secs(2);
/// The same where channels are heard: what nobody added is stored soon after.
pub(super) const BLOCK_BESIDE_CHANNELS: Duration = Duration::from_millis(500);
/// The same while streams are missing: how often it is looked whether they are there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was read.
#[derive(Debug)]
pub(super) enum Word {
    /// Entries of one stream.
    Entries(String, Vec<Entry>),
    /// Everything that was there at this moment was read.
    CaughtUp(Instant),
    /// What is followed: these streams are not there yet.
    Missing(Vec<String>),
    /// Of a stream that is gone nobody knows what else it had.
    Gone {
        stream: String,
        from: Micros,
        to: Micros,
    },
}

/// Reads streams.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) group: String,
    pub(super) consumer: String,
    pub(super) begin: Begin,
    pub(super) claim_after: Option<Duration>,
    /// The newest entry of each stream that is in the ledger.
    pub(super) known: BTreeMap<String, EntryId>,
    pub(super) missing: Vec<String>,
    /// How long the server may wait for something new.
    pub(super) block: Duration,
    pub(super) words: mpsc::Sender<Word>,
}

/// Nobody listens any more.
struct Unheard;

enum Over {
    Fault(BridgeFault),
    Unheard,
}

impl From<BridgeFault> for Over {
    fn from(fault: BridgeFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Unheard> for Over {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

impl Reader {
    /// Reads until something is wrong, or nobody listens any more.
    pub(super) async fn run(mut self) -> Option<BridgeFault> {
        match self.read().await {
            Err(Over::Fault(fault)) => Some(fault),
            Err(Over::Unheard) | Ok(()) => None,
        }
    }

    async fn read(&mut self) -> Result<(), Over> {
        let mut present = Vec::new();
        let mut is_first = true;
        let mut claim_at = Instant::now();
        loop {
            let found = self.look(is_first).await?;
            if is_first || !found.is_empty() {
                self.say(Word::Missing(self.missing.clone())).await?;
            }
            is_first = false;
            for stream in &found {
                self.unacknowledged(stream).await?;
            }
            present.extend(found);
            if present.is_empty() {
                self.await_any().await?;
                continue;
            }
            if let Some(after) = self.claim_after.filter(|_| claim_at <= Instant::now()) {
                claim_at = Instant::now() + after;
                for stream in &present {
                    self.claim(stream, after).await?;
                }
            }
            self.fresh(&present).await?;
        }
    }

    async fn say(&self, word: Word) -> Result<(), Unheard> {
        self.words.send(word).await.map_err(|_| Unheard)
    }

    /// Of those that are missing, the ones that are there; each has our group then.
    async fn look(&mut self, is_first: bool) -> Result<Vec<String>, Over> {
        let mut found = Vec::new();
        for stream in std::mem::take(&mut self.missing) {
            match self.enter(&stream, is_first).await? {
                true => found.push(stream),
                false => self.missing.push(stream),
            }
        }
        Ok(found)
    }

    /// Sees to it that the stream has our group; false if there is no such stream.
    async fn enter(&self, stream: &str, is_first: bool) -> Result<bool, Over> {
        let state = match self
            .connection
            .try_ask(cmd("XINFO").arg("STREAM").arg(stream))
            .await
        {
            Ok(answer) => StreamState::read(answer),
            Err(error) if error.to_string().contains("no such key") => return Ok(false),
            Err(error) => return Err(self.connection.fault(&error).into()),
        };
        let known = self.known.get(stream).copied();
        let is_known = known.is_some_and(|last| state.knows(last));
        let start = match (self.begin, known) {
            (Begin::Now, None) if is_first => "$".to_owned(),
            (Begin::Now, Some(last)) if is_known => last.to_string(),
            // Whatever it gives that is stored is known by its place.
            _ => "0".to_owned(),
        };
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(stream).arg(&self.group).arg(start);
        match self.connection.try_ask(&create).await {
            Ok(_) => {
                if let Some(last) = known.filter(|_| !is_known) {
                    let to = state.first.and_then(EntryId::moment).unwrap_or_else(now);
                    let from = last.moment().map_or(to, |from| from.min(to));
                    let stream = stream.to_owned();
                    self.say(Word::Gone { stream, from, to }).await?;
                }
                Ok(true)
            }
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(true),
            Err(error) if error.to_string().contains("requires the key to exist") => Ok(false),
            Err(error) => Err(self.connection.fault(&error).into()),
        }
    }

    /// Waits until one of the streams is there, or for a while.
    async fn await_any(&self) -> Result<(), Over> {
        let asked = Instant::now();
        let mut wait = cmd("XREAD");
        wait.arg("COUNT").arg(1).arg("BLOCK").arg(millis(LOOK_EVERY));
        wait.arg("STREAMS").arg(&self.missing);
        for _ in &self.missing {
            wait.arg("0");
        }
        if self.connection.ask(&wait).await? == Value::Nil {
            self.say(Word::CaughtUp(asked)).await?;
        }
        Ok(())
    }

    /// What we were given and did not acknowledge.
    async fn unacknowledged(&self, stream: &str) -> Result<(), Over> {
        let mut after = EntryId::ZERO;
        loop {
            let answer = self
                .connection
                .ask(self.give().arg(stream).arg(after.to_string()))
                .await?;
            let found: Vec<Entry> = streams(answer)
                .into_iter()
                .flat_map(|(_, entries)| entries)
                .collect();
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = last.id;
            self.say(Word::Entries(stream.to_owned(), found)).await?;
        }
    }

    /// What another consumer was given long ago and did not acknowledge.
    async fn claim(&mut self, stream: &str, after: Duration) -> Result<(), Over> {
        let mut from = EntryId::ZERO.to_string();
        loop {
            let mut claim = cmd("XAUTOCLAIM");
            claim.arg(stream).arg(&self.group).arg(&self.consumer);
            claim.arg(millis(after)).arg(&from).arg("COUNT").arg(COUNT);
            let answer = match self.connection.try_ask(&claim).await {
                Ok(answer) => answer,
                // So it is before version 6.2.
                Err(error) if error.to_string().contains("unknown command") => {
                    self.claim_after = None;
                    return Ok(());
                }
                Err(error) => return Err(self.connection.fault(&error).into()),
            };
            let Value::Array(mut parts) = answer else {
                return Ok(());
            };
            if parts.len() < 2 {
                return Ok(());
            }
            let found = entries(parts.swap_remove(1));
            if !found.is_empty() {
                self.say(Word::Entries(stream.to_owned(), found)).await?;
            }
            let next = super::entry::text(&parts[0]).unwrap_or_default();
            if next.is_empty() || next == "0-0" {
                return Ok(());
            }
            from = next;
        }
    }

    /// What is new; waits for it.
    async fn fresh(&self, present: &[String]) -> Result<(), Over> {
        let block = match self.missing.is_empty() {
            true => self.block,
            false => self.block.min(LOOK_EVERY),
        };
        let mut give = cmd("XREADGROUP");
        give.arg("GROUP").arg(&self.group).arg(&self.consumer);
        give.arg("COUNT").arg(COUNT).arg("BLOCK").arg(millis(block));
        give.arg("STREAMS").arg(present);
        for _ in present {
            give.arg(">");
        }
        let asked = Instant::now();
        let found = streams(self.connection.ask(&give).await?);
        let is_all = found.iter().all(|(_, entries)| entries.len() < COUNT);
        for (stream, entries) in found {
            self.say(Word::Entries(stream, entries)).await?;
        }
        if is_all {
            self.say(Word::CaughtUp(asked)).await?;
        }
        Ok(())
    }

    /// The beginning of a command that gives what is ours, without waiting.
    fn give(&self) -> Cmd {
        let mut give = cmd("XREADGROUP");
        give.arg("GROUP").arg(&self.group).arg(&self.consumer);
        give.arg("COUNT").arg(COUNT).arg("STREAMS");
        give
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
