//! A source's life on a connection: what was read of streams is stored, and acknowledged once it is durable. Until then
//! the group keeps it for us; what it gives twice has the same id both times and is stored once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kymo_event::Micros;
use kymo_hub::{Bridge, BridgeFault, Direction, Hub, Lag};
use redis::cmd;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    KIND,
    channels::{Ear, Heard},
    entry::{Entry, EntryId, place},
    group::{BLOCK, BLOCK_BESIDE_CHANNELS, Reader, Word},
    listen::Listening,
    mark::Mark,
    server::Connection,
    settings::RedisSource,
    state::{GroupState, StreamPlace, StreamState},
};
use crate::{
    CursorFile, Cursors, HubOutlet, Loaded, Outlet,
    clock::now,
    messages::{Message, Read, Reading, hand_over},
    source::{Follow, ended},
};

/// How often it is looked where groups are, and what was removed.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Answers read ahead while others are stored.
const AHEAD: usize = 2;
/// On shutdown, how long the entries of messages are waited for.
const PARTING: Duration = Duration::from_millis(1_700);

/// What is remembered between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Place {
    streams: BTreeMap<String, StreamPlace>,
    /// Until when everything was heard of channels, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<i64>,
}

pub(super) struct Source {
    settings: RedisSource,
    streams: Vec<String>,
    group: String,
    consumer: String,
    reading: Reading,
    outlet: Arc<dyn Outlet>,
    /// Where channels are heard.
    listening: Option<Listening>,
    file: CursorFile<Place>,
    place: Option<Place>,
    stored: Place,
}

impl Source {
    pub(super) fn new(name: &str, settings: RedisSource, hub: &Hub, cursors: &Cursors) -> Self {
        let ledger = hub.ledger().id();
        let or = |named: &Option<String>, ours: String| named.clone().unwrap_or(ours);
        Self {
            group: or(&settings.group, format!("kymo-{name}-{ledger}")),
            consumer: or(&settings.consumer, format!("kymo-{ledger}")),
            reading: settings.reading(hub),
            listening: settings.hears().then(|| Listening::new(&settings, hub)),
            streams: settings.streams(),
            settings,
            outlet: Arc::new(HubOutlet::new(hub.clone(), KIND)),
            file: cursors.of(Direction::Source, name),
            place: None,
            stored: Place::default(),
        }
    }

    async fn listen(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        self.load(bridge)?;
        let (mut ear, hear) = self.listening.as_ref().map(Listening::ear).unzip();
        let hear = move |push| {
            if let Some(hear) = &hear {
                hear(push);
            }
        };
        let control = Connection::open(&self.settings.server, Duration::ZERO, hear).await?;
        // Before anything is read: what was removed while we were away is told from where the group is.
        self.look(&control, bridge).await?;
        if let Some(listening) = &mut self.listening {
            listening.begin(&control, bridge).await?;
        }
        let (words, mut read) = mpsc::channel(AHEAD);
        let mut reading = JoinSet::new();
        if self.streams.is_empty() {
            bridge.connected();
        } else {
            reading.spawn(self.reader(words.clone()).await?.run());
        }
        let words = self.streams.is_empty().then_some(words);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                word = read.recv() => match word {
                    Some(word) => self.take(word, &control, &mut ear, bridge).await?,
                    None => return Err(over(&mut reading, &control).await),
                },
                Some(first) = next(&mut ear) => {
                    if let (Some(listening), Some(ear)) = (&mut self.listening, &mut ear) {
                        listening.take(first, ear, &self.reading, bridge).await?;
                    }
                }
                _ = look.tick() => self.look_and_hear(&control, &mut ear, bridge).await?,
                fault = control.lost() => {
                    if let (Some(listening), Some(ear)) = (&mut self.listening, &mut ear) {
                        listening.drain(ear, &self.reading, bridge).await?;
                        listening.end(ear, bridge);
                    }
                    return Err(fault);
                }
                () = end.cancelled() => break,
            }
        }
        drop(words);
        self.look_and_hear(&control, &mut ear, bridge).await?;
        self.part(&mut read, &control, &mut ear, bridge).await
    }

    /// Waits for the entries of what is held, and stores what has none.
    async fn part(
        &mut self,
        read: &mut mpsc::Receiver<Word>,
        control: &Connection,
        ear: &mut Option<Ear>,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        let last = Instant::now() + PARTING;
        while self.listening.as_ref().is_some_and(Listening::is_holding)
            && let Ok(Some(word)) = timeout_at(last, read.recv()).await
        {
            self.take(word, control, ear, bridge).await?;
        }
        if let Some(listening) = &mut self.listening {
            listening.give_up(&self.reading, bridge).await?;
            ear.iter().for_each(|ear| listening.end(ear, bridge));
        }
        self.look(control, bridge).await
    }

    async fn look_and_hear(
        &mut self,
        control: &Connection,
        ear: &mut Option<Ear>,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        if let (Some(listening), Some(ear)) = (&mut self.listening, ear) {
            listening.look(control, ear, &self.reading, bridge).await?;
        }
        self.look(control, bridge).await
    }

    fn load(&mut self, bridge: &Bridge) -> Result<(), BridgeFault> {
        if self.place.is_some() {
            return Ok(());
        }
        let place = match self.file.load() {
            Ok(Loaded::At(place)) => place,
            Ok(Loaded::Absent) => Place::default(),
            Ok(Loaded::Damaged { kept, cause }) => {
                let data = serde_json::json!({ "kept": kept.display().to_string(), "cause": cause });
                bridge.note("kymo.bridge.cursor_damaged", kymo_event::Level::Error, data);
                Place::default()
            }
            Err(error) => {
                let message = format!("what this source remembers of its streams cannot be read: {error}");
                return Err(BridgeFault::new("cursor_unreadable", message));
            }
        };
        self.stored = place.clone();
        if let Some(listening) = &mut self.listening {
            listening.until = place.heard.map(Micros);
        }
        self.place = Some(place);
        Ok(())
    }

    fn places(&mut self) -> &mut BTreeMap<String, StreamPlace> {
        &mut self.place.get_or_insert_default().streams
    }

    async fn reader(&mut self, words: mpsc::Sender<Word>) -> Result<Reader, BridgeFault> {
        let known = self.places().iter();
        let known = known.filter_map(|(name, place)| Some((name.clone(), place.last.parse().ok()?)));
        Ok(Reader {
            known: known.collect(),
            connection: Connection::open(&self.settings.server, BLOCK, |_| {}).await?,
            block: match self.listening {
                Some(_) => BLOCK_BESIDE_CHANNELS,
                None => BLOCK,
            },
            group: self.group.clone(),
            consumer: self.consumer.clone(),
            begin: self.settings.begin,
            claim_after: (self.settings.claim_after_s > 0)
                .then_some(Duration::from_secs(self.settings.claim_after_s)),
            missing: self.streams.clone(),
            words,
        })
    }

    async fn take(
        &mut self,
        word: Word,
        control: &Connection,
        ear: &mut Option<Ear>,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        match word {
            Word::Entries(stream, entries) => self.entries(&stream, entries, control, bridge).await?,
            Word::CaughtUp(at) => {
                if let (Some(listening), Some(ear)) = (&mut self.listening, ear)
                    && listening.is_due(at)
                {
                    listening.look(control, ear, &self.reading, bridge).await?;
                    listening.caught_up(at, &self.reading, bridge).await?;
                }
            }
            Word::Missing(missing) => self.missing(&missing, control, bridge),
            Word::Gone { stream, from, to } => {
                bridge.gap(from, to, None, "stream_gone");
                self.places().remove(&stream);
            }
        }
        Ok(())
    }

    fn missing(&self, missing: &[String], control: &Connection, bridge: &Bridge) {
        let fault = || {
            let message = format!(
                "{} has no stream {}: it is followed once something is added to it; or mend `streams`",
                control.broker(),
                missing.join(" ")
            );
            BridgeFault::new("stream_missing", message)
        };
        if missing.len() == self.streams.len() && self.listening.is_none() {
            bridge.waiting(fault(), None);
            return;
        }
        bridge.connected();
        if !missing.is_empty() {
            bridge.fault(fault());
        }
    }

    async fn entries(
        &mut self,
        stream: &str,
        entries: Vec<Entry>,
        control: &Connection,
        bridge: &Bridge,
    ) -> Result<(), BridgeFault> {
        let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
        let removed: Vec<EntryId> = entries
            .iter()
            .filter(|entry| entry.fields.is_none())
            .map(|entry| entry.id)
            .collect();
        let read = entries
            .into_iter()
            .filter_map(|entry| self.read(stream, entry, bridge))
            .collect::<Vec<_>>();
        hand_over(read.into_iter(), &*self.outlet, bridge).await?;
        if let (Some(first), Some(last)) = (removed.first(), removed.last()) {
            let from = first.moment().unwrap_or_else(now);
            let to = last.moment().unwrap_or_else(now).max(from);
            bridge.gap(from, to, Some(removed.len() as u64), "removed_from_stream");
        }
        let mut acknowledge = cmd("XACK");
        acknowledge.arg(stream).arg(&self.group);
        for id in &ids {
            acknowledge.arg(id.to_string());
        }
        // Not acknowledged they come again, and are known then.
        control.ask(&acknowledge).await?;
        if let Some(newest) = ids.iter().max() {
            let place = self.places().entry(stream.to_owned()).or_default();
            let before = place.last.parse().unwrap_or(EntryId::ZERO);
            if *newest > before {
                place.last = newest.to_string();
            }
        }
        Ok(())
    }

    fn read(&mut self, stream: &str, entry: Entry, bridge: &Bridge) -> Option<Read> {
        let id = entry.id;
        let payload = entry.payload(&self.settings.field)?;
        if let Some(listening) = &mut self.listening {
            listening.entry(&payload, bridge);
        }
        let (mark, text) = Mark::take(&payload);
        Some(self.reading.read(Message {
            subject: stream,
            payload: &text,
            from: mark.as_ref().map(Mark::publisher),
            id: Some(match &mark {
                Some(mark) => mark.id(),
                None => place(stream, id, &text),
            }),
        }))
    }

    /// Looks where the groups are.
    async fn look(&mut self, control: &Connection, bridge: &Bridge) -> Result<(), BridgeFault> {
        let (mut waiting, mut oldest) = (Some(0), None);
        for stream in self.streams.clone() {
            let info = control.try_ask(cmd("XINFO").arg("STREAM").arg(&stream)).await;
            let groups = control.try_ask(cmd("XINFO").arg("GROUPS").arg(&stream)).await;
            let (info, groups) = match (info, groups) {
                (Ok(info), Ok(groups)) => (StreamState::read(info), GroupState::read(groups, &self.group)),
                // It is missing, or may not be looked at: whoever reads it says so.
                (Err(error), _) | (_, Err(error)) if error.code().is_some() => continue,
                (Err(error), _) | (_, Err(error)) => return Err(control.fault(&error)),
            };
            let Some(group) = groups else {
                continue;
            };
            if let Some(removed) = self.places().entry(stream).or_default().look(&info, &group) {
                let to = removed.before.moment().unwrap_or_else(now);
                let from = removed.after.moment().unwrap_or(to).min(to);
                bridge.gap(from, to, removed.count, "removed_from_stream");
            }
            let is_behind = group.given < info.newest && info.length > 0;
            let lag = if is_behind { group.lag } else { Some(0) };
            waiting = waiting.and_then(|waiting: u64| Some(waiting + lag?));
            if is_behind {
                let next = group.given.max(info.first.unwrap_or_default()).moment();
                oldest = oldest.into_iter().chain(next).min();
            }
        }
        if !self.streams.is_empty() {
            bridge.lag(Lag {
                events: waiting,
                oldest,
            });
        }
        self.store().await;
        Ok(())
    }

    async fn store(&mut self) {
        let until = self.listening.as_ref().and_then(|listening| listening.until);
        if let Some(place) = &mut self.place {
            place.heard = until.map(|until| until.0);
        }
        let Some(place) = self.place.clone().filter(|place| *place != self.stored) else {
            return;
        };
        self.stored = place.clone();
        let file = self.file.clone();
        let stored = tokio::task::spawn_blocking(move || file.store(&place)).await;
        if let Ok(Err(error)) = stored {
            tracing::warn!(%error, "what a source remembers of its streams could not be stored");
        }
    }
}

/// The next message, where channels are heard.
async fn next(ear: &mut Option<Ear>) -> Option<Heard> {
    match ear {
        Some(ear) => ear.messages.recv().await,
        None => std::future::pending().await,
    }
}

/// Why the reader ended.
async fn over(reading: &mut JoinSet<Option<BridgeFault>>, control: &Connection) -> BridgeFault {
    match reading.join_next().await {
        Some(Ok(Some(fault))) => fault,
        _ => control.lost().await,
    }
}

impl Follow for Source {
    async fn follow(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        tokio::select! {
            followed = self.listen(bridge, end) => {
                if let (Err(fault), Some(listening)) = (&followed, &mut self.listening) {
                    listening.reason = fault.code;
                }
                followed
            }
            () = ended(end) => Ok(()),
        }
    }
}
