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
    let at = event.ext.iter().position(|(name, _)| name == KYMO);
    let notes = at.map(|at| event.ext[at].1.clone());
    let mut members = Vec::new();
    if let Some(notes) = &notes {
        let notes = RawJson::trusted(notes);
        // The native form has no notes but the way of before, which the newest takes the place of.
        if event.dialect.is_none() && !is_way(notes) {
            return;
        }
        for member in notes.members().into_iter().flatten() {
            if let Some(name) = member.name().filter(|name| !is_member(name)) {
                push_member(&mut members, &name, |out| {
                    out.extend_from_slice(member.value().as_str().as_bytes())
                });
            }
        }
    }
    push_member(&mut members, VIA, |out| json::push_string(out, via));
    push_member(&mut members, SUBJECT, |out| json::push_string(out, subject));
    let members = String::from_utf8(members).expect("texts of JSON are UTF-8");
    let notes = format!("{{{members}}}").into();
    match at {
        Some(at) => event.ext[at].1 = notes,
        None => event.ext.push((KYMO.into(), notes)),
    }
}

fn push_member(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    if !out.is_empty() {
        out.push(b',');
    }
    json::push_string(out, name);
    out.push(b':');
    value(out);
}

/// Whether this is a way as it is noted here, and nothing else.
fn is_way(notes: RawJson<'_>) -> bool {
    let is_ours = |member: json::Member<'_>| {
        member.name().is_some_and(|name| is_member(&name)) && member.value().as_string().is_some()
    };
    let mut members = notes.members().into_iter().flatten().peekable();
    members.peek().is_some() && members.all(is_ours)
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
    fn who_came_by_another_way_before_is_marked_with_the_last() {
        for dialect in DIALECTS {
            for sample in dialect.samples() {
                let record = RawJson::parse(sample, 128).expect("JSON");
                let mut event = dialect.read(record, &Limits::default()).expect("read");
                let mut once = event.clone();
                mark(&mut event, "nats://elsewhere:4222", "x");
                mark(&mut event, BROKER, "a.b");
                mark(&mut once, BROKER, "a.b");
                assert_eq!(event, once, "{sample}");
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
