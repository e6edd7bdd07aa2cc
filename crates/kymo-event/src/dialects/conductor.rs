//! Events of the conductor, after both of its contracts: the one with `source`, `tier`, `userId` and `sessionId`, and
//! the later one with `agent`, `severity`, `capsuleId` and `provenanceTier`.
use std::sync::LazyLock;

use super::{
    Dialect,
    mapped::{Form, Outline, Payload, Reading, Record, Slot, TimeForm},
};
use crate::{
    Event, LedgerId, Level, Limits, LineView, Micros, RawJson, Refusal,
    json::{self, Kind},
    same_name,
};

/// The form. An id that was made of a clock alone identifies nothing and stays in `ext`.
pub struct Conductor;

static OUTLINE: Outline = Outline {
    name: "conductor",
    slots: &[
        (Slot::Type, &["type"]),
        (Slot::Time, &["timestamp"]),
        (Slot::Id, &["id"]),
        (Slot::Source, &["source"]),
        (Slot::Level, &["severity"]),
        (Slot::Agent, &["agent"]),
        (Slot::Session, &["sessionId"]),
        (Slot::User, &["userId"]),
        (Slot::Tier, &["tier", "provenanceTier"]),
    ],
    kept: &[],
    aside: &[],
    payload: Payload::Under("payload"),
    time: TimeForm::Millis,
    spellings: false,
};

static FORM: LazyLock<Form> = LazyLock::new(|| Form::new(&OUTLINE));

impl Dialect for Conductor {
    fn name(&self) -> &'static str {
        OUTLINE.name
    }

    fn detects(&self, record: &RawJson<'_>) -> bool {
        let is = |name, kind| record.get(name).is_some_and(|value| value.kind() == kind);
        // Looked through only where nothing is certainly missing: most records are of other forms.
        ["timestamp", "payload", "id", "type"]
            .iter()
            .all(|name| record.may_have(name))
            && is("timestamp", Kind::Number)
            && record.get("payload").is_some()
            && is("id", Kind::String)
            && is("type", Kind::String)
            && (is("source", Kind::String) || is("agent", Kind::String))
            && record.get("data").is_none()
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        let mut reading = Reading::of(&FORM, record, limits)?;
        if same_name(&reading.event.kind, STATE_CHANGED) {
            if !reading.has(Slot::Agent) {
                reading.point(Slot::Agent, "/payload/agentId");
            }
            if reading.event.id.as_deref().is_some_and(is_of_a_clock) {
                reading.set_id_aside();
            }
        }
        reading.finish()
    }

    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>) {
        FORM.write(line, out, |record, event, time| {
            match event.id.as_deref() {
                Some(id) => record.text("id", id),
                None => record.token("id", json::string_token(&format!("{ledger}:{}", line.seq()))),
            }
            members(record, event, time);
        });
    }

    fn samples(&self) -> &'static [&'static str] {
        SAMPLES
    }
}

const STATE_CHANGED: &str = "agent-state-changed";

/// `agent-state-1771095683456`: two states within a millisecond have the same.
fn is_of_a_clock(id: &str) -> bool {
    id.strip_prefix("agent-state-")
        .is_some_and(|clock| clock.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The keys of both contracts.
fn members<'e>(record: &mut Record<'e>, event: &'e Event<'_>, time: Micros) {
    record.token("timestamp", TimeForm::Millis.token(time));
    record.text("source", &event.source);
    record.text("type", &event.kind);
    record.perhaps("tier", event.tier.as_deref());
    record.perhaps("userId", event.user.as_deref());
    record.perhaps("sessionId", event.session.as_deref());
    record.perhaps("agent", event.agent.as_deref());
    if event.level != Level::Info {
        record.text("severity", event.level.as_str());
    }
    for name in ["capsuleId", "provenanceTier"] {
        if let Some(token) = event.ext(name).filter(|token| Kind::of(token) == Kind::String) {
            record.token(name, token);
        }
    }
}

static SAMPLES: &[&str] = &[
    r#"{"id":"memory-1-1771095683456-k3j9x2m1a","timestamp":1771095683456,"source":"memory","type":"node-created","payload":{"nodeId":"n1","type":"evil"},"tier":"gold","userId":"egor","sessionId":"s1"}"#,
    r#"{"id":"agent-state-1771095683456","timestamp":1771095683456,"source":"conductor","type":"agent-state-changed","payload":{"agentId":"memory-1","state":{"status":"processing"}}}"#,
    r#"{"id":"c-1","type":"provenance","agent":"weaver","capsuleId":"cap-7","payload":[1,2],"timestamp":1771095683456,"severity":"warning","provenanceTier":"silver"}"#,
    r#"{"id":"c-2","type":"status","agent":"weaver","payload":null,"timestamp":1771095683456.5,"severity":"error","tier":"bronze","provenanceTier":"gold","kymo":"mine"}"#,
    r#"{"id":"c-3","type":"status","source":"deploy","payload":"ready","timestamp":1771095683,"severity":"loud","userId":null,"day":3}"#,
];
