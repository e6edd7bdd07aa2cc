//! Which key of a record is which key of the envelope: plain data, so that a user can say it in settings.
use super::Slot;

/// The keys that records of a form may have for each key of the envelope, most telling first.
///
/// A name stands for itself and, where a form is written in several manners, for its camelCase and PascalCase
/// spelling. What begins with `/` is a JSON pointer (`/tags/event_type`): it is read where it stands and stays there.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Vec<String>,
    /// The emitter's clock: RFC 3339 text with or without zone, or epoch seconds or milliseconds.
    pub time: Vec<String>,
    /// The emitter's id. Name only what is never given twice: a repeat counts as the same event.
    pub id: Vec<String>,
    /// The system or component.
    pub source: Vec<String>,
    /// How serious, in a word that [`crate::Level::parse`] knows.
    pub level: Vec<String>,
    /// Which agent.
    pub agent: Vec<String>,
    /// Which session.
    pub session: Vec<String>,
    /// Which task.
    pub task: Vec<String>,
    /// Which trace.
    pub trace: Vec<String>,
    /// Which span.
    pub span: Vec<String>,
    /// The span above.
    pub parent: Vec<String>,
    /// For whom.
    pub user: Vec<String>,
    /// Bronze, silver, gold.
    pub tier: Vec<String>,
}

/// A mapping that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// One key cannot say two things.
    #[error("`{name}` is given as `{first}` and as `{second}`: leave one of them out")]
    Twice {
        /// The key of the record.
        name: String,
        /// The key of the envelope it is.
        first: &'static str,
        /// The key of the envelope it would be as well.
        second: &'static str,
    },
    /// No key of a record, or one that is needed otherwise.
    #[error("`{name}` cannot be `{slot}`: name a key of the record, or a JSON pointer such as /tags/kind")]
    Unusable {
        /// As it was given.
        name: String,
        /// The key of the envelope it was to be.
        slot: &'static str,
    },
    /// More names than are looked for.
    #[error("the mapping names {count} keys, counting their spellings, and {max} are allowed")]
    TooMany {
        /// How many it names.
        count: usize,
        /// How many it may name.
        max: usize,
    },
}

impl Mapping {
    /// The same with the keys of `other` after its own.
    #[must_use]
    pub fn extended(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for slot in Slot::ALL {
            all.keys_mut(slot).extend_from_slice(other.keys(slot));
        }
        all
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Slot::ALL.iter().all(|slot| self.keys(*slot).is_empty())
    }

    pub(super) fn keys(&self, slot: Slot) -> &[String] {
        match slot {
            Slot::Type => &self.kind,
            Slot::Time => &self.time,
            Slot::Id => &self.id,
            Slot::Source => &self.source,
            Slot::Level => &self.level,
            Slot::Agent => &self.agent,
            Slot::Session => &self.session,
            Slot::Task => &self.task,
            Slot::Trace => &self.trace,
            Slot::Span => &self.span,
            Slot::Parent => &self.parent,
            Slot::User => &self.user,
            Slot::Tier => &self.tier,
        }
    }

    fn keys_mut(&mut self, slot: Slot) -> &mut Vec<String> {
        match slot {
            Slot::Type => &mut self.kind,
            Slot::Time => &mut self.time,
            Slot::Id => &mut self.id,
            Slot::Source => &mut self.source,
            Slot::Level => &mut self.level,
            Slot::Agent => &mut self.agent,
            Slot::Session => &mut self.session,
            Slot::Task => &mut self.task,
            Slot::Trace => &mut self.trace,
            Slot::Span => &mut self.span,
            Slot::Parent => &mut self.parent,
            Slot::User => &mut self.user,
            Slot::Tier => &mut self.tier,
        }
    }

    /// From literals.
    pub(in crate::dialects) fn of(slots: &[(Slot, &[&str])]) -> Self {
        let mut mapping = Self::default();
        for (slot, names) in slots {
            *mapping.keys_mut(*slot) = names.iter().map(|name| (*name).to_owned()).collect();
        }
        mapping
    }
}
