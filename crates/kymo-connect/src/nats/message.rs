//! What event a message is.
//!
//! Whatever cannot be read as one is kept as it is, under the type `unrecognised`. A message that this very ledger
//! published is not taken back.

use async_nats::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use kymo_event::{
    Event, LedgerId, Limits, RawJson, Refusal,
    dialects::{self, Dialect, UNRECOGNISED},
    json, way,
};
use kymo_hub::{BridgeFault, Hub};

use super::{HOPS_HEADER, ID_HEADER, LEDGER_HEADER, settings::NatsSource};
use kymo_event::way::HOPS_MAX;

/// How messages of one source are read.
pub(super) struct Reading {
    broker: String,
    dialect: Option<&'static dyn Dialect>,
    source: String,
    limits: Limits,
    ledger: LedgerId,
}

/// What a message is.
pub(super) enum Read {
    /// An event.
    Event(Box<Event<'static>>),
    /// One that nothing is known of, kept.
    Unrecognised(Box<Event<'static>>),
    /// Published by this ledger.
    Own,
    /// Over a limit.
    Refused(BridgeFault),
}

impl Reading {
    pub(super) fn new(settings: &NatsSource, hub: &Hub) -> Self {
        Self {
            broker: settings.server.broker(),
            dialect: settings.dialect.as_deref().and_then(dialects::by_name),
            source: settings.source.clone(),
            limits: hub.settings().limits.clone(),
            ledger: hub.ledger().id(),
        }
    }

    /// Reads a message. `place`: an id made of its place in a stream, for one that has no other.
    pub(super) fn read(
        &self,
        subject: &str,
        headers: Option<&HeaderMap>,
        payload: &[u8],
        place: Option<String>,
    ) -> Read {
        let header = |name: &str| {
            headers
                .and_then(|headers| headers.get(name))
                .map(|value| value.as_str())
        };
        let from = header(LEDGER_HEADER);
        if from.is_some_and(|from| self.ledger.to_string() == from) {
            return Read::Own;
        }
        if payload.len() > self.limits.event_bytes_max {
            return Read::Refused(too_large(subject, payload.len(), self.limits.event_bytes_max));
        }
        let (mut event, recognised) = match self.parse(payload) {
            Ok(event) => (event, true),
            Err(()) => (self.keep(payload), false),
        };
        if from.is_some() {
            let before: u8 = header(HOPS_HEADER)
                .and_then(|hops| hops.parse().ok())
                .unwrap_or(0);
            let hops = before.max(event.hops.unwrap_or(0)).saturating_add(1);
            if hops > HOPS_MAX {
                return Read::Refused(in_circles(subject, hops));
            }
            event.hops = Some(hops);
            // A seq of the other ledger says nothing here.
            if let Some(cause) = event.cause.take() {
                event.ext.push(("cause".into(), cause.to_string().into()));
            }
        }
        if event.id.is_none() {
            event.id = header(ID_HEADER).map(ToOwned::to_owned).or(place).map(Into::into);
        }
        if event.source.is_empty() || event.source == "unknown" {
            event.source = self.source.clone().into();
        }
        way::mark(&mut event, &self.broker, subject);
        match recognised {
            true => Read::Event(Box::new(event)),
            false => Read::Unrecognised(Box::new(event)),
        }
    }

    fn parse(&self, payload: &[u8]) -> Result<Event<'static>, ()> {
        let text = std::str::from_utf8(payload).map_err(|_| ())?;
        let record = RawJson::parse(text, self.limits.nesting_max).map_err(|_: Refusal| ())?;
        let dialect = self.dialect.unwrap_or_else(|| dialects::detect(record));
        let event = dialect.read(record, &self.limits).map_err(|_| ())?;
        if event.kind.is_empty() || event.kind == UNRECOGNISED {
            return Err(());
        }
        Ok(event.into_owned())
    }

    /// As JSON where it is JSON, as text where it is text, else as base64.
    fn keep(&self, payload: &[u8]) -> Event<'static> {
        let mut event = Event::new(UNRECOGNISED, self.source.clone());
        let data = match std::str::from_utf8(payload) {
            Ok(text) => match RawJson::parse(text, self.limits.nesting_max) {
                Ok(record) => record.as_str().to_owned(),
                Err(_) => json::string_token(text),
            },
            Err(_) => format!(r#"{{"base64":"{}"}}"#, BASE64_STANDARD.encode(payload)),
        };
        event.data = Some(data.into());
        event
    }
}

fn too_large(subject: &str, bytes: usize, max: usize) -> BridgeFault {
    let message = format!(
        "a message on {subject} has {bytes} bytes and {max} are allowed (hub.limits.event_bytes_max)"
    );
    BridgeFault::new("event_too_large", message)
}

fn in_circles(subject: &str, hops: u8) -> BridgeFault {
    let message = format!(
        "a message on {subject} went from ledger to ledger {hops} times: sinks and sources of several go in a circle"
    );
    BridgeFault::new("too_many_hops", message)
}
