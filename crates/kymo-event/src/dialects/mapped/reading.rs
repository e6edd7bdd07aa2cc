//! Reads a record in one pass: each member is put where it belongs when it is met, and stays the bytes it was.
use std::borrow::Cow;

use super::{
    Form, KYMO, NO_SOURCE, Payload, Slot, Style, UNRECOGNISED, keys::Means, moments, notes::Notes,
    spread::Spread,
};
use crate::{
    Event, Level, Limits, RawJson, Refusal,
    dialects::fields::{self, not_an_event},
    json::{self, Kind, Member},
};

/// A record that is being read.
pub(in crate::dialects) struct Reading<'a, 'f> {
    form: &'f Form,
    limits: &'f Limits,
    record: RawJson<'a>,
    /// The event so far; a dialect may correct it before [`Reading::finish`].
    pub(in crate::dialects) event: Event<'a>,
    /// Of each slot, the entry that said what the envelope has; [`NOBODY`] where none did.
    said_by: [u8; Slot::COUNT],
    /// A bit for each slot that stands in the envelope alone.
    alone: u16,
    /// A bit for each slot of which a key is in `ext`.
    kept: u16,
    /// A bit for each entry that was met.
    met: u128,
    /// Whether a key of the user's was met.
    added: bool,
    notes: Notes<'a>,
    spread: Spread<'a>,
    /// A type that could not be one.
    refused: Option<Refusal>,
}

const NOBODY: u8 = u8::MAX;

/// A usable value of a slot.
enum Said<'a> {
    Text(Cow<'a, str>),
    Time(moments::Read),
    Level(Level),
}

impl<'a, 'f> Reading<'a, 'f> {
    /// Reads every member.
    pub(in crate::dialects) fn of(
        form: &'f Form,
        record: RawJson<'a>,
        limits: &'f Limits,
    ) -> Result<Self, Refusal> {
        let Some(mut members) = record.members() else {
            return Err(not_an_event(record.kind()));
        };
        let mut reading = Self {
            form,
            limits,
            record,
            event: Event::new("", ""),
            said_by: [NOBODY; Slot::COUNT],
            alone: 0,
            kept: 0,
            met: 0,
            added: false,
            notes: Notes::default(),
            spread: Spread::new(record.as_str()),
            refused: None,
        };
        reading.event.dialect = Some(Cow::Borrowed(form.name));
        while let Some(member) = members.next() {
            reading
                .member(&member)
                .map_err(|refusal| refusal.or_at(members.offset(&member)))?;
        }
        reading.pointers();
        reading.settle()?;
        Ok(reading)
    }

    #[inline]
    fn member(&mut self, member: &Member<'a>) -> Result<(), Refusal> {
        let name = member.raw_name();
        let index = match memchr::memchr(b'\\', name.as_bytes()) {
            None => self.form.keys.find(name),
            Some(_) => member.name().and_then(|name| self.form.keys.find(&name)),
        };
        match index {
            None => self.other(member),
            Some(index) => self.known(index, member),
        }
    }

    fn known(&mut self, index: u8, member: &Member<'a>) -> Result<(), Refusal> {
        let entry = self.form.keys.entry(index);
        if self.met & (1 << index) != 0 {
            return Err(fields::duplicate_key(&entry.name));
        }
        self.met |= 1 << index;
        self.added |= !entry.own;
        let Means::Slot(slot) = entry.means else {
            self.event.data = Some(Cow::Borrowed(member.value().as_str()));
            return Ok(());
        };
        if self.form.styles[slot as usize] == Style::Aside {
            self.keep(member);
            return Ok(());
        }
        match self.usable(slot, member) {
            None if self.form.payload == Payload::Spread => self.other(member),
            None => {
                self.keep_beside(slot, member);
                Ok(())
            }
            Some(said) => {
                self.say(slot, index, member, said);
                Ok(())
            }
        }
    }

    /// What a member says to its slot; `None` where it says nothing that the slot could hold.
    fn usable(&mut self, slot: Slot, member: &Member<'a>) -> Option<Said<'a>> {
        match slot {
            Slot::Time => moments::read(member).map(Said::Time),
            Slot::Level => Level::parse(&member.text()?).map(Said::Level),
            Slot::Type | Slot::Source => {
                let name = member.text().filter(|name| !name.is_empty())?;
                if let Err(refusal) = fields::check_name(slot.as_str(), &name, self.limits) {
                    self.refused = self.refused.take().or((slot == Slot::Type).then_some(refusal));
                    return None;
                }
                Some(Said::Text(name))
            }
            _ => {
                let text = match member.kind() {
                    Kind::Number => Cow::Borrowed(member.value().as_str()),
                    _ => member.text()?,
                };
                (!text.is_empty() && text.len() <= self.limits.id_bytes_max).then_some(Said::Text(text))
            }
        }
    }

    fn say(&mut self, slot: Slot, index: u8, member: &Member<'a>, said: Said<'a>) {
        let before = self.said_by[slot as usize];
        let rank = |index| self.form.keys.entry(index).rank;
        let wins = before == NOBODY
            || match &said {
                // A certain moment goes before one whose zone had to be inferred.
                Said::Time(read) if read.inferred != self.notes.zone_inferred => !read.inferred,
                _ => rank(index) < rank(before),
            };
        let first = self.form.written(slot) == Some(&*self.form.keys.entry(index).name);
        if first && self.kept & (1 << slot as u16) == 0 && self.tells(&said, member) {
            self.alone |= 1 << slot as u16;
        } else {
            self.keep_beside(slot, member);
        }
        if wins {
            self.said_by[slot as usize] = index;
            self.take(slot, said);
        }
    }

    fn take(&mut self, slot: Slot, said: Said<'a>) {
        match said {
            Said::Text(text) => set(&mut self.event, slot, text),
            Said::Level(level) => self.event.level = level,
            Said::Time(read) => {
                self.event.time = Some(read.moment);
                self.notes.zone_inferred = read.inferred;
            }
        }
    }

    /// Whether the envelope alone gives the value back.
    fn tells(&self, said: &Said<'a>, member: &Member<'a>) -> bool {
        let token = member.value().as_str();
        match said {
            Said::Text(_) => member.kind() == Kind::String,
            Said::Level(level) => {
                *level != Level::Info && token.get(1..token.len() - 1) == Some(level.as_str())
            }
            Said::Time(read) => !read.inferred && self.form.time.says(read.moment, token),
        }
    }

    /// A slot that has a second key stands in `ext` with all of them, so that nobody need know which was meant.
    #[cold]
    fn no_longer_alone(&mut self, slot: Slot) {
        if self.alone & (1 << slot as u16) == 0 {
            return;
        }
        self.alone &= !(1 << slot as u16);
        let token = match slot {
            Slot::Level => json::string_token(self.event.level.as_str()),
            Slot::Time => self.form.time.token(self.event.time.expect("it was said")),
            slot => json::string_token(text(&self.event, slot).expect("it was said")),
        };
        let name = self.form.written(slot).expect("it was met under this name");
        self.event.ext.push((Cow::Borrowed(name), Cow::Owned(token)));
    }

    fn keep_beside(&mut self, slot: Slot, member: &Member<'a>) {
        self.keep(member);
        self.no_longer_alone(slot);
        self.kept |= 1 << slot as u16;
    }

    fn keep(&mut self, member: &Member<'a>) {
        fields::keep(&mut self.event, member);
    }

    /// A member that is in no table, or says nothing there.
    #[inline]
    fn other(&mut self, member: &Member<'a>) -> Result<(), Refusal> {
        match self.form.payload {
            Payload::Spread => self.spread.add(member),
            Payload::Under(_) => match member.name() {
                Some(name) if name == KYMO => {
                    if self.notes.kymo.is_some() {
                        return Err(fields::duplicate_key(KYMO));
                    }
                    self.notes.kymo = Some(Cow::Borrowed(member.value().as_str()));
                }
                Some(name) => self
                    .event
                    .ext
                    .push((name, Cow::Borrowed(member.value().as_str()))),
                None => {
                    let (name, half) = (fields::short(member.raw_name()), "named by half a surrogate pair");
                    return Err(fields::invalid(name, "named by text", half));
                }
            },
        }
        Ok(())
    }

    /// Slots that no member of the top level spoke to, where the table knows a place deeper inside.
    fn pointers(&mut self) {
        if !self.form.keys.has_pointers() {
            return;
        }
        let form = self.form;
        for slot in Slot::ALL {
            if self.said_by[slot as usize] != NOBODY {
                continue;
            }
            for pointer in form.keys.pointers(slot) {
                if self.point(slot, pointer) {
                    break;
                }
            }
        }
    }

    /// Reads a slot where the pointer points; whether there was something usable.
    pub(in crate::dialects) fn point(&mut self, slot: Slot, pointer: &'f str) -> bool {
        let Some(said) = pointed(self.record, pointer).and_then(|member| self.usable(slot, &member)) else {
            return false;
        };
        self.take(slot, said);
        if self.form.written(slot).is_some() {
            self.notes.elsewhere(slot, pointer.to_owned());
        }
        true
    }

    /// What every event has, and what only the record as a whole tells.
    fn settle(&mut self) -> Result<(), Refusal> {
        if self.event.kind.is_empty() {
            if let Some(refusal) = self.refused.take() {
                return Err(refusal.or_at(0));
            }
            self.event.kind = Cow::Borrowed(UNRECOGNISED);
        }
        for slot in [Slot::Type, Slot::Id, Slot::Source, Slot::Time] {
            // Others may give what the record did not, so that it must be known that it did not.
            let absent = self.said_by[slot as usize] == NOBODY && !self.notes.has(slot);
            if absent && self.form.written(slot).is_some() {
                self.notes.nowhere(slot);
            }
        }
        if self.event.source.is_empty() {
            self.event.source = Cow::Borrowed(NO_SOURCE);
        }
        for slot in Slot::ALL.into_iter().filter(|_| self.added) {
            let index = self.said_by[slot as usize];
            if index != NOBODY && !self.form.keys.entry(index).own && self.form.written(slot).is_some() {
                let name = self.form.keys.entry(index).name.to_string();
                self.notes.elsewhere(slot, name);
            }
        }
        Ok(())
    }

    /// The payload of a spread form, complete.
    pub(in crate::dialects) fn finish(mut self) -> Result<Event<'a>, Refusal> {
        if self.form.payload == Payload::Spread {
            match self.spread.alone_as(&self.event.kind) {
                Some(member) => {
                    self.notes.payload = member.name();
                    self.event.data = Some(Cow::Borrowed(member.value().as_str()));
                }
                None => self.event.data = self.spread.finish().map(Cow::Owned),
            }
        } else if self.event.ext.len() > 1 {
            fields::check_ext(&self.event)?;
        }
        if !self.notes.is_empty() {
            let notes = Cow::Owned(self.notes.to_json());
            self.event.ext.push((Cow::Borrowed(KYMO), notes));
        }
        Ok(self.event)
    }

    /// The id, which turned out to identify nothing, stays in `ext` alone.
    pub(in crate::dialects) fn set_id_aside(&mut self) {
        self.no_longer_alone(Slot::Id);
        self.event.id = None;
    }

    /// Whether a key of the top level spoke to the slot.
    pub(in crate::dialects) fn has(&self, slot: Slot) -> bool {
        self.said_by[slot as usize] != NOBODY
    }
}

/// Puts a text into a slot that is one.
fn set<'a>(event: &mut Event<'a>, slot: Slot, text: Cow<'a, str>) {
    match slot {
        Slot::Type => event.kind = text,
        Slot::Source => event.source = text,
        Slot::Id => event.id = Some(text),
        slot => *fields::text_slot(event, slot.as_str()).expect("time and level are no text") = Some(text),
    }
}

/// The text that was put into a slot.
pub(super) fn text<'e>(event: &'e Event<'_>, slot: Slot) -> Option<&'e str> {
    match slot {
        Slot::Type => Some(&event.kind),
        Slot::Source => Some(&event.source),
        Slot::Id => event.id.as_deref(),
        Slot::Agent => event.agent.as_deref(),
        Slot::Session => event.session.as_deref(),
        Slot::Task => event.task.as_deref(),
        Slot::Trace => event.trace.as_deref(),
        Slot::Span => event.span.as_deref(),
        Slot::Parent => event.parent.as_deref(),
        Slot::User => event.user.as_deref(),
        Slot::Tier => event.tier.as_deref(),
        Slot::Time | Slot::Level => None,
    }
}

/// The member that a JSON pointer leads to through objects.
fn pointed<'a>(record: RawJson<'a>, pointer: &str) -> Option<Member<'a>> {
    let mut steps = pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"));
    let find = |value: RawJson<'a>, step: &str| {
        value
            .members()?
            .find(|member| member.name().as_deref() == Some(step))
    };
    let first = find(record, &steps.next()?)?;
    steps.try_fold(first, |member, step| find(member.value(), &step))
}
