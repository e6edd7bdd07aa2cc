//! Walks a checked object or array, one member or element at a time, and steps over what nobody asked for.
use std::borrow::Cow;

use super::{RawJson, decode, quoted_end, skip_space};

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Member<'a> {
    /// The name, decoded; `None` where it holds half a surrogate pair.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'a, str>> {
        decode(self.name)
    }

    /// The name as it is written between its quotes.
    #[must_use]
    pub const fn raw_name(&self) -> &'a str {
        self.name
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> RawJson<'a> {
        RawJson::trusted(self.value)
    }
}

/// The members of an object in their order, see [`RawJson::members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
    longest: (usize, usize),
}

impl<'a> Members<'a> {
    pub(super) fn new(text: &'a str, longest: (u32, u32)) -> Self {
        Self {
            text,
            at: 1,
            longest: (longest.0 as usize, longest.1 as usize),
        }
    }

    /// Byte offset of a member's value in the object's text.
    #[must_use]
    pub fn offset(&self, member: &Member<'a>) -> usize {
        member.value.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let open = skip_separators(bytes, self.at);
        if bytes.get(open) != Some(&b'"') {
            return None;
        }
        let close = quoted_end(bytes, open);
        let start = skip_separators(bytes, close);
        let end = if start == self.longest.0 {
            self.longest.1
        } else {
            value_end(bytes, start)
        };
        self.at = end;
        Some(Member {
            name: &self.text[open + 1..close - 1],
            value: &self.text[start..end],
        })
    }
}

/// The elements of an array in their order, see [`RawJson::elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Elements<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = RawJson<'a>;

    fn next(&mut self) -> Option<RawJson<'a>> {
        let bytes = self.text.as_bytes();
        let start = skip_separators(bytes, self.at);
        if matches!(bytes.get(start), None | Some(b']')) {
            return None;
        }
        self.at = value_end(bytes, start);
        Some(RawJson::trusted(&self.text[start..self.at]))
    }
}

/// In checked text, what stands between two tokens of a walk is white space and at most one `,` or `:`.
#[inline]
fn skip_separators(bytes: &[u8], at: usize) -> usize {
    let at = skip_space(bytes, at);
    match bytes.get(at) {
        Some(b',' | b':') => skip_space(bytes, at + 1),
        _ => at,
    }
}

/// Behind the value that begins at `start`, in checked text.
#[inline]
pub(crate) fn value_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => quoted_end(bytes, start),
        Some(b'{' | b'[') => nested_end(bytes, start),
        _ => {
            let plain = |byte: &&u8| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
            start + bytes[start..].iter().take_while(plain).count()
        }
    }
}

fn nested_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = quoted_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
