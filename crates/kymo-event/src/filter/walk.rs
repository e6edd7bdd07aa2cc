//! Walks over JSON text without building anything: where a value ends, what a string says.
//!
//! The text was checked when it was taken in, so nothing is checked again; text that is no JSON gives wrong answers,
//! but no panic and no endless loop.

/// A place in JSON text.
pub(super) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

/// A value without parts, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// What is between the quotes, escapes and all.
    String(&'a str),
    /// A number, `true`, `false` or `null`.
    Plain(&'a str),
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of what comes next, white space and separators skipped.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(
            bytes.get(self.at),
            Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b':')
        ) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Steps over one byte: a bracket that [`Walk::peek`] showed.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// Takes a string (a value or a key) that [`Walk::peek`] showed.
    pub(super) fn string(&mut self) -> &'a str {
        let start = self.at + 1;
        let end = string_end(self.text.as_bytes(), start);
        self.at = end + 1;
        self.text.get(start..end).unwrap_or_default()
    }

    /// Takes a value that [`Walk::peek`] showed to be neither object nor array.
    pub(super) fn scalar(&mut self) -> Scalar<'a> {
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            return Scalar::String(self.string());
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let ends = |byte: u8| {
            matches!(
                byte,
                b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' | b':' | b'"'
            )
        };
        let end = rest.bytes().position(ends).unwrap_or(rest.len());
        // At least one byte, so that a walk over text that is no JSON ends too.
        self.at += end.max(1);
        Scalar::Plain(rest.get(..end).unwrap_or_default())
    }

    /// Steps over the next value, whatever it is.
    pub(super) fn skip(&mut self) {
        match self.peek() {
            Some(b'{' | b'[') => self.skip_nested(),
            Some(_) => {
                self.scalar();
            }
            None => {}
        }
    }

    fn skip_nested(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while let Some(&byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => self.at = string_end(bytes, self.at) + 1,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Where the string that begins behind its quote at `start` has its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            None => return bytes.len(),
            Some(found) if rest[found] == b'"' => return at + found,
            Some(found) => at += found + 2,
        }
    }
}

/// Calls `visit` with every string value (never a key), as it stands between its quotes, until it says `true`.
pub(super) fn any_string<'a>(text: &'a str, mut visit: impl FnMut(&'a str) -> bool) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', bytes.get(at..).unwrap_or_default()) {
        let start = at + quote + 1;
        let end = string_end(bytes, start);
        at = end + 1;
        if !is_key(bytes, at) && text.get(start..end).is_some_and(&mut visit) {
            return true;
        }
    }
    false
}

/// Whether a string that ended before `at` is a key: a colon follows.
fn is_key(bytes: &[u8], at: usize) -> bool {
    bytes
        .get(at..)
        .unwrap_or_default()
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        == Some(&b':')
}

/// Whether JSON text may hold plain text (no quote, backslash or control character in it) in another spelling than its
/// own bytes: as `\u` escapes, or with `\/` for a slash.
pub(super) fn may_respell(text: &str, has_slash: bool) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        match bytes.get(at + found + 1) {
            Some(b'u') => return true,
            Some(b'/') if has_slash => return true,
            _ => at += found + 2,
        }
    }
    false
}

/// Whether the character stands in JSON text as it is, or may: it is not one that must be escaped.
pub(super) fn is_plain(c: char) -> bool {
    c >= ' ' && !matches!(c, '"' | '\\')
}

/// The characters that a string means. A surrogate without its other half is U+FFFD.
pub(super) fn chars(content: &str) -> Chars<'_> {
    Chars {
        rest: content.chars(),
    }
}

/// See [`chars`].
#[derive(Clone)]
pub(super) struct Chars<'a> {
    rest: std::str::Chars<'a>,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c != '\\' {
            return Some(c);
        }
        Some(match self.rest.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => self.unicode(),
            other => other,
        })
    }
}

impl Chars<'_> {
    fn unicode(&mut self) -> char {
        let first = self.hex();
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        let mut ahead = self.clone();
        if ahead.rest.next() == Some('\\') && ahead.rest.next() == Some('u') {
            let second = ahead.hex();
            if (0xdc00..0xe000).contains(&second) {
                *self = ahead;
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
        }
        char::REPLACEMENT_CHARACTER
    }

    fn hex(&mut self) -> u32 {
        let digits = self.rest.as_str().get(..4);
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if value.is_some() {
            self.rest = self.rest.as_str()[4..].chars();
        }
        value.unwrap_or(u32::from(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(content: &str) -> String {
        chars(content).collect()
    }

    #[test]
    fn escapes_mean_their_characters() {
        assert_eq!(decoded(r#"a\"b\\c\/d\n\t"#), "a\"b\\c/d\n\t");
        assert_eq!(decoded(r"\u00e9\uD83D\uDE00x"), "é😀x");
    }

    #[test]
    fn half_a_surrogate_pair_is_a_replacement_character_and_costs_only_itself() {
        assert_eq!(decoded(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(decoded(r"\ud83d\u0041"), "\u{fffd}A");
        assert_eq!(decoded(r"\ude00\ud83d\ude00"), "\u{fffd}😀");
    }

    #[test]
    fn values_are_strings_keys_are_not() {
        let mut seen = Vec::new();
        any_string(r#"{"a" : "b","c":["d",{"e":"f\"g"}],"h":1}"#, |text| {
            seen.push(text);
            false
        });
        assert_eq!(seen, ["b", "d", r#"f\"g"#]);
    }

    proptest! {
        #[test]
        fn a_string_means_what_serde_says(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(decoded(&json[1..json.len() - 1]), text);
        }

        #[test]
        fn text_that_is_no_json_is_walked_to_its_end(text in "[\\[\\]{}\":,\\\\ua1é ]{0,30}") {
            let mut walk = Walk::new(&text);
            let mut steps = 0;
            while walk.peek().is_some() {
                walk.skip();
                steps += 1;
                prop_assert!(steps <= text.len());
            }
            any_string(&text, |content| { decoded(content); false });
        }
    }
}
