//! Reads a line by position: the envelope in one pass, the rest only when somebody asks for it.
use std::borrow::Cow;

use super::{CRC, CRC_LEN, HEAD, LineError, RECORDED, tail::Tail};
use crate::{Event, Level, Micros, RawJson, Seq, filter::Key, json, json::Stops};

/// A ledger line read by position: spans of its envelope keys, nothing copied. Cheap to make (one pass over the
/// envelope, `data` is not looked at), so readers make one per line and filter.
#[derive(Clone, Copy)]
pub struct LineView<'a> {
    text: &'a str,
    seq: Seq,
    level: Level,
    backfill: bool,
    seq_end: u32,
    /// Where `data`, `ext`, `dialect` and `enc` begin, with the comma before them.
    tail: u32,
    spans: [Span; SPANS],
}

/// From the byte behind the opening quote up to the closing one; both 0 where the key is absent.
#[derive(Clone, Copy, Default)]
struct Span {
    from: u32,
    to: u32,
}

// The keys in the order of the format; the first fifteen have a span.
const ID: usize = 0;
const TIME: usize = 1;
const TYPE: usize = 2;
const SOURCE: usize = 3;
const LEVEL: usize = 4;
const AGENT: usize = 5;
const SESSION: usize = 6;
const TASK: usize = 7;
const TRACE: usize = 8;
const SPAN: usize = 9;
const PARENT: usize = 10;
const USER: usize = 11;
const TIER: usize = 12;
const CAUSE: usize = 13;
const HOPS: usize = 14;
const SPANS: usize = 15;

impl<'a> LineView<'a> {
    /// Reads a line without its line feed. Does not check the checksum (see [`super::check_crc`]).
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        let text = std::str::from_utf8(line).map_err(|_| LineError::Form("it is not UTF-8"))?;
        Envelope::read(text)
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
        self.seq
    }

    /// Time of commit.
    #[must_use]
    pub fn recorded(&self) -> Micros {
        Micros::parse_canonical(self.recorded_text().as_bytes()).unwrap_or(Micros::MIN)
    }

    /// Time of commit, in its canonical text.
    #[must_use]
    pub fn recorded_text(&self) -> &'a str {
        let from = self.seq_end as usize + RECORDED.len();
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
        self.level
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
        self.backfill
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
            Key::Level => return Some(self.level.as_str()),
            Key::Dialect => return self.tail().dialect,
            Key::Seq => return Some(&self.text[HEAD.len()..self.seq_end as usize]),
            Key::Backfill => return self.backfill.then_some("true"),
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
            level: self.level,
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
            backfill: self.backfill,
            data: tail.data.map(Cow::Borrowed),
            ext: tail.ext.map(fields).unwrap_or_default(),
            dialect: tail.dialect.and_then(json::decode),
            enc: tail.enc.map(Cow::Borrowed),
        }
    }

    fn body_start(&self) -> usize {
        self.seq_end as usize + RECORDED.len() + Micros::TEXT_LEN + 1
    }

    fn body_end(&self) -> usize {
        self.text.len() - CRC_LEN
    }

    /// Found anew each time it is asked for: most readers never ask, and who does asks once.
    fn tail(&self) -> Tail<'a> {
        Tail::find(&self.text[self.tail as usize..self.body_end()])
    }

    #[inline]
    fn raw_span(&self, index: usize) -> Option<&'a str> {
        let Span { from, to } = self.spans[index];
        (from != 0).then(|| &self.text[from as usize..to as usize])
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

/// The reading of an envelope: where in the line it is.
struct Envelope<'a> {
    bytes: &'a [u8],
    stops: Stops<'a>,
    at: usize,
    end: usize,
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<LineView<'a>, LineError> {
        let bytes = text.as_bytes();
        let fits = u32::try_from(bytes.len()).is_ok();
        let end = bytes
            .len()
            .checked_sub(CRC_LEN)
            .filter(|end| fits && bytes[*end..].starts_with(CRC));
        let Some(end) = end.filter(|_| bytes.ends_with(b"\"}")) else {
            return Err(LineError::Form("it does not end in a checksum"));
        };
        let mut envelope = Self {
            bytes,
            stops: Stops::new(bytes, HEAD.len()),
            at: 0,
            end,
        };
        let seq = envelope.seq()?;
        let seq_end = short(envelope.at);
        envelope.recorded()?;
        let mut view = LineView {
            text,
            seq,
            level: Level::Info,
            backfill: false,
            seq_end,
            tail: 0,
            spans: [Span::default(); SPANS],
        };
        envelope.keys(&mut view)?;
        if view.spans[TYPE].from == 0 || view.spans[SOURCE].from == 0 {
            return Err(LineError::Form("type or source is missing"));
        }
        let level = view.raw_span(LEVEL).and_then(Level::from_word);
        view.level = level.ok_or(LineError::Form("level is not one of the five"))?;
        Ok(view)
    }

    fn seq(&mut self) -> Result<Seq, LineError> {
        if !self.bytes.starts_with(HEAD) {
            return Err(LineError::Form("it does not begin with seq"));
        }
        self.at = HEAD.len();
        let mut seq = 0_u64;
        while let digit @ b'0'..=b'9' = self.bytes[self.at] {
            let grown = seq
                .checked_mul(10)
                .and_then(|seq| seq.checked_add(u64::from(digit - b'0')));
            seq = grown.ok_or(LineError::Form("seq is too large"))?;
            self.at += 1;
        }
        Seq::new(seq).ok_or(LineError::Form("seq is not a number from 1"))
    }

    fn recorded(&mut self) -> Result<(), LineError> {
        let from = self.at + RECORDED.len();
        let to = from + Micros::TEXT_LEN;
        let quoted = self.bytes[self.at..].starts_with(RECORDED) && to < self.end && self.bytes[to] == b'"';
        if !quoted || !self.bytes[from..to].is_ascii() {
            return Err(LineError::Form("recorded does not follow seq"));
        }
        self.at = to + 1;
        Ok(())
    }

    /// The keys up to `data`, which must come in the order of the format.
    ///
    /// One pass over the names, not over the keys: each name is one comparison of registers, there or not, and the
    /// processor sees the same few branches in every line.
    #[inline]
    fn keys(&mut self, view: &mut LineView<'a>) -> Result<(), LineError> {
        let mut word = self.word();
        for (index, name) in TEXTS.iter().enumerate() {
            if name.is(word) {
                view.spans[index] = self.string(name.len)?;
                word = self.word();
            }
        }
        for (index, name) in [(CAUSE, Name::of(b"cause\"")), (HOPS, Name::of(b"hops\""))] {
            if name.is(word) {
                view.spans[index] = self.number(name.len)?;
                word = self.word();
            }
        }
        if Name::of(b"backfill").is(word) {
            view.backfill = self.yes()?;
            word = self.word();
        }
        if self.at < self.end && !TAILS.iter().any(|name| name.is(word)) {
            return Err(LineError::Form(
                "its keys are not those of an event in their order",
            ));
        }
        view.tail = short(self.at);
        Ok(())
    }

    /// The first eight bytes of the key that begins here; 0, which begins none, where there is no key.
    #[inline(always)]
    fn word(&self) -> u64 {
        match self.bytes.get(self.at..self.at + 10) {
            Some([b',', b'"', word @ ..]) => word.try_into().map_or(0, u64::from_le_bytes),
            _ => 0,
        }
    }

    /// The text of the key that begins here, whose name with its closing quote has `name_len` bytes.
    #[inline(always)]
    fn string(&mut self, name_len: usize) -> Result<Span, LineError> {
        let colon = self.at + 2 + name_len;
        let opens = self
            .bytes
            .get(colon..colon + 2)
            .is_some_and(|bytes| bytes == b":\"");
        let end = self.stops.quoted_end(colon + 1);
        if !opens || end > self.end || self.bytes[end - 1] != b'"' {
            return Err(LineError::Form("a key that holds text holds something else"));
        }
        self.at = end;
        Ok(Span {
            from: short(colon + 2),
            to: short(end - 1),
        })
    }

    fn number(&mut self, name_len: usize) -> Result<Span, LineError> {
        let from = self.at + 2 + name_len + 1;
        let digits = self.bytes.get(from..self.end).unwrap_or_default();
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || self.bytes[from - 1] != b':' {
            return Err(LineError::Form("a key that holds a number holds something else"));
        }
        self.at = from + count;
        Ok(Span {
            from: short(from),
            to: short(from + count),
        })
    }

    fn yes(&mut self) -> Result<bool, LineError> {
        const YES: &[u8] = b",\"backfill\":true";
        if !self.bytes[self.at..self.end].starts_with(YES) {
            return Err(LineError::Form("backfill is not true"));
        }
        self.at += YES.len();
        Ok(true)
    }
}

/// The start of a key as the register that holds it: the name and the quote behind it, or eight bytes of them.
#[derive(Clone, Copy)]
struct Name {
    word: u64,
    mask: u64,
    len: usize,
}

impl Name {
    const fn of(name: &[u8]) -> Self {
        let (mut word, mut mask, mut at) = (0, 0, name.len());
        while at > 0 {
            at -= 1;
            word = word << 8 | name[at] as u64;
            mask = mask << 8 | 0xff;
        }
        Self {
            word,
            mask,
            len: name.len(),
        }
    }

    #[inline(always)]
    const fn is(self, word: u64) -> bool {
        word & self.mask == self.word
    }
}

/// The keys that hold text, in the order of their spans.
static TEXTS: [Name; CAUSE] = [
    Name::of(b"id\""),
    Name::of(b"time\""),
    Name::of(b"type\""),
    Name::of(b"source\""),
    Name::of(b"level\""),
    Name::of(b"agent\""),
    Name::of(b"session\""),
    Name::of(b"task\""),
    Name::of(b"trace\""),
    Name::of(b"span\""),
    Name::of(b"parent\""),
    Name::of(b"user\""),
    Name::of(b"tier\""),
];

/// The keys that [`Tail`] reads.
static TAILS: [Name; 4] = [
    Name::of(b"data\""),
    Name::of(b"ext\""),
    Name::of(b"dialect\""),
    Name::of(b"enc\""),
];

/// Lines are refused above 4 GiB before any offset is taken.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the length of the line was checked"
)]
const fn short(offset: usize) -> u32 {
    offset as u32
}
