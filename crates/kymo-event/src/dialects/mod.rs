//! Foreign forms of an event, there and back. One file each, one list.
//!
//! Reading never loses anything: what has no key in the envelope goes to `ext`, and where a value had to be put into
//! our form, the original stays in `ext` under its own name, so that writing can give it back.
mod broadcast;
pub mod cloudevents;
mod conductor;
pub mod egos;
mod fields;
mod mapped;
mod native;
mod resonance;
mod unrecognised;

pub use broadcast::Broadcast;
pub use cloudevents::CloudEvents;
pub use conductor::Conductor;
pub use egos::Egos;
pub use mapped::{Mapping, MappingError, UNRECOGNISED};
pub use native::Native;
pub use resonance::{ExtendedResonance, Resonance};
pub use unrecognised::{read_or_keep, unrecognised, unrecognised_text};

use crate::{Event, LedgerId, Limits, LineView, RawJson, Refusal};

/// A form that records arrive in and can be given out in.
pub trait Dialect: Sync {
    /// The word in `dialect:` and in requests.
    fn name(&self) -> &'static str;
    /// Whether the ids of its events identify them (so that a repeat is one). Where only some of a form's ids do, the
    /// others stay in `ext` and the event has none.
    fn id_is_identity(&self) -> bool {
        true
    }
    /// Whether a record is surely of this dialect, among those that the dialects before it in the list left.
    fn detects(&self, record: &RawJson<'_>) -> bool;
    /// Reads a record. The byte in a refusal counts from the start of the record.
    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal>;
    /// Appends the event in this form to `out`.
    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>);
    /// Records of this form for the conformance suite and the docs: each must come back equal as JSON.
    fn samples(&self) -> &'static [&'static str];
}

/// Every dialect we speak, in the order auto-detection tries them.
pub static DIALECTS: &[&dyn Dialect] = &[&CloudEvents, &Broadcast, &Conductor, &Egos, &Resonance, &Native];

/// A dialect by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.name() == name)
}

/// The dialect a record is written in, where its shape leaves no doubt; `None` for one that says nowhere what it is.
#[must_use]
pub fn recognise(record: RawJson<'_>) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.detects(&record))
}

/// The dialect to read a record in: the one it is recognised as, else the native one, which will say what is missing.
#[must_use]
pub fn detect(record: RawJson<'_>) -> &'static dyn Dialect {
    // Native is the last of the list, whether it recognises the record or not.
    let (_, others) = DIALECTS.split_last().expect("there are dialects");
    let mut others = others.iter().copied();
    others.find(|dialect| dialect.detects(&record)).unwrap_or(&Native)
}
