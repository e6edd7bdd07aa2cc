//! Who published a text: a last member of it, since neither channels nor v5's entries have room beside the text.
//!
//! `{"type":"a",…,"kymo.bridge":{"ledger":"…","sink":"bus","seq":42,"hops":0}}`. Readers of the form ignore it, as they do every
//! member they do not know; a source takes it out again.

use std::borrow::Cow;

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::messages::Publisher;

const MEMBER: &[u8] = b"\"kymo.bridge\":";

/// Which event of which ledger a text is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub(super) ledger: String,
    /// By which sink.
    pub(super) sink: String,
    pub(super) seq: u64,
    /// How often it went from ledger to ledger before.
    pub(super) hops: u8,
}

impl Mark {
    /// Who published it.
    pub(super) fn publisher(&self) -> Publisher<'_> {
        Publisher {
            ledger: &self.ledger,
            hops: self.hops,
        }
    }

    /// The id of an event that says none.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.ledger, self.seq)
    }

    /// Marks the text of an object.
    pub(super) fn put(&self, text: &mut Vec<u8>) {
        if text.pop() != Some(b'}') {
            unreachable!("every dialect writes objects");
        }
        if !text.ends_with(b"{") {
            text.push(b',');
        }
        text.extend_from_slice(MEMBER);
        serde_json::to_writer(&mut *text, self).expect("it is plain");
        text.push(b'}');
    }

    /// The mark of a text, and the text without it.
    pub(super) fn take(text: &[u8]) -> (Option<Self>, Cow<'_, [u8]>) {
        let found = || {
            let at = memmem::rfind(text, MEMBER)?;
            let mark = text[at + MEMBER.len()..].strip_suffix(b"}")?;
            let mark = serde_json::from_slice(mark).ok()?;
            let before = &text[..at];
            Some((
                mark,
                before
                    .strip_suffix(b",")
                    .or_else(|| before.ends_with(b"{").then_some(before))?,
            ))
        };
        match found() {
            Some((mark, before)) => (Some(mark), [before, b"}"].concat().into()),
            None => (None, text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark {
            ledger: "l-1".into(),
            sink: "bus".into(),
            seq: 42,
            hops: 3,
        }
    }

    #[test]
    fn a_marked_text_is_still_an_object_and_comes_back_as_it_was() {
        for text in [r#"{"type":"a","data":{"n":1}}"#, "{}", r#"{"a":"}"}"#] {
            let mut marked = text.as_bytes().to_vec();
            mark().put(&mut marked);
            let object: serde_json::Value = serde_json::from_slice(&marked).expect("JSON");
            assert_eq!(object["kymo.bridge"]["seq"], 42);
            let (found, before) = Mark::take(&marked);
            assert_eq!((found, &*before), (Some(mark()), text.as_bytes()));
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        let inner = r#""kymo.bridge":{"ledger":"l","sink":"s","seq":1,"hops":0}"#;
        for text in [
            format!(r#"{{"data":{{"a":1,{inner}}}}}"#),
            format!(r#"{{{inner},"a":1}}"#),
            format!(r#"{{"a":[{{{inner}}}]}}"#),
            format!("{{{}}}", inner.replace("\"hops\":0", "\"hops\":0,\"x\":1")),
            r#"{"kymo.bridge":7}"#.to_owned(),
            inner.to_owned(),
            "\"kymo.bridge\":".to_owned(),
        ] {
            let (found, before) = Mark::take(text.as_bytes());
            assert_eq!((found, &*before), (None, text.as_bytes()));
        }
    }
}
