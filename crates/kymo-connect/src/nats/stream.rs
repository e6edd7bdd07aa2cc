//! Follows a JetStream stream through a durable consumer: a message is acknowledged only when our ledger has it on disk,
//! and until then the stream keeps it. What it gives twice has the same id both times and is stored once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    self, Message,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    context::GetStreamErrorKind,
    stream::{RetentionPolicy, Stream},
};
use kymo_event::Micros;
use kymo_hub::{Bridge, BridgeFault, Hub, Lag};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{BATCH_MESSAGES, message_of, next_batch, server::Connection, settings::NatsSource, subject};
use crate::{
    CursorFile, Loaded, Outlet,
    clock::now,
    messages::{Reading, hand_over},
    sink::Begin,
    source::{Follow, ended},
};

/// A server that misses two of these hangs.
const HEARTBEAT: Duration = Duration::from_secs(3);
const EXPIRES: Duration = Duration::from_secs(30);
/// On shutdown, how long the last acknowledgements may take.
const PARTING: Duration = Duration::from_secs(1);
/// How often it is written down what was stored last.
const PLACED_EVERY: Duration = Duration::from_secs(1);
/// Messages on the way that are not acknowledged yet.
const UNACKNOWLEDGED_MAX: i64 = 20_000;

pub(super) struct StreamSource {
    settings: NatsSource,
    stream: String,
    consumer: String,
    reading: Reading,
    outlet: Arc<dyn Outlet>,
    /// The first message whose absence was said.
    missed: u64,
    /// The newest that was stored here.
    newest: Option<Newest>,
    place: CursorFile<Newest>,
    placed: Instant,
}

/// A message of a stream that was stored here. The server moves on by itself what it has of this once messages are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct Newest {
    /// When the stream was made, in seconds since 1970.
    born: i64,
    seq: u64,
    /// In microseconds since 1970.
    published: i64,
}

impl StreamSource {
    pub(super) fn new(
        name: &str,
        settings: NatsSource,
        hub: &Hub,
        outlet: Arc<dyn Outlet>,
        place: CursorFile<Newest>,
    ) -> Self {
        let newest = match place.load() {
            Ok(Loaded::At(newest)) => Some(newest),
            // It only says what is missed.
            _ => None,
        };
        Self {
            reading: settings.reading(hub),
            stream: settings.stream.clone().unwrap_or_default(),
            consumer: settings
                .consumer
                .clone()
                .unwrap_or_else(|| format!("kymo-{name}")),
            settings,
            outlet,
            missed: 0,
            newest,
            place,
            placed: Instant::now(),
        }
    }

    async fn consume(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        let connection = Connection::open(&self.settings.server, self.settings.waiting_max).await?;
        let context = jetstream::new(connection.client.clone());
        let stream = self.find(&context, &connection).await?;
        let consumer = self.consumer(&stream).await?;
        self.check(&stream, &consumer)?;
        self.say_missed(&stream, &consumer, bridge);
        let born = stream.cached_info().created.unix_timestamp();
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH_MESSAGES * 4)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages();
        let mut messages = messages.await.map_err(|error| refused(&error))?;
        bridge.connected();
        bridge.lag(Lag {
            events: Some(consumer.cached_info().num_pending),
            oldest: None,
        });
        loop {
            let bytes_of =
                |message: &Result<Message, _>| message.as_ref().map_or(0, |message| message.length);
            let batch = tokio::select! {
                batch = next_batch(&mut messages, bytes_of) => batch,
                fault = connection.lost() => return Err(fault),
                fault = connection.turned_away() => return Err(fault),
                () = end.cancelled() => {
                    // Else what is stored here would come again.
                    let _ = timeout(PARTING, connection.client.flush()).await;
                    self.keep().await;
                    return Ok(());
                }
            };
            let Some(batch) = batch else {
                return Err(connection.lost().await);
            };
            let mut fault = None;
            let good: Vec<Message> = batch
                .into_iter()
                .map_while(|message| message.map_err(|error| fault = Some(refused(&error))).ok())
                .collect();
            self.take(&good, born, bridge).await?;
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
    }

    async fn find(
        &self,
        context: &jetstream::Context,
        connection: &Connection,
    ) -> Result<Stream, BridgeFault> {
        context.get_stream(&self.stream).await.map_err(|error| {
            let (name, broker) = (&self.stream, &connection.broker);
            match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.code() == 404 => {
                    let message = format!("{broker} has no stream {name}: make it, or mend `stream`");
                    BridgeFault::new("stream_missing", message)
                }
                GetStreamErrorKind::JetStream(_) | GetStreamErrorKind::Request => {
                    let message =
                        format!("{broker} does not say what {name} is: {error}; is JetStream on there?");
                    BridgeFault::new("stream_unavailable", message)
                }
                _ => BridgeFault::new(
                    "stream_missing",
                    format!("`stream` cannot be \"{name}\": {error}"),
                ),
            }
        })
    }

    /// The durable consumer, made if it is not there; one that is there is taken as it is.
    async fn consumer(&self, stream: &Stream) -> Result<PullConsumer, BridgeFault> {
        let filter = match &*self.settings.subjects {
            // Before version 2.10 a consumer has one filter at most; several are told apart here.
            [one] => one.clone(),
            _ => String::new(),
        };
        let config = pull::Config {
            durable_name: Some(self.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(self.settings.ack_wait_s.max(1)),
            max_ack_pending: UNACKNOWLEDGED_MAX,
            filter_subject: filter,
            deliver_policy: match self.settings.begin {
                Begin::Start => DeliverPolicy::All,
                Begin::Now => DeliverPolicy::New,
            },
            ..pull::Config::default()
        };
        stream
            .get_or_create_consumer(&self.consumer, config)
            .await
            .map_err(|error| {
                let (consumer, stream) = (&self.consumer, &self.stream);
                let message =
                    format!("the consumer {consumer} of the stream {stream} cannot be used: {error}");
                BridgeFault::new("consumer_refused", message)
            })
    }

    /// Refuses a consumer that gives what is not for this source where that would be lost by it: what is acknowledged
    /// there is removed.
    fn check(&self, stream: &Stream, consumer: &PullConsumer) -> Result<(), BridgeFault> {
        let (subjects, config) = (&self.settings.subjects, &stream.cached_info().config);
        let filter = &consumer.cached_info().config.filter_subject;
        let gives_only_ours = match filter.is_empty() {
            true => config.subjects == *subjects,
            false => subjects.contains(filter),
        };
        let removes = config.retention != RetentionPolicy::Limits;
        // A consumer of our own was made for what the settings said then.
        let is_another =
            self.settings.consumer.is_none() && subjects.len() == 1 && !subjects.contains(filter);
        if !is_another && (gives_only_ours || !removes) {
            return Ok(());
        }
        let (name, consumer) = (&self.stream, &self.consumer);
        let message = match is_another {
            true => format!(
                "the consumer {consumer} of the stream {name} gives \"{filter}\": name another in `consumer`, or remove this one"
            ),
            false => format!(
                "the stream {name} removes what is acknowledged, and its consumer {consumer} would give more than `subjects` \
                 names: name one subject, or a consumer with that filter"
            ),
        };
        Err(BridgeFault::new("consumer_refused", message))
    }

    /// Says what the stream removed before it was read.
    fn say_missed(&mut self, stream: &Stream, consumer: &PullConsumer, bridge: &Bridge) {
        let (state, consumer) = (&stream.cached_info().state, consumer.cached_info());
        let acknowledged = consumer.ack_floor.stream_sequence;
        // What was stored here and whose acknowledgement was lost is not missed.
        let born = stream.cached_info().created.unix_timestamp();
        let is_by_age = stream.cached_info().config.retention == RetentionPolicy::Limits;
        let newest = self.newest.filter(|newest| newest.born == born);
        let (read, published) = match newest {
            Some(newest) if is_by_age || newest.seq >= acknowledged => {
                (newest.seq, Some(Micros(newest.published)))
            }
            _ => (acknowledged, None),
        };
        let first = state.first_sequence;
        if read == 0 || first <= read + 1 || self.missed == first {
            return;
        }
        self.missed = first;
        let config = &stream.cached_info().config;
        // Else others are among those that are not there any more.
        let gives_all = consumer.config.filter_subject.is_empty()
            && config.subjects == self.settings.subjects
            || config.subjects == [consumer.config.filter_subject.clone()];
        let lost = (gives_all && is_by_age).then_some(first - read - 1);
        // They were published after the last that was read and before the first that is left.
        let created = stream.cached_info().created.unix_timestamp_nanos();
        let from = published.unwrap_or_else(|| micros(created));
        let to = match state.messages {
            0 => now(),
            _ => micros(state.first_timestamp.unix_timestamp_nanos()),
        };
        bridge.gap(from, to, lost, "removed_from_stream");
    }

    /// Writes down what was stored last.
    async fn keep(&mut self) {
        self.placed = Instant::now();
        let Some(newest) = self.newest else { return };
        let place = self.place.clone();
        let stored = tokio::task::spawn_blocking(move || place.store(&newest)).await;
        if let Ok(Err(error)) = stored {
            tracing::warn!(%error, "what a source has of a stream could not be written down");
        }
    }

    async fn take(&mut self, batch: &[Message], born: i64, bridge: &Bridge) -> Result<(), BridgeFault> {
        let wanted = |message: &&Message| {
            let subjects = &self.settings.subjects;
            subjects
                .iter()
                .any(|pattern| subject::matches(pattern, &message.subject))
        };
        let read = batch.iter().filter(wanted).map(|message| {
            let place = message.info().ok();
            let place = place.map(|info| format!("{}:{born}:{}", info.stream, info.stream_sequence));
            self.reading.read(message_of(message, place))
        });
        hand_over(read, &*self.outlet, bridge).await?;
        let newest = batch.iter().filter_map(|message| message.info().ok());
        let newest = newest.map(|info| Newest {
            born,
            seq: info.stream_sequence,
            published: micros(info.published.unix_timestamp_nanos()).0,
        });
        self.newest = newest.max().max(self.newest);
        for message in batch {
            // Not acknowledged it comes again, and is known then.
            if let Err(error) = message.ack().await {
                return Err(BridgeFault::new("unreachable", error.to_string()));
            }
        }
        if self.placed.elapsed() >= PLACED_EVERY {
            self.keep().await;
        }
        if let Some(info) = batch.last().and_then(|message| message.info().ok()) {
            bridge.lag(Lag {
                events: Some(info.pending),
                oldest: (info.pending > 0).then(|| micros(info.published.unix_timestamp_nanos())),
            });
        }
        Ok(())
    }
}

impl Follow for StreamSource {
    async fn follow(&mut self, bridge: &Bridge, end: &CancellationToken) -> Result<(), BridgeFault> {
        tokio::select! {
            followed = self.consume(bridge, end) => followed,
            () = ended(end) => Ok(()),
        }
    }
}

fn micros(nanos: i128) -> Micros {
    Micros(i64::try_from(nanos / 1_000).unwrap_or(0))
}

fn refused(error: &dyn std::fmt::Display) -> BridgeFault {
    BridgeFault::new("stream_unavailable", format!("the stream gives nothing: {error}"))
}
