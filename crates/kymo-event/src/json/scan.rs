//! Checks a JSON value in one pass, without recursion: a hundred thousand brackets cost bits, not stack.
use super::{
    blocks::Stops,
    outline::{Outline, Spans},
};
use crate::Refusal;

/// What a value was found to be.
#[derive(Clone, Copy)]
pub(crate) struct Checked {
    /// Behind its last byte.
    pub(crate) end: usize,
    /// Deepest nesting of brackets.
    pub(crate) depth: usize,
    pub(crate) outline: Outline,
}

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Syntax { at: usize, what: &'static str },
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let Fault::Syntax { at, what } = fault;
        Self::new("invalid_json", format!("this is not JSON: {what}")).at(at)
    }
}

pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The first byte at or after `at` that is no white space.
#[inline]
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] <= b' ' && is_space(bytes[at]) {
        at += 1;
    }
    at
}

/// Checks the value that begins at `start` (a byte that is no white space) in text that is UTF-8. The depth is
/// reported, not judged, so that an array can refuse one element for it and keep the others.
pub(crate) fn check(bytes: &[u8], start: usize) -> Result<Checked, Fault> {
    let mut checker = Checker {
        bytes,
        start,
        at: start,
        stops: Stops::new(bytes, start),
        nest: Nest::default(),
        name: Spans::of_name((0, 0), false),
        value: start,
        depth: 0,
        outline: Outline::EMPTY,
    };
    loop {
        if checker.begin()? && checker.go_on()? {
            return Ok(Checked {
                end: checker.at,
                depth: checker.depth,
                outline: checker.outline,
            });
        }
    }
}

/// Everything is inlined into [`check`], so that most of this lives in registers.
struct Checker<'b> {
    bytes: &'b [u8],
    start: usize,
    at: usize,
    stops: Stops<'b>,
    nest: Nest,
    /// The outermost object's current member: its name, and where its value begins.
    name: Spans,
    value: usize,
    /// Deepest nesting so far.
    depth: usize,
    outline: Outline,
}

impl Checker<'_> {
    /// From where a value must begin to its end, or only to where the first value inside it must begin: whether it ended.
    #[inline(always)]
    fn begin(&mut self) -> Result<bool, Fault> {
        match self.bytes.get(self.at) {
            Some(b'"') => {
                let (end, plain) = self.string(self.at)?;
                self.at = end;
                self.name = self.name.with_escapes(!plain);
            }
            Some(b'{') => return self.open(true, b'}'),
            Some(b'[') => return self.open(false, b']'),
            Some(b'-' | b'0'..=b'9') => self.at = number(self.bytes, self.at)?,
            Some(b't') => self.at = word(self.bytes, self.at, b"true")?,
            Some(b'f') => self.at = word(self.bytes, self.at, b"false")?,
            Some(b'n') => self.at = word(self.bytes, self.at, b"null")?,
            Some(_) => return fault(self.at, "a value was expected"),
            None => return fault(self.at, "the text ends where a value was expected"),
        }
        Ok(true)
    }

    #[inline(always)]
    fn open(&mut self, object: bool, close: u8) -> Result<bool, Fault> {
        self.nest.enter(object);
        self.depth = self.depth.max(self.nest.depth);
        self.at = skip_space(self.bytes, self.at + 1);
        if self.bytes.get(self.at) == Some(&close) {
            self.at += 1;
            self.nest.leave();
            return Ok(true);
        }
        if object {
            self.name()?;
        }
        Ok(false)
    }

    /// From the end of a value to where the next must begin, or to the end of the outermost: whether that was it.
    #[inline(always)]
    fn go_on(&mut self) -> Result<bool, Fault> {
        loop {
            if self.nest.depth <= 1 {
                if self.nest.depth == 0 {
                    return Ok(true);
                }
                if self.nest.in_object {
                    self.outline
                        .note(self.name, (self.value - self.start, self.at - self.start));
                }
            }
            self.at = skip_space(self.bytes, self.at);
            match (self.bytes.get(self.at), self.nest.in_object) {
                (Some(b','), object) => {
                    self.at = skip_space(self.bytes, self.at + 1);
                    if object {
                        self.name()?;
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.nest.leave();
                }
                (Some(_), true) => return fault(self.at, "`,` or `}` was expected"),
                (Some(_), false) => return fault(self.at, "`,` or `]` was expected"),
                (None, true) => return fault(self.at, "the text ends inside an object"),
                (None, false) => return fault(self.at, "the text ends inside an array"),
            }
        }
    }

    /// A member's name and colon, up to where its value must begin.
    #[inline(always)]
    fn name(&mut self) -> Result<(), Fault> {
        let open = self.at;
        match self.bytes.get(open) {
            Some(b'"') => {}
            Some(_) => return fault(open, "a name in double quotes was expected"),
            None => return fault(open, "the text ends inside an object"),
        }
        let (end, plain) = self.string(open)?;
        let colon = skip_space(self.bytes, end);
        match self.bytes.get(colon) {
            Some(b':') => self.at = skip_space(self.bytes, colon + 1),
            Some(_) => return fault(colon, "`:` was expected after the name"),
            None => return fault(colon, "the text ends inside an object"),
        }
        if self.nest.depth == 1 {
            self.name = Spans::of_name((open + 1 - self.start, end - 1 - self.start), !plain);
            self.value = self.at;
            self.outline
                .note_name(plain.then(|| &self.bytes[open + 1..end - 1]));
        }
        Ok(())
    }

    /// The string that opens at `open`: the byte behind its closing quote, and whether it has no escapes.
    #[inline(always)]
    fn string(&mut self, open: usize) -> Result<(usize, bool), Fault> {
        let mut at = self.stops.next(open + 1);
        let mut plain = true;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => return Ok((at + 1, plain)),
                Some(b'\\') => at = self.stops.next(escape(self.bytes, at)?),
                Some(_) => return fault(at, "a control character in a string must be escaped"),
                None => return fault(at, "the text ends inside a string"),
            }
            plain = false;
        }
    }
}

/// Which brackets are open. The outermost 128 are bits of a register; deeper ones are worth an allocation.
#[derive(Default)]
struct Nest {
    depth: usize,
    in_object: bool,
    outer: u128,
    deeper: Vec<bool>,
}

impl Nest {
    #[inline(always)]
    fn enter(&mut self, object: bool) {
        if self.depth < 128 {
            self.outer = self.outer << 1 | u128::from(object);
        } else {
            self.deeper.push(object);
        }
        self.depth += 1;
        self.in_object = object;
    }

    #[inline(always)]
    fn leave(&mut self) {
        if self.depth > 128 {
            self.deeper.pop();
        } else {
            self.outer >>= 1;
        }
        self.depth -= 1;
        self.in_object = if self.depth > 128 {
            self.deeper.last() == Some(&true)
        } else {
            self.outer & 1 == 1
        };
    }
}

fn fault<T>(at: usize, what: &'static str) -> Result<T, Fault> {
    Err(Fault::Syntax { at, what })
}

/// Behind the escape that begins at `at`.
fn escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let digits = bytes[at + 2..]
                .iter()
                .take(4)
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            if digits == 4 {
                Ok(at + 6)
            } else {
                fault(at + 2 + digits, "four hexadecimal digits must follow \\u")
            }
        }
        Some(_) => fault(at + 1, "there is no such escape"),
        None => fault(at + 1, "the text ends inside a string"),
    }
}

/// Behind the number that begins at `at`.
#[inline]
fn number(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    if bytes[at] == b'-' {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits(bytes, at),
        _ => return fault(at, "a digit was expected"),
    };
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = some_digits(bytes, at + 1 + usize::from(signed))?;
    }
    Ok(at)
}

fn some_digits(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let end = digits(bytes, at);
    if end > at {
        Ok(end)
    } else {
        fault(at, "a digit was expected")
    }
}

#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at].is_ascii_digit() {
        at += 1;
    }
    at
}

fn word(bytes: &[u8], at: usize, word: &'static [u8]) -> Result<usize, Fault> {
    if bytes[at..].starts_with(word) {
        return Ok(at + word.len());
    }
    let same = bytes[at..].iter().zip(word).take_while(|(a, b)| a == b).count();
    fault(
        at + same,
        "only the words true, false and null stand without quotes",
    )
}
