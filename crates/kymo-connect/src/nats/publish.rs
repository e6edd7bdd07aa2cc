//! Publishes events, and knows when they are safe: JetStream acknowledges each; of what is only published a server has
//! taken everything that stands before an echo of our own.

use std::time::Duration;

use async_nats::{HeaderMap, HeaderValue, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use kymo_event::{
    LedgerId, LineView,
    dialects::{Dialect, egos},
};
use kymo_hub::BridgeFault;
use serde::Deserialize;

use super::{HOPS_HEADER, ID_HEADER, LEDGER_HEADER, server::Connection, settings, subject::Template};
use crate::bridges::foreign;
use crate::sink::{Batch, Item, Refused, Sink, SinkFault};

/// What a stream must be called that stores a message.
const STREAM_HEADER: &str = "Nats-Expected-Stream";
/// The subject of an event of EGOS is the one its dashboard listens to.
const EGOS: &str = "egos";

pub(super) struct NatsSink {
    settings: settings::NatsSink,
    template: Template,
    dialect: Option<&'static dyn Dialect>,
    broker: String,
    ledger: LedgerId,
    open: Option<Open>,
}

struct Open {
    connection: Connection,
    answers: Subscriber,
    inbox: String,
    /// Numbers of answers that belong to batches before.
    answered: u64,
}

/// What JetStream says of a message.
#[derive(Deserialize)]
struct Ack {
    error: Option<AckError>,
    stream: Option<String>,
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct AckError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// The message is larger than the stream allows.
const MESSAGE_TOO_LARGE: u64 = 10_054;

impl NatsSink {
    pub(super) fn new(settings: settings::NatsSink, ledger: LedgerId) -> Self {
        Self {
            template: Template::parse(&settings.subject).expect("judged with the settings"),
            dialect: foreign(&settings.dialect),
            broker: settings.server.broker(),
            settings,
            ledger,
            open: None,
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

    async fn publish(&self, open: &Open, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        let max = open.connection.client.max_payload();
        let is_stored = self.settings.stream.is_some();
        let mut refused = Vec::new();
        for (index, item) in batch.iter().enumerate() {
            let (payload, headers) = (self.payload(&item), self.headers(&item.view));
            // Headers count too; these have a few hundred bytes at most.
            if payload.len() + 512 > max {
                let fault = too_large(item.view.seq().get(), payload.len(), max);
                refused.push(Refused { index, fault });
                continue;
            }
            let client = &open.connection.client;
            let subject = self.subject(&item.view);
            let sent = if is_stored {
                let reply = format!("{}.{}", open.inbox, open.answered + index as u64);
                client
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            } else {
                client.publish_with_headers(subject, headers, payload).await
            };
            sent.map_err(|error| SinkFault::Lost(self.gone(&error.to_string())))?;
        }
        Ok(refused)
    }

    /// Waits for the stream's word on every message.
    async fn acknowledged(
        &self,
        open: &mut Open,
        batch: &Batch,
        refused: &mut Vec<Refused>,
    ) -> Result<(), SinkFault> {
        let mut waiting = batch.len() - refused.len();
        let mut answered = vec![false; batch.len()];
        let mut failed = None;
        while waiting > 0 {
            let answer = self.answer(open).await?;
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
            let Some(word) = self.word_of(&answer) else {
                continue;
            };
            if answered.get(index) != Some(&false) {
                continue;
            }
            answered[index] = true;
            waiting -= 1;
            let Err(fault) = word else {
                continue;
            };
            if fault.code == "too_large" {
                refused.push(Refused { index, fault });
            } else {
                failed.get_or_insert(fault);
            }
        }
        match failed {
            Some(fault) => Err(SinkFault::Refused(fault)),
            None => Ok(()),
        }
    }

    async fn answer(&self, open: &mut Open) -> Result<Message, SinkFault> {
        tokio::select! {
            answer = open.answers.next() => answer.ok_or_else(|| SinkFault::Lost(self.gone("it was closed"))),
            fault = open.connection.lost() => Err(SinkFault::Lost(fault)),
            // The connection knows the complaint until it is made anew.
            fault = open.connection.complained() => Err(SinkFault::Lost(fault)),
        }
    }

    /// What the stream says; `None` if it is not the stream that answers.
    fn word_of(&self, answer: &Message) -> Option<Result<(), BridgeFault>> {
        let stream = self.settings.stream.as_deref().unwrap_or_default();
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            let message = format!(
                "no stream of {} takes subjects like \"{}\": make {stream} with them, or mend `subject`",
                self.broker, self.settings.subject
            );
            return Some(Err(BridgeFault::new("stream_missing", message)));
        }
        let ack: Ack = serde_json::from_slice(&answer.payload).ok()?;
        let Some(error) = ack.error else {
            ack.seq?;
            return match ack.stream? {
                other if other != stream => {
                    let message =
                        format!("the stream {other} takes these subjects, and not {stream}: mend `stream`");
                    Some(Err(BridgeFault::new("stream_refused", message)))
                }
                _ => Some(Ok(())),
            };
        };
        let code = match error.err_code {
            MESSAGE_TOO_LARGE => "too_large",
            _ if error.description.contains("maximum") => "no_room",
            _ => "stream_refused",
        };
        Some(Err(BridgeFault::new(
            code,
            format!("the stream {stream} says: {}", error.description),
        )))
    }

    /// Waits until the server has taken everything.
    async fn echoed(&self, open: &mut Open) -> Result<(), SinkFault> {
        let echo = format!("{}.{}", open.inbox, open.answered);
        let sent = open.connection.client.publish(echo.clone(), "".into()).await;
        sent.map_err(|error| SinkFault::Lost(self.gone(&error.to_string())))?;
        while *self.answer(open).await?.subject != *echo {}
        // A complaint came before the echo, and takes another way to here.
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        match open.connection.complaint() {
            Some(fault) => Err(SinkFault::Lost(fault)),
            None => Ok(()),
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
        let delivered = async {
            let mut refused = self.publish(&open, batch).await?;
            if self.settings.stream.is_some() {
                self.acknowledged(&mut open, batch, &mut refused).await?;
            } else {
                self.echoed(&mut open).await?;
            }
            refused.sort_by_key(|refused| refused.index);
            Ok(refused)
        };
        let delivered = delivered.await;
        open.answered += batch.len() as u64 + 1;
        self.open = Some(open);
        delivered
    }

    async fn lost(&mut self) -> BridgeFault {
        match &self.open {
            Some(open) => tokio::select! {
                fault = open.connection.lost() => fault,
                fault = open.connection.complained() => fault,
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

fn too_large(seq: u64, bytes: usize, max: usize) -> BridgeFault {
    let message =
        format!("event {seq} has {bytes} bytes; the server takes {max} with headers (its max_payload)");
    BridgeFault::new("too_large", message)
}
