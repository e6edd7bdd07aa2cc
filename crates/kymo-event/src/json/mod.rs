//! A strict JSON scanner that never builds a tree: it walks, checks, and hands out borrowed tokens.
//!
//! It accepts exactly RFC 8259, says at which byte a text goes wrong, and counts depth as it goes. `scan` checks what
//! comes from outside; `members` walks what was checked; `strings` knows how text is quoted.
mod blocks;
mod members;
mod outline;
mod scan;
mod strings;

use std::borrow::Cow;

pub(crate) use blocks::Stops;
pub(crate) use members::value_end;
pub use members::{Elements, Member, Members};
use outline::Outline;
pub(crate) use scan::{Checked, Fault, check, is_space, skip_space};
pub use strings::{decode, push_number, push_string, string_token};
pub(crate) use strings::{push_escaped, quoted_end};

use crate::Refusal;

/// A checked JSON value as text, with no white space around it.
#[derive(Clone, Copy)]
pub struct RawJson<'a> {
    text: &'a str,
    outline: Outline,
}

impl<'a> RawJson<'a> {
    /// Checks that `text` is one JSON value, no deeper than `nesting_max`. White space around it is left off; the
    /// byte of a refusal counts from the start of `text`.
    pub fn parse(text: &'a str, nesting_max: usize) -> Result<Self, Refusal> {
        let bytes = text.as_bytes();
        let start = skip_space(bytes, 0);
        let checked = check(bytes, start)?;
        let rest = skip_space(bytes, checked.end);
        if rest < bytes.len() {
            return Err(Fault::Syntax {
                at: rest,
                what: "nothing may follow the value",
            }
            .into());
        }
        Self::from_checked(text, start, &checked, nesting_max)
    }

    /// The value that was checked in `text`, if it is not too deep.
    #[inline(always)]
    pub(crate) fn from_checked(
        text: &'a str,
        start: usize,
        checked: &Checked,
        nesting_max: usize,
    ) -> Result<Self, Refusal> {
        if checked.depth > nesting_max {
            return Err(too_deep(checked.depth, nesting_max));
        }
        Ok(Self {
            text: &text[start..checked.end],
            outline: checked.outline,
        })
    }

    /// Takes a text that was checked before (a value cut from a ledger line).
    #[must_use]
    pub const fn trusted(text: &'a str) -> Self {
        Self {
            text,
            outline: Outline::UNKNOWN,
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// What kind of value it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        Kind::of(self.text)
    }

    /// The members of an object in their order; `None` for other values.
    #[must_use]
    pub fn members(self) -> Option<Members<'a>> {
        (self.kind() == Kind::Object).then(|| Members::new(self.text, self.outline))
    }

    /// The elements of an array in their order; `None` for other values.
    #[must_use]
    pub fn elements(self) -> Option<Elements<'a>> {
        (self.kind() == Kind::Array).then(|| Elements::new(self.text))
    }

    /// Whether the value may be an object with a member of that name; `false` is certain, and costs next to nothing.
    #[inline(always)]
    #[must_use]
    pub fn may_have(self, name: &str) -> bool {
        self.outline.may_have(name.as_bytes())
    }

    /// The value of the first member of that name.
    #[inline]
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        if !self.may_have(name) {
            return None;
        }
        self.members()?
            .find(|member| member.is_named(name))
            .map(|member| member.value())
    }

    /// The decoded text of a string; `None` for other values and for a string with half a surrogate pair, which no
    /// Rust string can hold.
    #[must_use]
    pub fn as_string(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::String => decode(&self.text[1..self.text.len() - 1]),
            _ => None,
        }
    }
}

impl PartialEq for RawJson<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RawJson<'_> {}

impl std::fmt::Debug for RawJson<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RawJson").field(&self.text).finish()
    }
}

/// The six kinds of JSON values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    /// The kind of a checked value, from its first byte.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    /// With its article, for messages.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Null => "null",
        }
    }
}

/// The value in a form that fits on one line: white space between tokens is removed if CR or LF are among it,
/// otherwise the text stays as it is. No token changes.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    // A checked value has no raw CR or LF inside its strings, so any of them stands between tokens.
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => quoted_end(bytes, at),
            byte if is_space(byte) => {
                at += 1;
                continue;
            }
            _ => {
                at + bytes[at..]
                    .iter()
                    .take_while(|byte| **byte != b'"' && !is_space(**byte))
                    .count()
            }
        };
        out.push_str(&text[at..end]);
        at = end;
    }
    Cow::Owned(out)
}

pub(crate) fn too_deep(depth: usize, nesting_max: usize) -> Refusal {
    let message = format!(
        "brackets are nested {depth} deep and {nesting_max} are allowed: flatten the data or raise nesting_max"
    );
    Refusal::new("too_deep", message)
}
