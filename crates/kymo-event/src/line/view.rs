//! Looks at a line by position: keys as they are asked for, the payload only when somebody asks for it.
use std::borrow::Cow;

use super::{
    CRC_LEN, HEAD, LineError, RECORDED,
    spans::{
        AGENT, CAUSE, HOPS, ID, LineSpans, PARENT, SESSION, SOURCE, SPAN, TASK, TIER, TIME, TRACE, TYPE, USER,
    },
    tail::Tail,
};
use crate::{Content, Event, Level, Micros, RawJson, Seq, filter::Key, json};

/// A ledger line read by position: spans of its envelope keys, nothing copied. Cheap to make (one pass over the
/// envelope, `data` is not looked at), so readers make one per line and filter.
#[derive(Clone, Copy)]
pub struct LineView<'a> {
    text: &'a str,
    at: LineSpans,
}

impl<'a> LineView<'a> {
    /// Reads a line without its line feed. Does not check the checksum (see [`super::check_crc`]).
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let text = std::str::from_utf8(line).map_err(|_| LineError::Form("it is not UTF-8"))?;
        Ok(Self {
            text,
            at: LineSpans::of(text)?,
        })
    }

    /// The view that was made of this line before. `None` where the spans are those of another line, as far as its
    /// seq and length tell.
    #[must_use]
    pub fn with_spans(line: &'a [u8], spans: &LineSpans) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        spans.fit(text).then_some(Self { text, at: *spans })
    }

    /// Where everything is, to be kept beside the line and to make this view again without reading.
    #[must_use]
    pub const fn spans(&self) -> LineSpans {
        self.at
    }

    /// The whole line, without its line feed.
    #[must_use]
    pub const fn line(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The whole line as text, without its line feed.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Position.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.at.seq
    }

    /// Time of commit.
    #[must_use]
    pub fn recorded(&self) -> Micros {
        Micros::parse_canonical(self.recorded_text().as_bytes()).unwrap_or(Micros::MIN)
    }

    /// Time of commit, in its canonical text.
    #[must_use]
    pub fn recorded_text(&self) -> &'a str {
        let from = self.at.seq_end as usize + RECORDED.len();
        &self.text[from..from + Micros::TEXT_LEN]
    }

    /// From the comma after `recorded` up to `,"crc"`: what [`crate::Batch::push`] wrote.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.body_start()..self.body_end()]
    }

    /// `id`
    #[must_use]
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.string(ID)
    }

    /// `time`, or `recorded` where the emitter gave none.
    #[must_use]
    pub fn time(&self) -> Micros {
        self.emitted().unwrap_or_else(|| self.recorded())
    }

    /// `time` as the emitter gave it.
    #[must_use]
    pub fn emitted(&self) -> Option<Micros> {
        Micros::parse_canonical(self.raw_span(TIME)?.as_bytes())
    }

    /// `type`
    #[must_use]
    pub fn kind(&self) -> Cow<'a, str> {
        self.string(TYPE).unwrap_or_default()
    }

    /// `source`
    #[must_use]
    pub fn source(&self) -> Cow<'a, str> {
        self.string(SOURCE).unwrap_or_default()
    }

    /// `level`
    #[must_use]
    pub const fn level(&self) -> Level {
        self.at.level
    }

    /// The event this one is derived from.
    #[must_use]
    pub fn cause(&self) -> Option<Seq> {
        self.raw_span(CAUSE)?.parse().ok()
    }

    /// How many derivations away from an original.
    #[must_use]
    pub fn hops(&self) -> Option<u8> {
        self.raw_span(HOPS)?.parse().ok()
    }

    /// Whether this is the imported past.
    #[must_use]
    pub const fn backfill(&self) -> bool {
        self.at.backfill
    }

    /// What the event says, as it is compared with others of its id.
    #[must_use]
    pub fn content(&self) -> Content<'a> {
        Content::of(self.body(), self.backfill())
    }

    /// A key of the envelope as text, decoded; `None` where the event does not have it. `level`, `type`, `source` and
    /// `seq` are always there; `backfill` is `true` or absent.
    #[must_use]
    pub fn key(&self, key: Key) -> Option<Cow<'a, str>> {
        json::decode(self.raw_key(key)?)
    }

    /// The same as it stands in the line: escapes are still escapes. Equal decoded strings have equal raw ones, since
    /// only what must be escaped is, so comparing may do without decoding.
    #[must_use]
    pub fn raw_key(&self, key: Key) -> Option<&'a str> {
        let span = match key {
            Key::Id => ID,
            Key::Type => TYPE,
            Key::Source => SOURCE,
            Key::Agent => AGENT,
            Key::Session => SESSION,
            Key::Task => TASK,
            Key::Trace => TRACE,
            Key::Span => SPAN,
            Key::Parent => PARENT,
            Key::User => USER,
            Key::Tier => TIER,
            Key::Level => return Some(self.at.level.as_str()),
            Key::Dialect => return self.tail().dialect,
            Key::Seq => return Some(&self.text[HEAD.len()..self.at.seq_end as usize]),
            Key::Backfill => return self.at.backfill.then_some("true"),
        };
        self.raw_span(span)
    }

    /// `data`, as JSON text.
    #[must_use]
    pub fn data(&self) -> Option<&'a str> {
        self.tail().data
    }

    /// `ext`, as JSON text of an object.
    #[must_use]
    pub fn ext(&self) -> Option<&'a str> {
        self.tail().ext
    }

    /// `enc`, as JSON text of an object.
    #[must_use]
    pub fn enc(&self) -> Option<&'a str> {
        self.tail().enc
    }

    /// The event as it was before it had a place.
    #[must_use]
    pub fn to_event(&self) -> Event<'a> {
        let tail = self.tail();
        Event {
            id: self.id(),
            time: self.emitted(),
            kind: self.kind(),
            source: self.source(),
            level: self.at.level,
            agent: self.string(AGENT),
            session: self.string(SESSION),
            task: self.string(TASK),
            trace: self.string(TRACE),
            span: self.string(SPAN),
            parent: self.string(PARENT),
            user: self.string(USER),
            tier: self.string(TIER),
            cause: self.cause(),
            hops: self.hops(),
            backfill: self.at.backfill,
            data: tail.data.map(Cow::Borrowed),
            ext: tail.ext.map(fields).unwrap_or_default(),
            dialect: tail.dialect.and_then(json::decode),
            enc: tail.enc.map(Cow::Borrowed),
        }
    }

    fn body_start(&self) -> usize {
        self.at.seq_end as usize + RECORDED.len() + Micros::TEXT_LEN + 1
    }

    fn body_end(&self) -> usize {
        self.text.len() - CRC_LEN
    }

    /// Found anew each time it is asked for: most readers never ask, and who does asks once.
    fn tail(&self) -> Tail<'a> {
        Tail::find(&self.text[self.at.tail as usize..self.body_end()])
    }

    #[inline]
    fn raw_span(&self, index: usize) -> Option<&'a str> {
        self.at.key(self.text, index)
    }

    fn string(&self, index: usize) -> Option<Cow<'a, str>> {
        json::decode(self.raw_span(index)?)
    }
}

impl std::fmt::Debug for LineView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LineView").field(&self.text).finish()
    }
}

fn fields(ext: &str) -> crate::Ext<'_> {
    let members = RawJson::trusted(ext).members().into_iter().flatten();
    members
        .map(|member| {
            (
                member.name().unwrap_or_default(),
                Cow::Borrowed(member.value().as_str()),
            )
        })
        .collect()
}
