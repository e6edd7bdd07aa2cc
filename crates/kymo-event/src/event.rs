//! The envelope.
use std::borrow::Cow;

use crate::{Level, Micros, Seq};

/// An event before it has a place in the ledger. Strings are decoded; `data` and `ext` stay JSON text.
///
/// Keys mean what the design's table says; see `docs/event.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// The emitter's id.
    pub id: Option<Cow<'a, str>>,
    /// The emitter's clock.
    pub time: Option<Micros>,
    /// `type`: an open set of names.
    pub kind: Cow<'a, str>,
    /// The system or component that emitted.
    pub source: Cow<'a, str>,
    /// How serious.
    pub level: Level,
    /// Which agent.
    pub agent: Option<Cow<'a, str>>,
    /// Which session.
    pub session: Option<Cow<'a, str>>,
    /// Which task.
    pub task: Option<Cow<'a, str>>,
    /// Which trace.
    pub trace: Option<Cow<'a, str>>,
    /// Which span.
    pub span: Option<Cow<'a, str>>,
    /// The span above.
    pub parent: Option<Cow<'a, str>>,
    /// For whom.
    pub user: Option<Cow<'a, str>>,
    /// Bronze, silver, gold, or whatever the emitter says.
    pub tier: Option<Cow<'a, str>>,
    /// The event this one is derived from.
    pub cause: Option<Seq>,
    /// How many derivations away from an original.
    pub hops: Option<u8>,
    /// The imported past.
    pub backfill: bool,
    /// The payload.
    pub data: Option<DataText<'a>>,
    /// Top-level fields of the original that have no key above, in their order.
    pub ext: Ext<'a>,
    /// The form it arrived in, when not native.
    pub dialect: Option<Cow<'a, str>>,
    /// Reserved: JSON text of `{key, alg}` when `data` is ciphertext.
    pub enc: Option<DataText<'a>>,
}

/// A payload: borrowed from what was received, or built here.
pub type DataText<'a> = Cow<'a, str>;

/// Fields kept verbatim: name and JSON text.
pub type Ext<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'a> Event<'a> {
    /// An event with the two names every event has.
    pub fn new(kind: impl Into<Cow<'a, str>>, source: impl Into<Cow<'a, str>>) -> Self {
        Self {
            id: None,
            time: None,
            kind: kind.into(),
            source: source.into(),
            level: Level::default(),
            agent: None,
            session: None,
            task: None,
            trace: None,
            span: None,
            parent: None,
            user: None,
            tier: None,
            cause: None,
            hops: None,
            backfill: false,
            data: None,
            ext: Vec::new(),
            dialect: None,
            enc: None,
        }
    }

    /// The same event owning its strings.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            id: owned(self.id),
            time: self.time,
            kind: Cow::Owned(self.kind.into_owned()),
            source: Cow::Owned(self.source.into_owned()),
            level: self.level,
            agent: owned(self.agent),
            session: owned(self.session),
            task: owned(self.task),
            trace: owned(self.trace),
            span: owned(self.span),
            parent: owned(self.parent),
            user: owned(self.user),
            tier: owned(self.tier),
            cause: self.cause,
            hops: self.hops,
            backfill: self.backfill,
            data: owned(self.data),
            ext: self
                .ext
                .into_iter()
                .map(|(name, value)| (own(name), own(value)))
                .collect(),
            dialect: owned(self.dialect),
            enc: owned(self.enc),
        }
    }

    /// Appends the event as one native JSON object on one line, without a line feed: what a client sends and a spool
    /// keeps. Reading it with [`crate::dialects::Native`] gives an equal event.
    pub fn to_json(&self, out: &mut Vec<u8>) {
        let start = out.len();
        crate::prepared::write_body(out, self);
        // Every body begins with the comma that joins it to what the writer adds.
        out[start] = b'{';
        out.push(b'}');
    }

    /// What ties events together, by the names it has in the line, in their order; only what this event has.
    pub fn correlation(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = [
            ("agent", &self.agent),
            ("session", &self.session),
            ("task", &self.task),
            ("trace", &self.trace),
            ("span", &self.span),
            ("parent", &self.parent),
            ("user", &self.user),
            ("tier", &self.tier),
        ];
        keys.into_iter()
            .filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }

    /// The JSON text of a field in `ext`.
    #[must_use]
    pub fn ext(&self, name: &str) -> Option<&str> {
        self.ext
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }
}

fn own<'a>(text: Cow<'_, str>) -> Cow<'a, str> {
    Cow::Owned(text.into_owned())
}

fn owned<'a>(text: Option<Cow<'_, str>>) -> Option<Cow<'a, str>> {
    text.map(own)
}
