//! How text is quoted: where a string ends, what it says, and how a text is written as one.
//!
//! Scanning looks at sixteen bytes at once, in line: a call into a vector routine costs more than the short strings
//! take that envelopes are made of.
use std::borrow::Cow;

use wide::u8x16;

use super::blocks::{STEP, controls_in, quotes_in};

/// The first quote, backslash or control byte at or after `at`; the end if there is none.
#[inline]
fn stops_at(bytes: &[u8], at: usize) -> usize {
    first_mark(bytes, at, |step| quotes_in(step) | controls_in(step))
}

/// The first quote or backslash at or after `at`, in text known to be good; the end if there is none.
#[inline]
fn quote_or_escape(bytes: &[u8], at: usize) -> usize {
    first_mark(bytes, at, quotes_in)
}

#[inline(always)]
fn first_mark(bytes: &[u8], mut at: usize, marks: impl Fn(u8x16) -> u32) -> usize {
    while let Some(step) = bytes[at..].first_chunk() {
        let marks = marks(u8x16::new(*step));
        if marks != 0 {
            return at + marks.trailing_zeros() as usize;
        }
        at += STEP;
    }
    at + last_mark(&bytes[at..], marks)
}

/// The same in fewer bytes than a step.
fn last_mark(rest: &[u8], marks: impl Fn(u8x16) -> u32) -> usize {
    let mut step = [b' '; STEP];
    step[..rest.len()].copy_from_slice(rest);
    (marks(u8x16::new(step)).trailing_zeros() as usize).min(rest.len())
}

/// Behind the closing quote of the string whose opening quote is at `open`, in text known to be good.
#[inline]
pub(crate) fn quoted_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    loop {
        at = quote_or_escape(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(_) => at = (at + 2).min(bytes.len()),
            None => return bytes.len(),
        }
    }
}

/// What the inside of a checked string token says; borrowed where it has no escapes. `None` where it holds half a
/// surrogate pair.
#[must_use]
pub fn decode(inside: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr::memchr(b'\\', inside.as_bytes()) else {
        return Some(Cow::Borrowed(inside));
    };
    let mut out = String::with_capacity(inside.len());
    out.push_str(&inside[..first]);
    let mut rest = &inside[first..];
    while !rest.is_empty() {
        let (character, length) = unescape(rest)?;
        out.push(character);
        rest = &rest[length..];
        let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Some(Cow::Owned(out))
}

/// The character of the escape that `text` begins with, and its length.
fn unescape(text: &str) -> Option<(char, usize)> {
    let short = |character| Some((character, 2));
    match text.as_bytes().get(1)? {
        b'n' => short('\n'),
        b't' => short('\t'),
        b'r' => short('\r'),
        b'b' => short('\u{8}'),
        b'f' => short('\u{c}'),
        b'u' => unescape_unit(text),
        other => short(char::from(*other)),
    }
}

fn unescape_unit(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let first = unit(2)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let pair = text.get(6..8)? == "\\u" && first < 0xDC00;
    let second = unit(8)?;
    if !pair || !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    Some((
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))?,
        12,
    ))
}

/// Appends `text` as a JSON string with its quotes; only what must be escaped is.
#[inline]
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// `text` as a JSON string token.
#[must_use]
pub fn string_token(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    String::from_utf8(out).expect("escaping keeps UTF-8")
}

/// Appends the inside of a JSON string.
#[inline]
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_escapes(out, text.as_bytes());
    }
}

/// Whether a text can stand between quotes as it is.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let marks = |step: &[u8; STEP]| {
        let step = u8x16::new(*step);
        quotes_in(step) | controls_in(step)
    };
    // What is no whole step at the end is looked at in parts that overlap, which is cheaper than byte by byte.
    if let Some(last) = bytes.last_chunk() {
        let (steps, _) = bytes.as_chunks();
        return steps.iter().fold(0, |any, step| any | marks(step)) | marks(last) == 0;
    }
    let joined = |first: &[u8], last: &[u8]| {
        let mut step = [b' '; STEP];
        step[..first.len()].copy_from_slice(first);
        step[8..8 + last.len()].copy_from_slice(last);
        marks(&step) == 0
    };
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return joined(first, last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return joined(first, last);
    }
    !bytes.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
}

#[cold]
fn push_escapes(out: &mut Vec<u8>, mut rest: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    loop {
        let plain = stops_at(rest, 0);
        out.extend_from_slice(&rest[..plain]);
        let Some((byte, after)) = rest[plain..].split_first() else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                let digits = [HEX[usize::from(other >> 4)], HEX[usize::from(other & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
        rest = after;
    }
}

/// Appends a whole number in decimal digits.
pub fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789"[(number % 10) as usize];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
