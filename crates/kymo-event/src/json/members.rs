//! Walks a checked object or array, one member or element at a time, and steps over what nobody asked for.
use std::borrow::Cow;

use super::{Kind, RawJson, decode, outline::Outline, quoted_end, skip_space};

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    name: &'a str,
    value: &'a str,
    /// Zero if neither name nor value has escapes. A word, since a single byte written between words that are soon
    /// read together stalls the processor.
    escapes: u64,
}

impl<'a> Member<'a> {
    /// The name, decoded; `None` where it holds half a surrogate pair.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'a, str>> {
        if self.escapes == 0 {
            Some(Cow::Borrowed(self.name))
        } else {
            decode(self.name)
        }
    }

    /// Whether it has this name.
    #[inline]
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        match self.escapes {
            0 => self.name == name,
            _ => self.name().as_deref() == Some(name),
        }
    }

    /// The name as it is written between its quotes.
    #[must_use]
    pub const fn raw_name(&self) -> &'a str {
        self.name
    }

    /// The value if it is a string, decoded; `None` for other values, and where it holds half a surrogate pair.
    #[inline]
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let inside = self.value.strip_prefix('"')?.strip_suffix('"')?;
        if self.escapes == 0 {
            Some(Cow::Borrowed(inside))
        } else {
            decode(inside)
        }
    }

    /// What kind of value it has.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::of(self.value)
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> RawJson<'a> {
        RawJson::trusted(self.value)
    }
}

/// The members of an object in their order, see [`RawJson::members`].
#[derive(Clone)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
    index: usize,
    outline: Outline,
}

impl<'a> Members<'a> {
    pub(super) const fn new(text: &'a str, outline: Outline) -> Self {
        Self {
            text,
            at: 1,
            index: 0,
            outline,
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

    // Inlined: a member handed over through memory stalls the reader longer than the rest takes.
    #[inline(always)]
    fn next(&mut self) -> Option<Member<'a>> {
        let Some(spans) = self.outline.get(self.index) else {
            return self.walk();
        };
        self.index += 1;
        let (name, value) = (spans.name(), spans.value());
        self.at = value.1;
        Some(Member {
            name: &self.text[name.0..name.1],
            value: &self.text[value.0..value.1],
            escapes: spans.escapes(),
        })
    }
}

impl<'a> Members<'a> {
    /// The next member beyond the outline.
    #[inline(never)]
    fn walk(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let open = skip_separators(bytes, self.at);
        if bytes.get(open) != Some(&b'"') {
            return None;
        }
        let close = quoted_end(bytes, open);
        let start = skip_separators(bytes, close);
        self.at = value_end(bytes, start);
        Some(Member {
            name: &self.text[open + 1..close - 1],
            value: &self.text[start..self.at],
            escapes: 1,
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
