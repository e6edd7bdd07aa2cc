//! Publishes events, and knows when they are safe: JetStream acknowledges each; of what is only published a server has
//! taken everything that stands before an echo of our own.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_nats::{HeaderMap, HeaderValue, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use kymo_event::{
    LedgerId, LineView, Seq,
    dialects::{Dialect, egos},
};
use kymo_hub::BridgeFault;

use super::{
    HOPS_HEADER, ID_HEADER, LEDGER_HEADER, server::Connection, settings, subject::Template, word::word_of,
};
use crate::bridges::foreign;
use crate::sink::{Batch, Item, Refused, Sink, SinkFault};

/// What a stream must be called that stores a message.
const STREAM_HEADER: &str = "Nats-Expected-Stream";
/// The subject of an event of EGOS is the one its dashboard listens to.
const EGOS: &str = "egos";

/// So many denials at once are surely all heard of: what the client says of a connection has room for a few more.
const DENIALS_SURE: usize = 100;

pub(super) struct NatsSink {
    settings: settings::NatsSink,
    template: Template,
    dialect: Option<&'static dyn Dialect>,
    broker: String,
    ledger: LedgerId,
    open: Option<Open>,
    /// Of the batch at hand: what is safe, and what will never be taken, and why.
    settled: HashMap<Seq, Option<BridgeFault>>,
}

struct Open {
    connection: Connection,
    answers: Subscriber,
    inbox: String,
    /// Numbers of answers that belong to batches before.
    answered: u64,
}

impl NatsSink {
    pub(super) fn new(settings: settings::NatsSink, ledger: LedgerId) -> Self {
        Self {
            template: Template::parse(&settings.subject).expect("judged with the settings"),
            dialect: foreign(&settings.dialect),
            broker: settings.server.broker(),
            settings,
            ledger,
            open: None,
            settled: HashMap::new(),
        }
    }

    fn subject(&self, view: &LineView<'_>) -> String {
        if self.dialect.is_some_and(|dialect| dialect.name() == EGOS)
            && let Some(subject) = egos::subject_of(&view.kind())
        {
            return subject.to_owned();
        }
        self.template.subject(view)
    }

    fn payload(&self, item: &Item<'_>) -> Bytes {
        match self.dialect {
            None => item.line(),
            Some(dialect) => {
                let mut payload = Vec::with_capacity(item.view.line().len());
                dialect.write(&item.view, &self.ledger, &mut payload);
                payload.into()
            }
        }
    }

    /// Its place in this ledger, whatever id it has: a stream drops what has an id it knows, and ids are unique only
    /// within their source.
    fn headers(&self, view: &LineView<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, format!("{}:{}", self.ledger, view.seq()));
        headers.insert(LEDGER_HEADER, self.ledger.to_string());
        headers.insert(
            HOPS_HEADER,
            HeaderValue::from(u64::from(view.hops().unwrap_or(0))),
        );
        if let Some(stream) = &self.settings.stream {
            headers.insert(STREAM_HEADER, stream.as_str());
        }
        headers
    }

    /// Publishes what the batch has that is not settled yet; gives back the subjects it went to, by the number in the batch.
    async fn publish(&mut self, open: &Open, batch: &Batch) -> Result<BTreeMap<usize, String>, SinkFault> {
        let max = open.connection.client.max_payload();
        let is_stored = self.settings.stream.is_some();
        let mut sent = BTreeMap::new();
        for (index, item) in batch.iter().enumerate() {
            let seq = item.view.seq();
            if self.settled.contains_key(&seq) {
                continue;
            }
            let (payload, headers) = (self.payload(&item), self.headers(&item.view));
            let bytes = payload.len() + bytes_of(&headers);
            if bytes > max {
                self.settled.insert(seq, Some(too_large(seq, bytes, max)));
                continue;
            }
            let client = &open.connection.client;
            let subject = self.subject(&item.view);
            sent.insert(index, subject.clone());
            let published = if is_stored {
                let reply = format!("{}.{}", open.inbox, open.answered + index as u64);
                client
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            } else {
                client.publish_with_headers(subject, headers, payload).await
            };
            published.map_err(|error| SinkFault::Lost(self.gone(&error.to_string())))?;
        }
        Ok(sent)
    }

    /// Waits for the stream's word on every message. What it has said once is not asked again, whatever it says of others.
    async fn acknowledged(&mut self, open: &mut Open, batch: &Batch) -> Result<(), SinkFault> {
        let stream = self.settings.stream.clone().unwrap_or_default();
        let mut waiting = self.publish(open, batch).await?;
        let seqs: Vec<Seq> = batch.iter().map(|item| item.view.seq()).collect();
        let mut failed = None;
        while !waiting.is_empty() {
            let Some(answer) = self.answer(open).await? else {
                self.settle_denied(open, &seqs, &mut waiting)?;
                continue;
            };
            let number = answer
                .subject
                .rsplit('.')
                .next()
                .and_then(|number| number.parse::<u64>().ok());
            // What was sent before the last fault is answered still.
            let number = number.and_then(|number| number.checked_sub(open.answered));
            let Some(index) = number.and_then(|number| usize::try_from(number).ok()) else {
                continue;
            };
            // Others may answer on such subjects, too: only the stream's word counts, and once.
            let Some(word) = word_of(&answer, &stream, &self.broker, &self.settings.subject) else {
                continue;
            };
            if waiting.remove(&index).is_none() {
                continue;
            }
            match word {
                Ok(()) => _ = self.settled.insert(seqs[index], None),
                Err(fault) if fault.code == "too_large" => {
                    self.settled.insert(seqs[index], Some(fault));
                }
                Err(fault) => _ = failed.get_or_insert(fault),
            }
        }
        failed.map_or(Ok(()), |fault| Err(SinkFault::Refused(fault)))
    }

    /// What was not allowed to be published is refused; what is left waits on.
    fn settle_denied(
        &mut self,
        open: &Open,
        seqs: &[Seq],
        waiting: &mut BTreeMap<usize, String>,
    ) -> Result<(), SinkFault> {
        for (subject, fault) in open.connection.take_denied() {
            let before = waiting.len();
            waiting.retain(|index, to| {
                let is_denied = *to == subject;
                if is_denied {
                    self.settled.insert(seqs[*index], Some(fault.clone()));
                }
                !is_denied
            });
            if waiting.len() == before && subject.starts_with(&open.inbox) {
                return Err(SinkFault::Lost(fault));
            }
        }
        Ok(())
    }

    /// An answer; `None` if something was not allowed to be published.
    async fn answer(&self, open: &mut Open) -> Result<Option<Message>, SinkFault> {
        tokio::select! {
            answer = open.answers.next() => match answer {
                Some(answer) => Ok(Some(answer)),
                None => Err(SinkFault::Lost(self.gone("it was closed"))),
            },
            () = open.connection.denied() => Ok(None),
            fault = open.connection.lost() => Err(SinkFault::Lost(fault)),
            // The connection knows the complaint until it is made anew.
            fault = open.connection.complained() => Err(SinkFault::Lost(fault)),
        }
    }

    /// Publishes, and waits until the server has taken everything that it takes.
    async fn echoed(&mut self, open: &mut Open, batch: &Batch) -> Result<(), SinkFault> {
        let seqs: Vec<Seq> = batch.iter().map(|item| item.view.seq()).collect();
        loop {
            let denials = open.connection.denials();
            let mut sent = self.publish(open, batch).await?;
            let echo = format!("{}.{}", open.inbox, open.answered);
            let asked = open.connection.client.publish(echo.clone(), "".into()).await;
            asked.map_err(|error| SinkFault::Lost(self.gone(&error.to_string())))?;
            loop {
                match self.answer(open).await? {
                    Some(answer) if *answer.subject == echo => break,
                    Some(_) => {}
                    None => self.settle_denied(open, &seqs, &mut sent)?,
                }
            }
            // A denial came before the echo, and takes another way to here.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
            self.settle_denied(open, &seqs, &mut sent)?;
            open.answered += 1;
            if open.connection.denials() - denials < DENIALS_SURE {
                return Ok(());
            }
        }
    }

    fn gone(&self, why: &str) -> BridgeFault {
        BridgeFault::new(
            "unreachable",
            format!("the connection to {} was lost: {why}", self.broker),
        )
    }
}

impl Sink for NatsSink {
    async fn connect(&mut self) -> Result<(), BridgeFault> {
        self.open = None;
        let connection = Connection::open(&self.settings.server, 1 << 16).await?;
        let inbox = connection.client.new_inbox();
        let answers = connection.client.subscribe(format!("{inbox}.*")).await;
        let answers = answers.map_err(|error| self.gone(&error.to_string()))?;
        connection.settle().await?;
        self.open = Some(Open {
            connection,
            answers,
            inbox,
            answered: 0,
        });
        Ok(())
    }

    async fn deliver(&mut self, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        let Some(mut open) = self.open.take() else {
            return Err(SinkFault::Lost(self.gone("there is none")));
        };
        let delivered = match self.settings.stream {
            Some(_) => self.acknowledged(&mut open, batch).await,
            None => self.echoed(&mut open, batch).await,
        };
        open.answered += batch.len() as u64 + 1;
        self.open = Some(open);
        delivered?;
        let settled = std::mem::take(&mut self.settled);
        let refused = batch.iter().enumerate().filter_map(|(index, item)| {
            let fault = settled.get(&item.view.seq())?.clone()?;
            Some(Refused { index, fault })
        });
        Ok(refused.collect())
    }

    async fn lost(&mut self) -> BridgeFault {
        match &self.open {
            Some(open) => tokio::select! {
                fault = open.connection.lost() => fault,
                fault = open.connection.turned_away() => fault,
            },
            None => std::future::pending().await,
        }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let _ = tokio::time::timeout(Duration::from_secs(1), open.connection.client.flush()).await;
        }
    }

    fn origin(&self) -> Option<&str> {
        Some(&self.broker)
    }
}

/// As they are written on the wire.
fn bytes_of(headers: &HeaderMap) -> usize {
    let lines = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let lines = lines.map(|(name, value)| AsRef::<[u8]>::as_ref(name).len() + value.as_str().len() + 4);
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}

fn too_large(seq: Seq, bytes: usize, max: usize) -> BridgeFault {
    let message =
        format!("event {seq} has {bytes} bytes with its headers; the server takes {max} (its max_payload)");
    BridgeFault::new("too_large", message)
}
