//! Foreign forms of an event, there and back. One file each, one list.
//!
//! Reading never loses anything: what has no key in the envelope goes to `ext`, and where a value had to be put into
//! our form, the original stays in `ext` under its own name, so that writing can give it back.
pub mod cloudevents;
mod fields;
mod native;

pub use cloudevents::CloudEvents;
pub use native::Native;

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
    /// Reads a record. The byte in a refusal counts from the start of the record.
    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal>;
    /// Appends the event in this form to `out`.
    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>);
    /// Records of this form for the conformance suite and the docs: each must come back equal as JSON.
    fn samples(&self) -> &'static [&'static str];
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
