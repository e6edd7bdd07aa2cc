//! Forms that are told by a table: which key of a record is which key of the envelope, and where the payload is.
//!
//! Every member of a record has one place. A key of the table is the envelope's and never payload, so no payload can
//! overwrite the envelope; the payload is `data`; what is left is `ext`. A record comes back equal, because
//!
//! - a key that the envelope alone gives back under the form's first name for it is not stored a second time;
//! - any other key of the table stays in `ext`, verbatim, under its own name: another name, a value in another form, or
//!   one of several that could be meant (then all of them);
//! - what these two cannot tell is noted in `ext.kymo`, see `notes`.
//!
//! `mapping` is the table as a user writes it, `keys` the same made ready for looking up; `reading` and `writing` are
//! the two ways.
mod keys;
mod mapping;
mod moments;
mod notes;
mod reading;
mod spread;
mod writing;

pub use mapping::{Mapping, MappingError};
pub(super) use moments::TimeForm;
pub(super) use reading::Reading;
pub(super) use writing::Record;

use keys::Keys;

/// The type of a record that says nowhere what it is.
pub const UNRECOGNISED: &str = "unrecognised";

/// The source of an event that names none.
pub(super) const NO_SOURCE: &str = "unknown";

/// The member of `ext` that is no field of the original: what reading noted.
const KYMO: &str = "kymo";

/// A payload that cannot be named as its event.
const UNNAMED: &str = "payload";

/// A key of the envelope that records have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    Type,
    Time,
    Id,
    Source,
    Level,
    Agent,
    Session,
    Task,
    Trace,
    Span,
    Parent,
    User,
    Tier,
}

impl Slot {
    const COUNT: usize = 13;

    const ALL: [Self; Self::COUNT] = [
        Self::Type,
        Self::Time,
        Self::Id,
        Self::Source,
        Self::Level,
        Self::Agent,
        Self::Session,
        Self::Task,
        Self::Trace,
        Self::Span,
        Self::Parent,
        Self::User,
        Self::Tier,
    ];

    /// The key's name in the envelope.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Time => "time",
            Self::Id => "id",
            Self::Source => "source",
            Self::Level => "level",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Task => "task",
            Self::Trace => "trace",
            Self::Span => "span",
            Self::Parent => "parent",
            Self::User => "user",
            Self::Tier => "tier",
        }
    }
}

/// Where a form has its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Payload {
    /// Spread over the top level: whatever is not in the table. Alone under the name of the event it is the payload
    /// itself.
    Spread,
    /// Under a key of its own; what else is not in the table goes to `ext`.
    Under(&'static str),
}

/// A form as its file describes it.
pub(super) struct Outline {
    /// The dialect's name.
    pub(super) name: &'static str,
    /// Its keys; of each slot the first is the one it writes.
    pub(super) slots: &'static [(Slot, &'static [&'static str])],
    /// Slots whose keys always stay in `ext` as they came: what records of this form write there varies too much, or
    /// others may change what the envelope says.
    pub(super) kept: &'static [Slot],
    /// Slots whose keys stay in `ext` and say nothing to the envelope.
    pub(super) aside: &'static [Slot],
    pub(super) payload: Payload,
    pub(super) time: TimeForm,
    /// Whether names are also met in camelCase and PascalCase.
    pub(super) spellings: bool,
}

/// A form made ready.
pub(super) struct Form {
    name: &'static str,
    keys: Keys,
    styles: [Style; Slot::COUNT],
    /// The name that each slot is written under.
    firsts: [Option<&'static str>; Slot::COUNT],
    payload: Payload,
    time: TimeForm,
}

/// What becomes of a key of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    /// The envelope gives it back where it can.
    Envelope,
    Kept,
    Aside,
}

impl Form {
    /// The form with its own keys.
    pub(super) fn new(outline: &Outline) -> Self {
        Self::extended(outline, &Mapping::default()).expect("a form's own keys are in order")
    }

    /// The form with those keys of a user besides its own.
    pub(super) fn extended(outline: &Outline, added: &Mapping) -> Result<Self, MappingError> {
        let own = Mapping::of(outline.slots);
        let payload = match outline.payload {
            Payload::Spread => None,
            Payload::Under(name) => Some(name),
        };
        let mut form = Self {
            name: outline.name,
            keys: Keys::new(&own, added, payload, outline.spellings)?,
            styles: [Style::Envelope; Slot::COUNT],
            firsts: [None; Slot::COUNT],
            payload: outline.payload,
            time: outline.time,
        };
        for slot in outline.kept {
            form.styles[*slot as usize] = Style::Kept;
        }
        for slot in outline.aside {
            form.styles[*slot as usize] = Style::Aside;
        }
        for (slot, names) in outline.slots {
            form.firsts[*slot as usize] = names.iter().copied().find(|name| !name.starts_with('/'));
        }
        Ok(form)
    }

    /// Which key of the envelope a key of a record is, and whether the form itself knows that.
    pub(super) fn slot_of(&self, name: &str) -> Option<(Slot, bool)> {
        let entry = self.keys.entry(self.keys.find(name)?);
        match entry.means {
            keys::Means::Slot(slot) => Some((slot, entry.own)),
            keys::Means::Payload => None,
        }
    }

    /// Whether the envelope gives the slot back, and under which name.
    fn written(&self, slot: Slot) -> Option<&'static str> {
        let first = self.firsts[slot as usize]?;
        (self.styles[slot as usize] == Style::Envelope).then_some(first)
    }
}
