//! Records of resonance ledgers: JSON lines that many programs append to, each in its own manner.
//!
//! What happened stands under `event`, `event_type` or `type`, in `tags.event_type` or nowhere; when, under `timestamp`
//! or `ts`, in any form; the payload is whatever else there is, or stands under the name of the event. Users add keys
//! of their own with a [`Mapping`].
use std::sync::{LazyLock, OnceLock};

use super::{
    Dialect, Mapping, MappingError,
    mapped::{Form, Outline, Payload, Reading, Record, Slot, TimeForm},
};
use crate::{Event, LedgerId, Level, Limits, LineView, Micros, RawJson, Refusal, json::Kind};

/// The form with the keys that resonance ledgers are known to have.
pub struct Resonance;

/// The same form with keys of a user's.
pub struct ExtendedResonance {
    form: Form,
    added: Mapping,
}

static OUTLINE: Outline = Outline {
    name: "resonance",
    slots: &[
        (Slot::Type, &["event", "event_type", "type", "/tags/event_type"]),
        // Of two, `ts` is when the record was written, and `timestamp` when it was called for.
        (Slot::Time, &["timestamp", "ts"]),
        (Slot::Source, &["source"]),
        (Slot::Level, &["level", "severity"]),
        (Slot::Agent, &["persona_id", "persona"]),
        (Slot::Session, &["session_id"]),
        (Slot::Task, &["task_id"]),
        (Slot::Trace, &["trace_id"]),
        (Slot::Span, &["span_id"]),
        (Slot::Parent, &["parent_id"]),
        (Slot::User, &["user", "user_id"]),
        (Slot::Tier, &["tier"]),
    ],
    kept: &[Slot::Time, Slot::Source],
    aside: &[],
    payload: Payload::Spread,
    time: TimeForm::Iso,
    spellings: true,
};

static FORM: LazyLock<Form> = LazyLock::new(|| Form::new(&OUTLINE));

/// What the user of this program added.
static EXTENDED: OnceLock<ExtendedResonance> = OnceLock::new();

impl Resonance {
    /// The keys it knows.
    #[must_use]
    pub fn mapping() -> Mapping {
        Mapping::of(OUTLINE.slots)
    }

    /// The form that also knows the keys of `added`. What it reads, [`Resonance`] writes back.
    pub fn extended(added: &Mapping) -> Result<ExtendedResonance, MappingError> {
        let form = Form::extended(&OUTLINE, added)?;
        let added = added.clone();
        Ok(ExtendedResonance { form, added })
    }

    /// Has whoever reads or recognises this dialect know the keys of `added`, from now on and in the whole program. Only
    /// the first that adds any is heard: what a key means does not change while a program runs.
    pub fn know(added: &Mapping) -> Result<(), MappingError> {
        let extended = Self::extended(added)?;
        if !added.is_empty() {
            EXTENDED.get_or_init(|| extended);
        }
        Ok(())
    }
}

impl Dialect for Resonance {
    fn name(&self) -> &'static str {
        OUTLINE.name
    }

    /// A record without `type` that names an event and a time. With `type` it may as well be a native one.
    fn detects(&self, record: &RawJson<'_>) -> bool {
        if EXTENDED
            .get()
            .is_some_and(|extended| extended.detects_added(record))
        {
            return true;
        }
        if !record.may_have("event") && !record.may_have("event_type") {
            return false;
        }
        let (mut event, mut time) = (false, false);
        for member in record.members().into_iter().flatten() {
            match member.name().as_deref() {
                Some("event" | "event_type") => event |= member.kind() == Kind::String,
                Some("ts" | "timestamp") => time = true,
                Some("type") => return false,
                _ => {}
            }
        }
        event && time
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        let form = EXTENDED.get().map_or(&*FORM, |extended| &extended.form);
        Reading::of(form, record, limits)?.finish()
    }

    fn write(&self, line: &LineView<'_>, _: &LedgerId, out: &mut Vec<u8>) {
        FORM.write(line, out, members);
    }

    fn samples(&self) -> &'static [&'static str] {
        SAMPLES
    }
}

impl ExtendedResonance {
    /// A record without `type` that names an event or a time with a key of the user's, and both with any.
    fn detects_added(&self, record: &RawJson<'_>) -> bool {
        let (mut event, mut time, mut by_added) = (false, false, false);
        for member in record.members().into_iter().flatten() {
            let Some(name) = member.name() else {
                continue;
            };
            if name == "type" {
                return false;
            }
            let Some((slot, is_own)) = self.form.slot_of(&name) else {
                continue;
            };
            let says = match slot {
                Slot::Type => member.kind() == Kind::String,
                Slot::Time => true,
                _ => false,
            };
            event |= says && slot == Slot::Type;
            time |= says && slot == Slot::Time;
            by_added |= says && !is_own;
        }
        let at = |names: &[String]| names.iter().find_map(|name| at(*record, name));
        let (inner_event, inner_time) = (at(&self.added.kind), at(&self.added.time));
        let inner_event = inner_event.is_some_and(|event| event.kind() == Kind::String);
        by_added |= inner_event || inner_time.is_some();
        by_added && (event || inner_event) && (time || inner_time.is_some())
    }
}

/// What stands at a JSON pointer.
fn at<'a>(record: RawJson<'a>, pointer: &str) -> Option<RawJson<'a>> {
    let mut names = pointer.strip_prefix('/')?.split('/');
    names.try_fold(record, |value, name| {
        value.get(&name.replace("~1", "/").replace("~0", "~"))
    })
}

impl Dialect for ExtendedResonance {
    fn name(&self) -> &'static str {
        Resonance.name()
    }

    fn detects(&self, record: &RawJson<'_>) -> bool {
        Resonance.detects(record) || self.detects_added(record)
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        Reading::of(&self.form, record, limits)?.finish()
    }

    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>) {
        Resonance.write(line, ledger, out);
    }

    fn samples(&self) -> &'static [&'static str] {
        Resonance.samples()
    }
}

/// Both times that emitters of this form write, then what ties the event to others.
fn members<'e>(record: &mut Record<'e>, event: &'e Event<'_>, time: Micros) {
    record.text("event", &event.kind);
    record.token("timestamp", TimeForm::Iso.token(time));
    record.token("ts", seconds(time));
    record.text("source", &event.source);
    if event.level != Level::Info {
        record.text("level", event.level.as_str());
    }
    record.perhaps("task_id", event.task.as_deref());
    record.perhaps("session_id", event.session.as_deref());
    record.perhaps("persona_id", event.agent.as_deref());
    record.perhaps("trace_id", event.trace.as_deref());
    record.perhaps("span_id", event.span.as_deref());
    record.perhaps("parent_id", event.parent.as_deref());
    record.perhaps("user", event.user.as_deref());
    record.perhaps("tier", event.tier.as_deref());
}

/// Seconds since 1970 with their fraction, as Python's clock gives them.
fn seconds(time: Micros) -> String {
    let (sign, micros) = (if time.0 < 0 { "-" } else { "" }, time.0.unsigned_abs());
    let text = format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let kept = text.trim_end_matches('0').len();
    text[..kept.max(text.find('.').unwrap_or(0) + 2)].to_owned()
}

static SAMPLES: &[&str] = &[
    r#"{"event":"thesis_start","task_id":"demo-001","ts":1761447549.7714033}"#,
    r#"{"event": "persona_llm_run", "task_id": "demo-001", "persona": "thesis", "duration_sec": 2.39, "ok": false, "error": null, "pass": 2, "ts": 1761447552}"#,
    r#"{"event":"eval","task_id":"demo-001","quality":0.8,"eval":{"quality":0.8,"risks":[]},"ts":1761447553.8979964}"#,
    r#"{"event":"rune","task_id":"demo-001","rune":{"task_id":"evil","event":"evil","ts":0,"impact":1e400},"ts":1761447553898}"#,
    r#"{"timestamp":"2025-10-13T05:58:03.969510+00:00","session_id":"s-1","event_type":"persona_response","persona_id":"thesis","evaluation":{"timestamp":"2025-10-13T05:58:03"}}"#,
    r#"{"ts":1761447437.5,"timestamp":"2025-10-26T11:57:16.1234567+09:00","event":"task_started","event_type":"task","task_id":7,"session_id":null,"goal":"\ud800 �"}"#,
    r#"{"event":"user_whisper","timestamp":"2025-12-24T14:28:04","source":"rhythm","level":"info","message":"…"}"#,
    r#"{"EventType":"Tick","Timestamp":"2025-11-01 07:46:58","TaskId":"t","event":"tick","ts":"later","severity":"warning","user":"gitko","kymo":1}"#,
    r#"{"event":"alert_triggered","ts":1761447437.0,"level":"critical","alert_triggered":"port 18091 is silent"}"#,
];
