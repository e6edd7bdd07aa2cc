//! Foreign forms of an event, there and back. One file each, one list.
use crate::{Event, LedgerId, Limits, LineView, RawJson, Refusal};

/// A form that records arrive in and can be given out in.
pub trait Dialect: Sync {
    /// The word in `dialect:` and in requests.
    fn name(&self) -> &'static str;
    /// Whether the id it carries identifies the event (so that a repeat is one).
    fn id_is_identity(&self) -> bool {
        true
    }
    /// Whether a record looks like this dialect. Native comes last and takes what is left.
    fn detects(&self, record: RawJson<'_>) -> bool;
    /// Reads a record.
    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal>;
    /// Appends the event in this form to `out`.
    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>);
    /// Records of this form for the conformance suite and the docs: each must come back equal as JSON.
    fn samples(&self) -> &'static [&'static str];
}

/// The native form.
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> &'static str {
        "kymo"
    }
    fn detects(&self, _: RawJson<'_>) -> bool {
        true
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

/// CloudEvents 1.0 in its JSON form; the HTTP modes are [`cloudevents`].
pub struct CloudEvents;

impl Dialect for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }
    fn detects(&self, _: RawJson<'_>) -> bool {
        true
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

/// CloudEvents over HTTP.
pub mod cloudevents {
    use crate::{Event, Limits, Refusal};

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
}

/// Every dialect we speak, in the order auto-detection tries them.
pub static DIALECTS: &[&dyn Dialect] = &[&CloudEvents, &Native];

/// A dialect by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.name() == name)
}

/// The dialect a record is written in.
#[must_use]
pub fn detect(record: RawJson<'_>) -> &'static dyn Dialect {
    DIALECTS
        .iter()
        .copied()
        .find(|dialect| dialect.detects(record))
        .unwrap_or(&Native)
}
