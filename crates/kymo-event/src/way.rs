//! By which way an event came, where that was a broker: noted in `ext.kymo`, so that it is not given back to where it
//! came from, and forgotten where the event is written in its own form again.
//!
//! `{"via":"nats://127.0.0.1:4222","subject":"egos.llm.logs"}`
use std::borrow::Cow;

use crate::{Event, RawJson, json};

/// Derivations away from an original at most: what is above that goes in circles, and ends.
pub const HOPS_MAX: u8 = 8;

const KYMO: &str = "kymo";
const VIA: &str = "via";
const SUBJECT: &str = "subject";

/// Whether a member of `ext.kymo` is noted here.
pub(crate) fn is_member(name: &str) -> bool {
    name == VIA || name == SUBJECT
}

/// Notes that the event came through this broker, under this subject, stream or channel.
///
/// An emitter's own field `kymo` that is no note of ours is left as it is; then the way stays unsaid.
pub fn mark(event: &mut Event<'_>, via: &str, subject: &str) {
    let mut members = b"\"via\":".to_vec();
    json::push_string(&mut members, via);
    members.extend_from_slice(b",\"subject\":");
    json::push_string(&mut members, subject);
    let members = String::from_utf8(members).expect("strings of JSON are UTF-8");
    match event.ext.iter_mut().find(|(name, _)| name == KYMO) {
        None => event.ext.push((KYMO.into(), format!("{{{members}}}").into())),
        Some((_, notes)) if event.dialect.is_some() => {
            if let Some(before) = notes.strip_suffix('}') {
                let comma = if before == "{" { "" } else { "," };
                *notes = format!("{before}{comma}{members}}}").into();
            }
        }
        Some(_) => {}
    }
}

/// The broker that an event came through, from its `ext`.
#[must_use]
pub fn via(ext: &str) -> Option<Cow<'_, str>> {
    RawJson::trusted(ext).get(KYMO)?.get(VIA)?.as_string()
}

/// Takes the mark away from an event that has no other notes.
pub(crate) fn unmark(event: &mut Event<'_>) {
    let is_mark = |text: &str| {
        let members = RawJson::trusted(text).members();
        members.is_some_and(|mut members| {
            members.all(|member| member.name().is_some_and(|name| is_member(&name)))
        })
    };
    event.ext.retain(|(name, text)| name != KYMO || !is_mark(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Batch, LedgerId, Limits, LineView, Micros, Seq,
        dialects::{DIALECTS, Dialect},
    };

    const BROKER: &str = "nats://127.0.0.1:4222";

    fn line(event: &Event<'_>) -> Vec<u8> {
        let mut batch = Batch::default();
        batch.push(event);
        let mut line = Vec::new();
        crate::write_line(&mut line, Seq::FIRST, &Micros(0).text(), batch.body(0));
        line.truncate(line.trim_ascii_end().len());
        line
    }

    #[test]
    fn a_marked_event_says_its_way_and_is_written_in_its_own_form_as_it_came() {
        // The native form is the line itself, with everything it has.
        for dialect in DIALECTS.iter().filter(|dialect| dialect.name() != "kymo") {
            for sample in dialect.samples() {
                let record = RawJson::parse(sample, 128).expect("JSON");
                let mut event = dialect.read(record, &Limits::default()).expect("read");
                let written = |event: &Event<'_>| {
                    let line = line(event);
                    let mut out = Vec::new();
                    dialect.write(
                        &LineView::parse(&line).expect("a line"),
                        &LedgerId::new("l"),
                        &mut out,
                    );
                    String::from_utf8(out).expect("text")
                };
                let before = written(&event);
                mark(&mut event, BROKER, "a.b");
                assert_eq!(written(&event), before, "{sample}");
                let line = line(&event);
                let view = LineView::parse(&line).expect("a line");
                assert_eq!(view.ext().and_then(via).as_deref(), Some(BROKER), "{sample}");
            }
        }
    }

    #[test]
    fn what_an_emitter_calls_kymo_stays_its_own() {
        let record = RawJson::parse(r#"{"type":"a","kymo":{"via":7}}"#, 128).expect("JSON");
        let mut event = crate::dialects::Native
            .read(record, &Limits::default())
            .expect("read");
        mark(&mut event, BROKER, "a.b");
        assert_eq!(event.ext(KYMO), Some(r#"{"via":7}"#));
        assert_eq!(via(r#"{"kymo":{"via":7}}"#), None);
        assert_eq!(via(r#"{"kymo":7}"#), None);
    }
}
