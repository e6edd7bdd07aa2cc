//! What reading a record noted beside its members: `ext.kymo`, an object that is there only where it says something.
//!
//! | member | says |
//! |---|---|
//! | a key of the envelope (`"type":null`) | the record has none; or where it was read, if not under a key of the form: a key of the user's, or a pointer |
//! | `zone` | `"inferred"`: the time has no zone and was taken as UTC |
//! | `payload` | the key under which the whole payload was |
//! | `kymo` | the record's own top-level member of that name |
//! | `via`, `subject` | nothing of the record: by which way it came, see [`crate::way`] |
use std::borrow::Cow;

use super::Slot;
use crate::{RawJson, json};

/// What was noted.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Notes<'a> {
    /// A bit for each slot that the envelope does not give back.
    slots: u16,
    /// Where those were read that were read somewhere.
    places: Vec<(Slot, Cow<'a, str>)>,
    pub(super) zone_inferred: bool,
    pub(super) payload: Option<Cow<'a, str>>,
    /// JSON text.
    pub(super) kymo: Option<Cow<'a, str>>,
}

const ZONE: &str = "zone";
const PAYLOAD: &str = "payload";

impl<'a> Notes<'a> {
    /// Notes that the record has no such key.
    pub(super) fn nowhere(&mut self, slot: Slot) {
        self.slots |= 1 << slot as u16;
    }

    /// Notes where the key was read.
    pub(super) fn elsewhere(&mut self, slot: Slot, place: impl Into<Cow<'a, str>>) {
        self.slots |= 1 << slot as u16;
        self.places.push((slot, place.into()));
    }

    /// Whether the envelope does not give the slot back.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.slots & (1 << slot as u16) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As JSON text.
    pub(super) fn to_json(&self) -> String {
        let mut out = b"{".to_vec();
        let name = |out: &mut Vec<u8>, name: &str| {
            if out.len() > 1 {
                out.push(b',');
            }
            json::push_string(out, name);
            out.push(b':');
        };
        for slot in Slot::ALL.into_iter().filter(|slot| self.has(*slot)) {
            name(&mut out, slot.as_str());
            match self.places.iter().find(|(of, _)| *of == slot) {
                Some((_, place)) => json::push_string(&mut out, place),
                None => out.extend_from_slice(b"null"),
            }
        }
        if self.zone_inferred {
            name(&mut out, ZONE);
            out.extend_from_slice(b"\"inferred\"");
        }
        if let Some(payload) = &self.payload {
            name(&mut out, PAYLOAD);
            json::push_string(&mut out, payload);
        }
        if let Some(kymo) = &self.kymo {
            name(&mut out, super::KYMO);
            out.extend_from_slice(kymo.as_bytes());
        }
        out.push(b'}');
        String::from_utf8(out).expect("names and JSON are UTF-8")
    }

    /// From JSON text; `None` where it is not what is written here.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut notes = Self::default();
        for member in RawJson::trusted(text).members()? {
            let (name, value) = (member.name()?, member.value().as_str());
            let text = value.starts_with('"').then(|| member.text());
            match (&*name, text) {
                (ZONE, Some(_)) => notes.zone_inferred = true,
                (PAYLOAD, Some(text)) => notes.payload = Some(text?),
                (name, Some(_)) if crate::way::is_member(name) => {}
                (super::KYMO, _) => notes.kymo = Some(Cow::Borrowed(value)),
                (name, text) => {
                    let slot = Slot::ALL.into_iter().find(|slot| slot.as_str() == name)?;
                    match text {
                        Some(place) => notes.elsewhere(slot, place?),
                        None if value == "null" => notes.nowhere(slot),
                        None => return None,
                    }
                }
            }
        }
        Some(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let mut notes = Notes::default();
        assert!(notes.is_empty());
        notes.nowhere(Slot::Type);
        notes.elsewhere(Slot::Agent, "/payload/\"agentId\"");
        notes.zone_inferred = true;
        notes.payload = Some("ev\"al".into());
        notes.kymo = Some("[1]".into());
        let text = notes.to_json();
        let expected =
            r#"{"type":null,"agent":"/payload/\"agentId\"","zone":"inferred","payload":"ev\"al","kymo":[1]}"#;
        assert_eq!(text, expected);
        assert_eq!(Notes::parse(&text), Some(notes));
        assert_eq!(Notes::parse("{}"), Some(Notes::default()));
    }

    #[test]
    fn what_is_no_note_is_not_taken_for_one() {
        for text in [
            "[]",
            "7",
            r#"{"colour":"red"}"#,
            r#"{"payload":7}"#,
            r#"{"task":7}"#,
            r#"{"task":"\ud800"}"#,
        ] {
            assert_eq!(Notes::parse(text), None, "{text}");
        }
    }
}
