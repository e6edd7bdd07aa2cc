//! The native form: the keys of the ledger line itself, without those that the writer gives.
use std::borrow::Cow;

use super::{Dialect, fields};
use crate::{Event, LedgerId, Limits, LineView, RawJson, Refusal, json::Kind};

/// The native form. Written out it is the ledger's own line, with `seq`, `recorded` and `crc`.
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> &'static str {
        "kymo"
    }

    fn detects(&self, _: RawJson<'_>) -> bool {
        true
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        let Some(mut members) = record.members() else {
            return Err(fields::not_an_event(record.kind()));
        };
        let mut reader = Reader {
            event: Event::new("", ""),
            seen: 0,
            ext: None,
            limits,
        };
        while let Some(member) = members.next() {
            reader
                .member(member)
                .map_err(|refusal| refusal.or_at(members.offset(&member)))?;
        }
        reader.finish()
    }

    fn write(&self, line: &LineView<'_>, _: &LedgerId, out: &mut Vec<u8>) {
        out.extend_from_slice(line.line());
    }

    fn samples(&self) -> &'static [&'static str] {
        SAMPLES
    }
}

static SAMPLES: &[&str] = &[
    r#"{"type":"cycle.start","source":"daemon","level":"info","data":{"day":1551}}"#,
    r#"{"id":"0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11","time":"2026-02-14T19:01:23.456789Z","type":"tool.started","source":"claude-code","level":"info","agent":"planner","session":"3f2a","task":"demo-001","trace":"5b8efff798038103d269b633813fc60c","span":"toolu_01A","parent":"msg_1","user":"egor","tier":"gold","cause":7,"hops":1,"backfill":true,"data":{"tool":"Bash","crc":",\"crc\":\"00000000\"}"},"ext":{"cycle":42,"day":1551},"dialect":"hooks","enc":{"key":"k1","alg":"xchacha20"}}"#,
    r#"{"type":"a","source":"b","level":"critical","data":null}"#,
    r#"{"type":"a","source":"b","level":"debug","data":[1e400,-0.0,"\ud800",{"a":1,"a":2}]}"#,
];

struct Reader<'a, 'l> {
    event: Event<'a>,
    /// A bit for each envelope key that was there.
    seen: u32,
    /// The record's own `ext`, merged in at the end.
    ext: Option<RawJson<'a>>,
    limits: &'l Limits,
}

impl<'a> Reader<'a, '_> {
    #[inline]
    fn member(&mut self, member: crate::json::Member<'a>) -> Result<(), Refusal> {
        let (name, value) = (member.raw_name(), member.value());
        if !name.contains('\\') {
            return self.field(Cow::Borrowed(name), value);
        }
        let name = member
            .name()
            .ok_or_else(|| fields::invalid(fields::short(name), "named by text", "half a surrogate pair"))?;
        self.field(name, value)
    }

    fn field(&mut self, name: Cow<'a, str>, value: RawJson<'a>) -> Result<(), Refusal> {
        let limits = self.limits;
        let event = &mut self.event;
        match name.as_ref() {
            "type" => {
                once(&mut self.seen, 0, &name)?;
                event.kind = fields::text("type", value)?.unwrap_or_default();
                fields::check_name("type", &event.kind, limits)
            }
            "source" => {
                once(&mut self.seen, 1, &name)?;
                event.source = fields::text("source", value)?.unwrap_or_default();
                fields::check_name("source", &event.source, limits)
            }
            "id" => text(&mut event.id, &mut self.seen, 2, &name, value, limits),
            "agent" => text(&mut event.agent, &mut self.seen, 3, &name, value, limits),
            "session" => text(&mut event.session, &mut self.seen, 4, &name, value, limits),
            "task" => text(&mut event.task, &mut self.seen, 5, &name, value, limits),
            "trace" => text(&mut event.trace, &mut self.seen, 6, &name, value, limits),
            "span" => text(&mut event.span, &mut self.seen, 7, &name, value, limits),
            "parent" => text(&mut event.parent, &mut self.seen, 8, &name, value, limits),
            "user" => text(&mut event.user, &mut self.seen, 9, &name, value, limits),
            "tier" => text(&mut event.tier, &mut self.seen, 10, &name, value, limits),
            "time" => {
                once(&mut self.seen, 11, &name)?;
                if let Some(time) = fields::time(value)? {
                    event.time = Some(time.value);
                    if !time.exact {
                        fields::keep(event, name, value);
                    }
                }
                Ok(())
            }
            "level" => {
                once(&mut self.seen, 12, &name)?;
                if let Some(level) = fields::level(value)? {
                    event.level = level.value;
                    if !level.exact {
                        fields::keep(event, name, value);
                    }
                }
                Ok(())
            }
            "cause" => {
                once(&mut self.seen, 13, &name)?;
                event.cause = fields::cause(value)?;
                Ok(())
            }
            "hops" => {
                once(&mut self.seen, 14, &name)?;
                event.hops = fields::hops(value)?;
                Ok(())
            }
            "backfill" => {
                once(&mut self.seen, 15, &name)?;
                event.backfill = fields::yes_or_no("backfill", value)?;
                Ok(())
            }
            "data" => {
                once(&mut self.seen, 16, &name)?;
                event.data = Some(Cow::Borrowed(value.as_str()));
                Ok(())
            }
            "ext" => {
                once(&mut self.seen, 17, &name)?;
                self.ext = object("ext", value)?;
                Ok(())
            }
            "dialect" => {
                once(&mut self.seen, 18, &name)?;
                event.dialect = fields::text("dialect", value)?.filter(|dialect| !dialect.is_empty());
                fields::check_name("dialect", event.dialect.as_deref().unwrap_or_default(), limits)
            }
            "enc" => {
                once(&mut self.seen, 19, &name)?;
                event.enc = object("enc", value)?.map(|value| Cow::Borrowed(value.as_str()));
                Ok(())
            }
            "persona" | "persona_id" => {
                if event.agent.is_none() && value.kind() == Kind::String {
                    event.agent = value
                        .as_string()
                        .filter(|agent| agent.len() <= limits.id_bytes_max);
                }
                fields::keep(event, name, value);
                Ok(())
            }
            _ => {
                fields::keep(event, name, value);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Event<'a>, Refusal> {
        let Self { mut event, ext, .. } = self;
        if event.kind.is_empty() {
            let message = "an event must say what happened: give it a `type`, for example \"task.started\"";
            return Err(Refusal::new("type_missing", message).at(0));
        }
        if event.source.is_empty() {
            event.source = Cow::Borrowed("unknown");
        }
        // An empty id would make every event without one a repeat of the first.
        event.id = event.id.filter(|id| !id.is_empty());
        if let Some(ext) = ext {
            merge(&mut event, ext)?;
        }
        if !event.ext.is_empty() {
            fields::check_ext(&event)?;
        }
        Ok(event)
    }
}

/// Puts the record's own `ext` before its other fields. An event that was exported from a ledger that had imported it
/// says twice where it was: the first ledger is the origin, and stays.
fn merge<'a>(event: &mut Event<'a>, ext: RawJson<'a>) -> Result<(), Refusal> {
    let mut merged = Vec::new();
    for member in ext.members().into_iter().flatten() {
        let Some(name) = member.name() else {
            return Err(fields::invalid(
                "ext",
                "named by text",
                "named by half a surrogate pair",
            ));
        };
        merged.push((name, Cow::Borrowed(member.value().as_str())));
    }
    let stays = ORIGIN.map(|origin| merged.iter().any(|(name, _)| name == origin));
    let older = |name: &str| {
        ORIGIN
            .iter()
            .zip(stays)
            .any(|(origin, stays)| stays && name == *origin)
    };
    let others = std::mem::take(&mut event.ext).into_iter();
    merged.extend(others.filter(|(name, _)| !older(name)));
    event.ext = merged;
    Ok(())
}

/// What a ledger adds to an event.
const ORIGIN: [&str; 3] = ["seq", "recorded", "crc"];

#[inline]
fn text<'a>(
    slot: &mut Option<Cow<'a, str>>,
    seen: &mut u32,
    bit: u32,
    name: &str,
    value: RawJson<'a>,
    limits: &Limits,
) -> Result<(), Refusal> {
    once(seen, bit, name)?;
    let text = fields::text(name, value)?;
    fields::check_id(name, text.as_deref().unwrap_or_default(), limits)?;
    if text.is_some() {
        *slot = text;
    }
    Ok(())
}

#[inline]
fn once(seen: &mut u32, bit: u32, name: &str) -> Result<(), Refusal> {
    if *seen & (1 << bit) != 0 {
        return Err(fields::duplicate_key(name));
    }
    *seen |= 1 << bit;
    Ok(())
}

fn object<'a>(key: &str, value: RawJson<'a>) -> Result<Option<RawJson<'a>>, Refusal> {
    match value.kind() {
        Kind::Object => Ok(Some(value)),
        Kind::Null => Ok(None),
        other => Err(fields::invalid(key, "an object", other.in_words())),
    }
}
