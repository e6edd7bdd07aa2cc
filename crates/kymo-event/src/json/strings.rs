//! How text is quoted: where a string ends, what it says, and how a text is written as one.
//!
//! Scanning looks at eight bytes at once in an ordinary register, which beats a call into a vector routine for the
//! short strings that envelopes are made of.
use std::borrow::Cow;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// From here on a vector routine is worth its call.
const LONG: usize = 64;

/// The high bit of each byte that is a quote or a backslash. Above the lowest marked byte there may be false marks.
const fn quotes_in(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    ((quote.wrapping_sub(ONES) & !quote) | (slash.wrapping_sub(ONES) & !slash)) & HIGHS
}

/// The high bit of each byte below 0x20. Above the lowest marked byte there may be false marks.
const fn controls_in(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// The first quote, backslash or control byte at or after `at`; the end if there is none.
#[inline]
pub(crate) fn stops_at(bytes: &[u8], mut at: usize) -> usize {
    let start = at;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes were taken"));
        let marks = quotes_in(word) | controls_in(word);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
        if at - start >= LONG {
            return stops_far(bytes, at);
        }
    }
    at + bytes[at..]
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
        .count()
}

#[inline(never)]
fn stops_far(bytes: &[u8], at: usize) -> usize {
    let end = memchr::memchr2(b'"', b'\\', &bytes[at..]).map_or(bytes.len(), |found| at + found);
    let clean = bytes[at..end]
        .chunks(64)
        .take_while(|chunk| chunk.iter().fold(true, |clean, byte| clean & (*byte >= 0x20)))
        .count();
    let from = (at + clean * 64).min(end);
    from + bytes[from..end].iter().take_while(|byte| **byte >= 0x20).count()
}

/// The first quote or backslash at or after `at`, in text known to be good; the end if there is none.
#[inline]
pub(crate) fn quote_or_escape(bytes: &[u8], mut at: usize) -> usize {
    let start = at;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes were taken"));
        let marks = quotes_in(word);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
        if at - start >= LONG {
            return memchr::memchr2(b'"', b'\\', &bytes[at..]).map_or(bytes.len(), |found| at + found);
        }
    }
    at + bytes[at..]
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\'))
        .count()
}

/// Behind the closing quote of the string whose opening quote is at `open`, in text known to be good.
#[inline]
pub(crate) fn quoted_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    loop {
        at = quote_or_escape(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(_) => at += 2,
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
    let bytes = text.as_bytes();
    let stop = stops_at(bytes, 0);
    out.extend_from_slice(&bytes[..stop]);
    if stop < bytes.len() {
        push_escapes(out, &bytes[stop..]);
    }
}

#[cold]
fn push_escapes(out: &mut Vec<u8>, mut rest: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    while let Some((byte, after)) = rest.split_first() {
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
        let plain = stops_at(after, 0);
        out.extend_from_slice(&after[..plain]);
        rest = &after[plain..];
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
