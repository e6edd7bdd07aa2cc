//! Checks a JSON value in one pass, without recursion: a hundred thousand brackets cost bits, not stack.
use super::stops_at;
use crate::Refusal;

/// What a value was found to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    /// Behind its last byte.
    pub(crate) end: usize,
    /// Deepest nesting of brackets.
    pub(crate) depth: usize,
    /// Where the longest value among an object's members lies.
    pub(crate) longest: (usize, usize),
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
    let mut nest = Nest::default();
    let mut deepest = 0;
    let mut longest = (0, 0);
    let mut member = start;
    let mut at = start;
    'value: loop {
        match bytes.get(at) {
            Some(b'"') => at = string(bytes, at)?,
            Some(b'{') => {
                nest.enter(true);
                deepest = deepest.max(nest.depth);
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(&b'}') {
                    at = name(bytes, at)?;
                    if nest.depth == 1 {
                        member = at;
                    }
                    continue 'value;
                }
                at += 1;
                nest.leave();
            }
            Some(b'[') => {
                nest.enter(false);
                deepest = deepest.max(nest.depth);
                at = skip_space(bytes, at + 1);
                if bytes.get(at) != Some(&b']') {
                    continue 'value;
                }
                at += 1;
                nest.leave();
            }
            Some(b'-' | b'0'..=b'9') => at = number(bytes, at)?,
            Some(b't') => at = word(bytes, at, b"true")?,
            Some(b'f') => at = word(bytes, at, b"false")?,
            Some(b'n') => at = word(bytes, at, b"null")?,
            Some(_) => return fault(at, "a value was expected"),
            None => return fault(at, "the text ends where a value was expected"),
        }
        // A value ends at `at`; what may follow depends on what it stands in.
        loop {
            if nest.depth <= 1 {
                if nest.depth == 0 {
                    return Ok(Checked {
                        end: at,
                        depth: deepest,
                        longest,
                    });
                }
                if at - member > longest.1 - longest.0 {
                    longest = (member, at);
                }
            }
            at = skip_space(bytes, at);
            match (bytes.get(at), nest.in_object) {
                (Some(b','), true) => {
                    at = name(bytes, skip_space(bytes, at + 1))?;
                    if nest.depth == 1 {
                        member = at;
                    }
                    continue 'value;
                }
                (Some(b','), false) => {
                    at = skip_space(bytes, at + 1);
                    if nest.depth == 1 {
                        member = at;
                    }
                    continue 'value;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    at += 1;
                    nest.leave();
                }
                (Some(_), true) => return fault(at, "`,` or `}` was expected"),
                (Some(_), false) => return fault(at, "`,` or `]` was expected"),
                (None, true) => return fault(at, "the text ends inside an object"),
                (None, false) => return fault(at, "the text ends inside an array"),
            }
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
    #[inline]
    fn enter(&mut self, object: bool) {
        if self.depth < 128 {
            self.outer = self.outer << 1 | u128::from(object);
        } else {
            self.deeper.push(object);
        }
        self.depth += 1;
        self.in_object = object;
    }

    #[inline]
    fn leave(&mut self) {
        if self.depth > 128 {
            self.deeper.pop();
        } else {
            self.outer >>= 1;
        }
        self.depth -= 1;
        self.in_object = self.deeper.last().copied().unwrap_or(self.outer & 1 == 1);
    }
}

fn fault<T>(at: usize, what: &'static str) -> Result<T, Fault> {
    Err(Fault::Syntax { at, what })
}

/// A member's name and colon; gives where its value begins.
#[inline]
fn name(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at) {
        Some(b'"') => {}
        Some(_) => return fault(at, "a name in double quotes was expected"),
        None => return fault(at, "the text ends inside an object"),
    }
    let colon = skip_space(bytes, string(bytes, at)?);
    match bytes.get(colon) {
        Some(b':') => Ok(skip_space(bytes, colon + 1)),
        Some(_) => fault(colon, "`:` was expected after the name"),
        None => fault(colon, "the text ends inside an object"),
    }
}

/// Behind the closing quote of the string that opens at `open`.
#[inline]
fn string(bytes: &[u8], open: usize) -> Result<usize, Fault> {
    let mut at = stops_at(bytes, open + 1);
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = stops_at(bytes, escape(bytes, at)?),
            Some(_) => return fault(at, "a control character in a string must be escaped"),
            None => return fault(at, "the text ends inside a string"),
        }
    }
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
