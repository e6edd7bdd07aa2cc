//! CloudEvents 1.0: JSON, batch, and binary over HTTP.
use super::Dialect;
use crate::{Event, LedgerId, Limits, LineView, RawJson, Refusal};

/// CloudEvents 1.0 in its JSON form; the HTTP modes are functions here.
pub struct CloudEvents;

impl Dialect for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }
    fn detects(&self, _: RawJson<'_>) -> bool {
        false
    }
    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        todo!("{record:?} {limits:?}")
    }
    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>) {
        todo!("{line:?} {ledger} {out:?}")
    }
    fn samples(&self) -> &'static [&'static str] {
        &[]
    }
}

/// How a request carries CloudEvents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// `application/cloudevents+json`
    Structured,
    /// `application/cloudevents-batch+json`
    Batch,
    /// Attributes in `ce-` headers, the body is the data.
    Binary,
}

/// Decides by Content-Type and whether a `ce-specversion` header is there; `None`: not CloudEvents.
#[must_use]
pub fn mode(content_type: Option<&str>, has_ce_headers: bool) -> Option<Mode> {
    todo!("{content_type:?} {has_ce_headers}")
}

/// Reads binary mode: header pairs (lower-case names, raw values) and the body.
pub fn read_binary<'a>(
    content_type: Option<&str>,
    headers: &mut dyn Iterator<Item = (&str, &[u8])>,
    body: &'a [u8],
    limits: &Limits,
) -> Result<Event<'a>, Refusal> {
    todo!("{content_type:?} {body:?} {limits:?} {}", headers.count())
}
