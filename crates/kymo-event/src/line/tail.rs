//! The end of a line: `data`, `ext`, `dialect` and `enc`, found without walking through `data` where that is possible.
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::json::{Kind, value_end};

/// The values at the end of a line, as they stand there (`dialect` without its quotes).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Tail<'a> {
    pub(super) data: Option<&'a str>,
    pub(super) ext: Option<&'a str>,
    pub(super) dialect: Option<&'a str>,
    pub(super) enc: Option<&'a str>,
}

const DATA: &str = ",\"data\":";
const EXT: &str = ",\"ext\":{";
const DIALECT: &str = ",\"dialect\":\"";
const ENC: &str = ",\"enc\":";

static FIND_EXT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(EXT));
static FIND_ENC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ENC));

impl<'a> Tail<'a> {
    /// Reads the text from the comma before the first of these keys up to the checksum.
    pub(super) fn find(text: &'a str) -> Self {
        Self::from_its_end(text).unwrap_or_else(|| Self::walk(text))
    }

    /// The usual tails: `data` alone, or `data` and `dialect`.
    ///
    /// A quote behind a comma is never inside a string, where it would need a backslash. So `,"dialect":"` and a
    /// closing quote at the very end can only be the key of the line itself; and where `,"ext":{` and `,"enc":` occur
    /// nowhere, the line has no such keys. If they do occur, they may belong to `data`, and only walking tells.
    fn from_its_end(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(DATA)?;
        if FIND_EXT.find(rest.as_bytes()).is_some() || FIND_ENC.find(rest.as_bytes()).is_some() {
            return None;
        }
        if let Some(before) = rest.strip_suffix('"') {
            let open = memchr::memrchr(b'"', before.as_bytes());
            if let Some(data) = open.and_then(|open| before[..=open].strip_suffix(DIALECT)) {
                return Some(Self {
                    data: Some(data),
                    dialect: Some(&before[data.len() + DIALECT.len()..]),
                    ..Self::default()
                });
            }
            // `data` is a string itself, or the dialect has an escape in it, which none of ours has.
            return (Kind::of(rest) == Kind::String && value_end(rest.as_bytes(), 0) == rest.len()).then(
                || Self {
                    data: Some(rest),
                    ..Self::default()
                },
            );
        }
        Some(Self {
            data: Some(rest),
            ..Self::default()
        })
    }

    fn walk(text: &'a str) -> Self {
        let mut tail = Self::default();
        let mut rest = text;
        while let Some(colon) = rest.find(':') {
            let end = value_end(rest.as_bytes(), colon + 1);
            let (key, value) = (&rest[..=colon], &rest[colon + 1..end]);
            match key {
                DATA => tail.data = Some(value),
                ",\"ext\":" => tail.ext = Some(value),
                ",\"dialect\":" => {
                    tail.dialect = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'))
                }
                ENC => tail.enc = Some(value),
                _ => break,
            }
            rest = &rest[end..];
        }
        tail
    }
}
