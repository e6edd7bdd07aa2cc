//! Events of the v5 broadcast: `{"type","ts","cycle","day","data"}`, as they come from Redis and go to its Socket.IO
//! clients.
use std::sync::LazyLock;

use super::{
    Dialect,
    mapped::{Form, Outline, Payload, Reading, Record, Slot, TimeForm},
};
use crate::{Event, LedgerId, Limits, LineView, Micros, RawJson, Refusal, json::Kind};

/// The form. `cycle` and `day` stay in `ext`.
pub struct Broadcast;

static OUTLINE: Outline = Outline {
    name: "broadcast",
    slots: &[(Slot::Type, &["type"]), (Slot::Time, &["ts"])],
    kept: &[],
    aside: &[],
    payload: Payload::Under("data"),
    time: TimeForm::Iso,
    spellings: false,
};

static FORM: LazyLock<Form> = LazyLock::new(|| Form::new(&OUTLINE));

impl Dialect for Broadcast {
    fn name(&self) -> &'static str {
        OUTLINE.name
    }

    fn detects(&self, record: &RawJson<'_>) -> bool {
        let is = |name, kind| record.get(name).is_some_and(|value| value.kind() == kind);
        is("cycle", Kind::Number)
            && is("day", Kind::Number)
            && is("ts", Kind::String)
            && is("type", Kind::String)
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        Reading::of(&FORM, record, limits)?.finish()
    }

    fn write(&self, line: &LineView<'_>, _: &LedgerId, out: &mut Vec<u8>) {
        FORM.write(line, out, members);
    }

    fn samples(&self) -> &'static [&'static str] {
        SAMPLES
    }
}

/// An event from elsewhere belongs to no cycle and no day: both are zero, as before the first, unless it says them.
fn members<'e>(record: &mut Record<'e>, event: &'e Event<'_>, time: Micros) {
    record.text("type", &event.kind);
    record.token("ts", TimeForm::Iso.token(time));
    for name in ["cycle", "day"] {
        let number = event.ext(name).filter(|token| Kind::of(token) == Kind::Number);
        record.token(name, number.unwrap_or("0"));
    }
}

static SAMPLES: &[&str] = &[
    r#"{"type":"sense.project","ts":"2026-02-14T19:01:23.456000+00:00","cycle":42,"day":1551,"data":{"sense":"pain","projection":"…"}}"#,
    r#"{"type":"cycle.end","ts":"2026-02-14T19:01:23+00:00","cycle":0,"day":0,"data":{}}"#,
    r#"{"type":"sense","ts":"2026-02-14T19:01:23.456Z","cycle":42,"day":1551,"data":{"type":"evil","ts":0}}"#,
    r#"{"type":"state.mood","ts":"2026-02-14T19:01:23.000001","cycle":1.0,"day":-2,"kymo":{"type":null},"source":"daemon","data":null}"#,
    r#"{"type":"daemon.stop","ts":"later","cycle":1,"day":1}"#,
];
