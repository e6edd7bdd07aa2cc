//! Activities of EGOS, as its publisher sends them over NATS and its dashboard expects them: tasks of the SPARC method,
//! prompts and answers of models, patterns that spread, and the publisher's heartbeat.
//!
//! The publisher and the dashboard use two sets of names; both are read, and both are written. Its ids are counters that
//! begin again with each start: they stay in `ext` and identify nothing.
use std::sync::LazyLock;

use super::{
    Dialect,
    mapped::{Form, Outline, Payload, Reading, Record, Slot, TimeForm},
};
use crate::{
    Event, LedgerId, Limits, LineView, Micros, RawJson, Refusal, begins_name,
    json::{self, Kind},
    same_name,
};

/// The form.
pub struct Egos;

static OUTLINE: Outline = Outline {
    name: "egos",
    slots: &[
        (Slot::Type, &["type", "event_type"]),
        (Slot::Time, &["timestamp"]),
        (Slot::Id, &["id"]),
        (Slot::Source, &["source_subsystem", "/subsystem", "/publisher"]),
        (Slot::Trace, &["trace_id"]),
        (Slot::User, &["user"]),
    ],
    kept: &[Slot::Source],
    aside: &[Slot::Id],
    payload: Payload::Spread,
    time: TimeForm::Iso,
    spellings: false,
};

static FORM: LazyLock<Form> = LazyLock::new(|| Form::new(&OUTLINE));

/// The subjects, and the keys by which a record that says no type is one of theirs.
const SUBJECTS: [(&str, &[&str]); 4] = [
    (TASKS, &["status", "result"]),
    ("egos.llm.logs", &["model", "prompt", "response"]),
    ("egos.propagation.log", &["subsystem", "pattern", "status"]),
    ("egos.system.heartbeat", &["publisher", "status"]),
];

const TASKS: &str = "egos.sparc.tasks";

/// The NATS subject that an event of this type belongs to; `None` if it is none of these.
#[must_use]
pub fn subject_of(kind: &str) -> Option<&'static str> {
    if begins_name(kind, "sparc.") {
        return Some(TASKS);
    }
    let mut subjects = SUBJECTS.iter().map(|(subject, _)| *subject);
    subjects.find(|subject| same_name(subject, kind))
}

impl Dialect for Egos {
    fn name(&self) -> &'static str {
        OUTLINE.name
    }

    fn detects(&self, record: &RawJson<'_>) -> bool {
        let is = |name| record.get(name).is_some_and(|value| value.kind() == Kind::String);
        if !is("trace_id") || !is("timestamp") {
            return false;
        }
        let has_type = ["type", "event_type"].into_iter().any(is);
        let of_task = |name: &str| {
            let kind = record.get(name).and_then(RawJson::as_string);
            kind.is_some_and(|kind| begins_name(&kind, "sparc."))
        };
        if has_type {
            return is("status") && (of_task("type") || of_task("event_type"));
        }
        shape_of(record).is_some()
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        let mut reading = Reading::of(&FORM, record, limits)?;
        if !reading.has(Slot::Type)
            && let Some(subject) = shape_of(&record)
        {
            reading.event.kind = subject.into();
        }
        reading.finish()
    }

    fn write(&self, line: &LineView<'_>, _: &LedgerId, out: &mut Vec<u8>) {
        FORM.write(line, out, |record, event, time| {
            let id = event.id.clone().unwrap_or_else(|| line.seq().to_string().into());
            record.token("id", json::string_token(&id));
            members(record, event, time);
        });
    }

    fn samples(&self) -> &'static [&'static str] {
        SAMPLES
    }
}

/// The subject whose keys the record has.
fn shape_of(record: &RawJson<'_>) -> Option<&'static str> {
    let is = |name: &&str| record.get(name).is_some_and(|value| value.kind() == Kind::String);
    let mut others = SUBJECTS.iter().skip(1);
    let found = others.find(|(_, keys)| keys.iter().all(is));
    found.map(|(subject, _)| *subject)
}

/// Both sets of names.
fn members<'e>(record: &mut Record<'e>, event: &'e Event<'_>, time: Micros) {
    record.text("type", &event.kind);
    record.text("event_type", &event.kind);
    record.text("source_subsystem", &event.source);
    record.token("timestamp", TimeForm::Iso.token(time));
    record.perhaps("trace_id", event.trace.as_deref());
    record.perhaps("user", event.user.as_deref());
}

static SAMPLES: &[&str] = &[
    r#"{"id":1,"type":"sparc_analyze","status":"completed","result":"File modified: x.py","timestamp":"2025-06-03T12:00:00.123456+00:00","file_path":"C:\\EGOS\\x.py","trace_id":"0c6f"}"#,
    r#"{"id":"2","type":"sparc_test","event_type":"sparc_test","source_subsystem":"KOIOS","status":"failed","timestamp":"2025-06-03T12:00:00+00:00","trace_id":"0c6f"}"#,
    r#"{"timestamp":"2025-06-03T12:00:00.123456Z","model":"egos-assistant","prompt":"…","response":"…","trace_id":"0c70","file_path":"docs/x.md","user":"cascade"}"#,
    r#"{"timestamp":"2025-06-03T12:00:00.123456+00:00","subsystem":"KOIOS","pattern":"Conscious Modularity","status":"Adopted","file_path":"x","trace_id":"0c71"}"#,
    r#"{"timestamp":"2025-06-03T12:00:00.123456","status":"active","publisher":"egos_activity_publisher","trace_id":"0c72"}"#,
];
