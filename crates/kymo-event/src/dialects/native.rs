//! The native form: the keys of the ledger line itself, without those that the writer gives.
use std::borrow::Cow;

use super::{Dialect, fields};
use crate::{
    Event, LedgerId, Limits, LineView, RawJson, Refusal,
    json::{Kind, Member},
};

/// The native form. Written out it is the ledger's own line, with `seq`, `recorded` and `crc`.
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> &'static str {
        "kymo"
    }

    fn detects(&self, record: &RawJson<'_>) -> bool {
        record.get("type").is_some()
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        let Some(mut members) = record.members() else {
            return Err(fields::not_an_event(record.kind()));
        };
        let mut event = Event::new("", "");
        let mut reader = Reader {
            event: &mut event,
            seen: 0,
            ext: None,
            limits,
        };
        while let Some(member) = members.next() {
            let place = |refusal: Refusal| refusal.or_at(members.offset(&member));
            let Some(name) = member.name() else {
                return Err(place(fields::invalid(
                    fields::short(member.raw_name()),
                    "named by text",
                    HALF,
                )));
            };
            reader.field(&name, &member).map_err(place)?;
        }
        reader.finish()?;
        Ok(event)
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

const HALF: &str = "named by half a surrogate pair";

struct Reader<'e, 'a, 'l> {
    event: &'e mut Event<'a>,
    /// A bit for each envelope key that was there.
    seen: u32,
    /// The record's own `ext`, merged in at the end.
    ext: Option<RawJson<'a>>,
    limits: &'l Limits,
}

impl<'a> Reader<'_, 'a, '_> {
    fn field(&mut self, name: &str, member: &Member<'a>) -> Result<(), Refusal> {
        match name {
            "type" => {
                self.once(0, name)?;
                self.event.kind = fields::text("type", member)?.unwrap_or_default();
                fields::check_name("type", &self.event.kind, self.limits)?;
            }
            "source" => {
                self.once(1, name)?;
                self.event.source = fields::text("source", member)?.unwrap_or_default();
                fields::check_name("source", &self.event.source, self.limits)?;
            }
            "id" => self.text(2, name, member, |event| &mut event.id)?,
            "agent" => self.text(3, name, member, |event| &mut event.agent)?,
            "session" => self.text(4, name, member, |event| &mut event.session)?,
            "task" => self.text(5, name, member, |event| &mut event.task)?,
            "trace" => self.text(6, name, member, |event| &mut event.trace)?,
            "span" => self.text(7, name, member, |event| &mut event.span)?,
            "parent" => self.text(8, name, member, |event| &mut event.parent)?,
            "user" => self.text(9, name, member, |event| &mut event.user)?,
            "tier" => self.text(10, name, member, |event| &mut event.tier)?,
            "time" => {
                self.once(11, name)?;
                self.time(member)?;
            }
            "level" => {
                self.once(12, name)?;
                self.level(member)?;
            }
            "cause" => {
                self.once(13, name)?;
                self.event.cause = fields::cause(member.value())?;
            }
            "hops" => {
                self.once(14, name)?;
                self.event.hops = fields::hops(member.value())?;
            }
            "backfill" => {
                self.once(15, name)?;
                self.event.backfill = fields::yes_or_no("backfill", member.value())?;
            }
            "data" => {
                self.once(16, name)?;
                self.event.data = Some(Cow::Borrowed(member.value().as_str()));
            }
            "ext" => {
                self.once(17, name)?;
                self.ext = object("ext", member.value())?;
            }
            "dialect" => {
                self.once(18, name)?;
                let dialect = fields::text("dialect", member)?.filter(|dialect| !dialect.is_empty());
                fields::check_name("dialect", dialect.as_deref().unwrap_or_default(), self.limits)?;
                self.event.dialect = dialect;
            }
            "enc" => {
                self.once(19, name)?;
                self.event.enc = object("enc", member.value())?.map(|value| Cow::Borrowed(value.as_str()));
            }
            "persona" | "persona_id" => self.persona(member),
            _ => fields::keep(self.event, member),
        }
        Ok(())
    }

    #[inline]
    fn once(&mut self, bit: u32, name: &str) -> Result<(), Refusal> {
        if self.seen & (1 << bit) != 0 {
            return Err(fields::duplicate_key(name));
        }
        self.seen |= 1 << bit;
        Ok(())
    }

    #[inline]
    fn text(
        &mut self,
        bit: u32,
        name: &str,
        member: &Member<'a>,
        slot: impl for<'e> FnOnce(&'e mut Event<'a>) -> &'e mut Option<Cow<'a, str>>,
    ) -> Result<(), Refusal> {
        self.once(bit, name)?;
        if let Some(text) = fields::text(name, member)? {
            fields::check_id(name, &text, self.limits)?;
            *slot(self.event) = Some(text);
        }
        Ok(())
    }

    fn time(&mut self, member: &Member<'a>) -> Result<(), Refusal> {
        if let Some(time) = fields::time(member)? {
            self.event.time = Some(time.value);
            if !time.exact {
                fields::keep(self.event, member);
            }
        }
        Ok(())
    }

    fn level(&mut self, member: &Member<'a>) -> Result<(), Refusal> {
        if let Some(level) = fields::level(member)? {
            self.event.level = level.value;
            if !level.exact {
                fields::keep(self.event, member);
            }
        }
        Ok(())
    }

    /// A persona is an agent by another name, unless the event names its agent too.
    fn persona(&mut self, member: &Member<'a>) {
        if self.event.agent.is_none() {
            self.event.agent = member
                .text()
                .filter(|agent| agent.len() <= self.limits.id_bytes_max);
        }
        fields::keep(self.event, member);
    }

    fn finish(self) -> Result<(), Refusal> {
        let Self { event, ext, .. } = self;
        if event.kind.is_empty() {
            let message = "an event must say what happened: give it a `type`, for example \"task.started\"";
            return Err(Refusal::new("type_missing", message).at(0));
        }
        if event.source.is_empty() {
            event.source = Cow::Borrowed("unknown");
        }
        // An empty id would make every event without one a repeat of the first.
        if event.id.as_deref() == Some("") {
            event.id = None;
        }
        if let Some(ext) = ext {
            merge(event, ext)?;
        }
        if event.ext.len() > 1 {
            fields::check_ext(event)?;
        }
        Ok(())
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

fn object<'a>(key: &str, value: RawJson<'a>) -> Result<Option<RawJson<'a>>, Refusal> {
    match value.kind() {
        Kind::Object => Ok(Some(value)),
        Kind::Null => Ok(None),
        other => Err(fields::invalid(key, "an object", other.in_words())),
    }
}
