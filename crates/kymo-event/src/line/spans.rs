//! Reads the envelope of a line: where each of its keys is.
use super::{CRC, CRC_LEN, HEAD, LineError, RECORDED};
use crate::{Level, Micros, Seq, json::Stops};

/// Where everything in a line is, without the line: what [`super::LineView`] knows, fit to be kept beside shared bytes.
#[derive(Clone, Copy, Debug)]
pub struct LineSpans {
    pub(super) seq: Seq,
    pub(super) level: Level,
    pub(super) backfill: bool,
    len: u32,
    pub(super) seq_end: u32,
    /// Where `data`, `ext`, `dialect` and `enc` begin, with the comma before them.
    pub(super) tail: u32,
    keys: [Span; SPANS],
}

/// From the byte behind the opening quote up to the closing one; both 0 where the key is absent.
#[derive(Clone, Copy, Default, Debug)]
struct Span {
    from: u32,
    to: u32,
}

// The keys in the order of the format; the first fifteen have a span.
pub(super) const ID: usize = 0;
pub(super) const TIME: usize = 1;
pub(super) const TYPE: usize = 2;
pub(super) const SOURCE: usize = 3;
pub(super) const LEVEL: usize = 4;
pub(super) const AGENT: usize = 5;
pub(super) const SESSION: usize = 6;
pub(super) const TASK: usize = 7;
pub(super) const TRACE: usize = 8;
pub(super) const SPAN: usize = 9;
pub(super) const PARENT: usize = 10;
pub(super) const USER: usize = 11;
pub(super) const TIER: usize = 12;
pub(super) const CAUSE: usize = 13;
pub(super) const HOPS: usize = 14;
pub(super) const SPANS: usize = 15;

impl LineSpans {
    pub(super) fn of(text: &str) -> Result<Self, LineError> {
        let bytes = text.as_bytes();
        let fits = u32::try_from(bytes.len()).is_ok();
        let end = bytes
            .len()
            .checked_sub(CRC_LEN)
            .filter(|end| fits && bytes[*end..].starts_with(CRC));
        let Some(end) = end.filter(|_| bytes.ends_with(b"\"}")) else {
            return Err(LineError::Form("it does not end in a checksum"));
        };
        let mut envelope = Envelope::new(bytes, end);
        let seq = envelope.seq()?;
        let seq_end = short(envelope.at);
        envelope.recorded()?;
        let mut spans = Self {
            seq,
            level: Level::Info,
            backfill: false,
            len: short(bytes.len()),
            seq_end,
            tail: 0,
            keys: [Span::default(); SPANS],
        };
        envelope.keys(&mut spans)?;
        if spans.keys[TYPE].from == 0 || spans.keys[SOURCE].from == 0 {
            return Err(LineError::Form("type or source is missing"));
        }
        let level = spans.key(text, LEVEL).and_then(Level::from_word);
        spans.level = level.ok_or(LineError::Form("level is not one of the five"))?;
        Ok(spans)
    }

    /// Whether they can be those of this line.
    pub(super) fn fit(&self, text: &str) -> bool {
        let seq = text
            .get(HEAD.len()..self.seq_end as usize)
            .and_then(|seq| seq.parse().ok());
        text.len() == self.len as usize && seq == Some(self.seq)
    }

    /// The text of a key in the line these are the spans of.
    #[inline]
    pub(super) fn key<'a>(&self, text: &'a str, index: usize) -> Option<&'a str> {
        let Span { from, to } = self.keys[index];
        if from == 0 {
            None
        } else {
            text.get(from as usize..to as usize)
        }
    }
}

/// The reading of an envelope: how far it is.
struct Envelope<'a> {
    bytes: &'a [u8],
    stops: Stops<'a>,
    at: usize,
    end: usize,
}

impl<'a> Envelope<'a> {
    fn new(bytes: &'a [u8], end: usize) -> Self {
        Self {
            bytes,
            stops: Stops::new(bytes, HEAD.len()),
            at: 0,
            end,
        }
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
    fn keys(&mut self, spans: &mut LineSpans) -> Result<(), LineError> {
        let mut word = self.word();
        for (index, name) in TEXTS.iter().enumerate() {
            if name.is(word) {
                spans.keys[index] = self.string(name.len)?;
                word = self.word();
            }
        }
        for (index, name) in [(CAUSE, Name::of(b"cause\"")), (HOPS, Name::of(b"hops\""))] {
            if name.is(word) {
                spans.keys[index] = self.number(name.len)?;
                word = self.word();
            }
        }
        if Name::of(b"backfill").is(word) {
            spans.backfill = self.yes()?;
            word = self.word();
        }
        if self.at < self.end && !TAILS.iter().any(|name| name.is(word)) {
            return Err(LineError::Form(
                "its keys are not those of an event in their order",
            ));
        }
        spans.tail = short(self.at);
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
