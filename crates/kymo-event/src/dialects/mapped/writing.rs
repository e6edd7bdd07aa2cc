//! Writes an event as a record of a form: the one it came as, or, if it came from elsewhere, one that says as much of
//! it as the form has keys for.
use std::borrow::Cow;

use super::{Form, KYMO, Payload, Slot, UNNAMED, notes::Notes, reading::text};
use crate::{
    Event, Level, LineView, Micros, RawJson,
    dialects::fields,
    json::{self, Kind},
};

/// The members of a record that is being written.
#[derive(Default)]
pub(in crate::dialects) struct Record<'e> {
    members: Vec<(Cow<'e, str>, Value<'e>)>,
}

enum Value<'e> {
    Text(&'e str),
    Token(Cow<'e, str>),
}

impl<'e> Record<'e> {
    pub(in crate::dialects) fn text(&mut self, name: impl Into<Cow<'e, str>>, text: &'e str) {
        self.members.push((name.into(), Value::Text(text)));
    }

    /// The text, if there is one.
    pub(in crate::dialects) fn perhaps(&mut self, name: &'static str, text: Option<&'e str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A JSON token.
    pub(in crate::dialects) fn token(
        &mut self,
        name: impl Into<Cow<'e, str>>,
        token: impl Into<Cow<'e, str>>,
    ) {
        self.members.push((name.into(), Value::Token(token.into())));
    }

    fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.members.iter().map(|(name, _)| &**name)
    }

    /// Writes the record; `spread`: the members of an object that follow.
    fn write(&self, spread: Option<&str>, out: &mut Vec<u8>) {
        let start = out.len();
        for (name, value) in &self.members {
            out.push(if out.len() == start { b'{' } else { b',' });
            json::push_string(out, name);
            out.push(b':');
            match value {
                Value::Text(text) => json::push_string(out, text),
                Value::Token(token) => out.extend_from_slice(token.as_bytes()),
            }
        }
        if let Some(members) = spread {
            out.push(if out.len() == start { b'{' } else { b',' });
            out.extend_from_slice(members.as_bytes());
        }
        out.extend_from_slice(if out.len() == start { b"{}" } else { b"}" });
    }
}

impl Form {
    /// Writes the event: as it came if it came in this form, else with what `members` says of it besides its payload.
    pub(in crate::dialects) fn write(
        &self,
        line: &LineView<'_>,
        out: &mut Vec<u8>,
        members: impl for<'e> FnOnce(&mut Record<'e>, &'e Event<'_>, Micros),
    ) {
        let event = line.to_event();
        if event.dialect.as_deref() == Some(self.name) && self.write_back(&event, out) {
            return;
        }
        let mut record = Record::default();
        members(&mut record, &event, line.time());
        match self.payload {
            Payload::Under(name) => {
                record.token(name, event.data.as_deref().unwrap_or("{}"));
                record.write(None, out);
            }
            Payload::Spread => self.spread(record, &event, out),
        }
    }

    /// Writes the record that was read; `false` if the event only claims to have come in this form.
    fn write_back(&self, event: &Event<'_>, out: &mut Vec<u8>) -> bool {
        let notes = match event.ext(KYMO) {
            Some(text) => match Notes::parse(text) {
                Some(notes) => notes,
                None => return false,
            },
            None => Notes::default(),
        };
        let mut record = Record::default();
        self.envelope(event, &notes, &mut record);
        for (name, value) in event.ext.iter().filter(|(name, _)| name != KYMO) {
            record.token(&**name, &**value);
        }
        if let Some(kymo) = &notes.kymo {
            record.token(KYMO, &**kymo);
        }
        let mut spread = None;
        match (&notes.payload, &event.data, self.payload) {
            (_, None, _) => {}
            (Some(name), Some(data), Payload::Spread) => record.token(&**name, &**data),
            (None, Some(data), Payload::Spread) => {
                let Some(members) = apart_from(data, &record) else {
                    return false;
                };
                spread = Some(members);
            }
            (_, Some(data), Payload::Under(name)) => record.token(name, &**data),
        }
        if event.enc.is_some() || fields::repeated(record.names()).is_some() {
            return false;
        }
        record.write(spread, out);
        true
    }

    /// The keys that the envelope alone gives back.
    fn envelope<'e>(&self, event: &'e Event<'_>, notes: &Notes<'_>, record: &mut Record<'e>) {
        let mut stand = [false; Slot::COUNT];
        for (name, _) in &event.ext {
            if let Some(slot) = self.keys.find(name).and_then(|index| self.keys.slot(index)) {
                stand[slot as usize] = true;
            }
        }
        for slot in Slot::ALL {
            let Some(name) = self.written(slot) else { continue };
            if notes.has(slot) || stand[slot as usize] {
                continue;
            }
            match slot {
                Slot::Time => {
                    if let Some(time) = event.time {
                        record.token(name, self.time.token(time));
                    }
                }
                Slot::Level if event.level == Level::Info => {}
                Slot::Level => record.text(name, event.level.as_str()),
                slot => record.perhaps(name, text(event, slot)),
            }
        }
    }

    /// A payload that is spread if nothing in it could be taken for something else, and else stands under one key.
    fn spread<'e>(&self, mut record: Record<'e>, event: &'e Event<'_>, out: &mut Vec<u8>) {
        let Some(data) = event.data.as_deref() else {
            return record.write(None, out);
        };
        if let Some(members) = self.spreadable(data, &event.kind) {
            return record.write(Some(members), out);
        }
        let taken = self.keys.find(&event.kind).is_some() || record.names().any(|name| name == event.kind);
        record.token(if taken { UNNAMED } else { &event.kind }, data);
        record.write(None, out);
    }

    /// The members of a payload that would be read back as the same payload.
    fn spreadable<'d>(&self, data: &'d str, kind: &str) -> Option<&'d str> {
        let mut count = 0;
        let mut whole = false;
        for member in RawJson::trusted(data).members()? {
            let name = member.name();
            count += 1;
            whole |= name
                .as_deref()
                .is_some_and(|name| name == kind || name == UNNAMED);
            if name.is_some_and(|name| self.keys.find(&name).is_some()) {
                return None;
            }
        }
        (count > 0 && !(count == 1 && whole)).then(|| inside(data))
    }
}

/// The members of an object, unless one has the name of a member of the record.
fn apart_from<'d>(data: &'d str, record: &Record<'_>) -> Option<&'d str> {
    if Kind::of(data) != Kind::Object {
        return None;
    }
    let names: Vec<&str> = record.names().collect();
    let many: Option<std::collections::HashSet<&str>> =
        (names.len() > 24).then(|| names.iter().copied().collect());
    let taken = |name: &str| match &many {
        Some(many) => many.contains(name),
        None => names.contains(&name),
    };
    let mut members = RawJson::trusted(data).members()?;
    let mut any = false;
    let clash = members.any(|member| {
        any = true;
        member.name().is_some_and(|name| taken(&name))
    });
    (any && !clash).then(|| inside(data))
}

/// What stands between the braces of an object.
fn inside(object: &str) -> &str {
    &object[1..object.len() - 1]
}
