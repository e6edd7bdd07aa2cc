//! What event a message is.
//!
//! Whatever cannot be read as one is kept as it is, under the type `unrecognised`. A message that this very ledger
//! published is not taken back.

use base64::{Engine, prelude::BASE64_STANDARD};
use kymo_event::{
    Event, LedgerId, Limits, RawJson, Refusal,
    dialects::{self, Dialect, UNRECOGNISED},
    way::{self, HOPS_MAX},
};
use kymo_hub::{Bridge, BridgeFault, Hub};

use crate::Outlet;

/// How messages of one source are read.
pub(crate) struct Reading {
    broker: String,
    dialect: Option<&'static dyn Dialect>,
    source: String,
    limits: Limits,
    ledger: LedgerId,
}

/// A message as it came.
pub(crate) struct Message<'m> {
    /// The subject, channel or stream.
    pub(crate) subject: &'m str,
    pub(crate) payload: &'m [u8],
    /// Where it comes from, if a ledger published it.
    pub(crate) from: Option<Publisher<'m>>,
    /// The id of an event that says none.
    pub(crate) id: Option<String>,
}

/// Who published a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publisher<'m> {
    pub(crate) ledger: &'m str,
    /// How often it went from ledger to ledger before.
    pub(crate) hops: u8,
}

/// What a message is.
pub(crate) enum Read {
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
    /// Of this broker, in a dialect or each in the one it is recognised as; those that name no source come from `source`.
    pub(crate) fn new(broker: String, dialect: Option<&str>, source: &str, hub: &Hub) -> Self {
        Self {
            broker,
            dialect: dialect.and_then(dialects::by_name),
            source: source.to_owned(),
            limits: hub.settings().limits.clone(),
            ledger: hub.ledger().id(),
        }
    }

    /// Reads a message.
    pub(crate) fn read(&self, message: Message<'_>) -> Read {
        let Message {
            subject,
            payload,
            from,
            id,
        } = message;
        if from.is_some_and(|from| self.ledger.as_str() == from.ledger) {
            return Read::Own;
        }
        if payload.len() > self.limits.event_bytes_max {
            return Read::Refused(too_large(subject, payload.len(), self.limits.event_bytes_max));
        }
        let (mut event, recognised) = match self.parse(payload) {
            Ok(event) => (event, true),
            Err(()) => (self.keep(payload), false),
        };
        if let Some(from) = from {
            let hops = from.hops.max(event.hops.unwrap_or(0)).saturating_add(1);
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
            event.id = id.map(Into::into);
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
        let event = match self.dialect {
            Some(dialect) => dialect.read(record, &self.limits),
            None => dialects::read_or_keep(record, &self.limits),
        };
        let event = event.map_err(|_| ())?;
        if event.kind.is_empty() || event.kind == UNRECOGNISED {
            return Err(());
        }
        Ok(event.into_owned())
    }

    /// As JSON where it is JSON, as text where it is text, else as base64.
    fn keep(&self, payload: &[u8]) -> Event<'static> {
        let source = self.source.clone();
        let Ok(text) = std::str::from_utf8(payload) else {
            let mut event = Event::new(UNRECOGNISED, source);
            event.data = Some(format!(r#"{{"base64":"{}"}}"#, BASE64_STANDARD.encode(payload)).into());
            return event;
        };
        match RawJson::parse(text, self.limits.nesting_max) {
            Ok(record) => dialects::unrecognised(source, record).into_owned(),
            Err(_) => dialects::unrecognised_text(source, text).into_owned(),
        }
    }
}

/// Hands over what was read and counts what became of it; done when it is durable.
pub(crate) async fn hand_over(
    read: impl Iterator<Item = Read>,
    outlet: &dyn Outlet,
    bridge: &Bridge,
) -> Result<(), BridgeFault> {
    let (mut events, mut own, mut unrecognised) = (Vec::new(), 0, 0);
    let mut refused: Vec<BridgeFault> = Vec::new();
    for read in read {
        match read {
            Read::Event(event) => events.push(*event),
            Read::Unrecognised(event) => {
                unrecognised += 1;
                events.push(*event);
            }
            Read::Own => own += 1,
            Read::Refused(fault) => refused.push(fault),
        }
    }
    bridge.skipped(own);
    bridge.unrecognised(unrecognised);
    if !events.is_empty() {
        let count = events.len() as u64;
        let taken = outlet
            .emit_each(events)
            .await
            .map_err(|error| BridgeFault::new("closing", error))?;
        bridge.repeats(taken.repeats);
        bridge.passed(count - taken.repeats - taken.refused.len() as u64);
        refused.extend(
            taken
                .refused
                .into_iter()
                .map(|one| BridgeFault::new("not_stored", format!("{} [{}]", one.message, one.code))),
        );
    }
    if let Some(first) = refused.first() {
        bridge.refused(refused.len() as u64, first);
    }
    Ok(())
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
