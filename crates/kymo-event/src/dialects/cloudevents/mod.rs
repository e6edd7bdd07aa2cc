//! CloudEvents 1.0: one in JSON, many in JSON, and one spread over HTTP headers and body.
//!
//! What comes in valid goes out equal. What is not valid is refused with the name of the attribute, since passing it
//! on would only move the fault to a reader who can do less about it. `attributes` has the rules, `http` the headers.
mod attributes;
mod http;

use std::borrow::Cow;

pub use http::{Mode, mode, read_binary};

use super::{Dialect, fields};
use crate::{Event, LedgerId, Level, Limits, LineView, Micros, RawJson, Refusal, json, way};
use attributes::Reader;

/// CloudEvents 1.0 in its JSON form; the HTTP modes are functions of this module.
pub struct CloudEvents;

const NAME: &str = "cloudevents";

impl Dialect for CloudEvents {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detects(&self, record: &RawJson<'_>) -> bool {
        record.get("specversion").is_some()
    }

    fn read<'a>(&self, record: RawJson<'a>, limits: &Limits) -> Result<Event<'a>, Refusal> {
        let Some(mut members) = record.members() else {
            return Err(fields::not_an_event(record.kind()));
        };
        let mut reader = Reader::new(limits);
        while let Some(member) = members.next() {
            let place = |refusal: Refusal| refusal.or_at(members.offset(&member));
            let name = member
                .name()
                .ok_or_else(|| place(attributes::refuse(member.raw_name(), "has no valid name")))?;
            reader
                .attribute(name, Cow::Borrowed(member.value().as_str()))
                .map_err(place)?;
        }
        reader.finish().map_err(|refusal| refusal.or_at(0))
    }

    fn write(&self, line: &LineView<'_>, ledger: &LedgerId, out: &mut Vec<u8>) {
        Writer::new(line.to_event(), out).write(line, ledger);
    }

    fn samples(&self) -> &'static [&'static str] {
        SAMPLES
    }
}

static SAMPLES: &[&str] = &[
    r#"{"specversion":"1.0","id":"1","type":"demo.minimal","source":"/demo"}"#,
    r#"{"specversion":"1.0","id":"1","type":"t","source":"s","datacontenttype":null,"dataschema":null,"subject":null,"time":null,"data":null}"#,
    r#"{"specversion":"1.0","id":"é\u0001","type":"t","source":"https://example.com","datacontenttype":"text/plain; charset=utf-8","dataschema":"https://example.com/schema","subject":"x","time":"2018-04-05T17:31:00Z","data":"Simple text"}"#,
    r#"{"specversion":"1.0","id":"1","type":"t","source":"s","time":"2018-04-05T18:31:00.000+01:00","data":{"a":[1.0,1e400]}}"#,
    r##"{"specversion":"1.0","id":"1","type":"t","source":"#fragment","time":"2018-04-05T17:31:00.12Z","data_base64":"TWE="}"##,
    r#"{"specversion":"1.0","id":"1","type":"t","source":"s","extinteger":-10,"extboolean":true,"extstring":"text","exturi":"https://example.com","exttimestamp":"2023-03-31T15:12:00Z","extnull":null}"#,
    r#"{"specversion":"1.0","id":"1","type":"t","source":"s","level":"warn","agent":"planner","session":"a","task":"b","trace":"c","span":"d","parent":"e","user":"f","tier":"gold","cause":7,"hops":1,"backfill":true}"#,
    r#"{"specversion":"1.0","id":"1","type":"t","source":"s","level":"info","agent":7,"session":null,"cause":0,"hops":"x","backfill":false,"seq":9,"dialect":"x","ext":true,"enc":"y"}"#,
    r#"{"specversion":"1.0","id":"1","type":"t","source":"s","level":"WARNING"}"#,
];

/// Gives an event out. What arrived as a CloudEvent is written as it came; of others, fields that are no valid
/// attributes go together, as JSON text, into the one attribute `kymoext`.
struct Writer<'e, 'o> {
    event: Event<'e>,
    /// It arrived as a CloudEvent.
    own: bool,
    out: &'o mut Vec<u8>,
}

impl<'e, 'o> Writer<'e, 'o> {
    fn new(mut event: Event<'e>, out: &'o mut Vec<u8>) -> Self {
        way::unmark(&mut event);
        let own = attributes::is_own(&event);
        Self { event, own, out }
    }

    fn write(mut self, line: &LineView<'_>, ledger: &LedgerId) {
        self.out.extend_from_slice(b"{\"specversion\":\"1.0\"");
        let event = self.event.clone();
        match &event.id {
            Some(id) => self.text("id", id),
            None => self.text("id", &format!("{ledger}:{}", line.seq())),
        }
        self.text("source", &event.source);
        self.text("type", &event.kind);
        self.time(line.recorded());
        if event.level != Level::Info && !(self.own && event.ext("level").is_some()) {
            self.text("level", event.level.as_str());
        }
        for (name, text) in event.correlation() {
            self.text(name, text);
        }
        if let Some(cause) = event.cause {
            self.number("cause", cause.get());
        }
        if let Some(hops) = event.hops {
            self.number("hops", u64::from(hops));
        }
        if event.backfill {
            self.raw("backfill", "true");
        }
        if let Some(data) = &event.data {
            self.raw("data", data);
        }
        self.ext();
        self.out.push(b'}');
    }

    fn time(&mut self, recorded: Micros) {
        match (self.own, self.event.time) {
            (true, _) if self.event.ext("time").is_some() => {}
            (_, Some(time)) => self.text("time", &attributes::shortest(time)),
            (true, None) => {}
            (false, None) => self.text("time", &attributes::shortest(recorded)),
        }
    }

    fn ext(&mut self) {
        let mut event = std::mem::replace(&mut self.event, Event::new("", ""));
        if self.own {
            for (name, value) in &event.ext {
                self.raw(name, value);
            }
            return;
        }
        if let Some(dialect) = event.dialect.take() {
            self.text("dialect", &dialect);
        }
        if let Some(enc) = event.enc.take() {
            self.text("enc", &enc);
        }
        let (valid, other): (Vec<_>, Vec<_>) = event
            .ext
            .into_iter()
            .partition(|(name, value)| attributes::is_free(name, value));
        for (name, value) in &valid {
            self.raw(name, value);
        }
        if !other.is_empty() {
            let members: Vec<_> = other
                .iter()
                .map(|(name, value)| format!("{}:{value}", json::string_token(name)))
                .collect();
            self.text("kymoext", &format!("{{{}}}", members.join(",")));
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        json::push_string(self.out, text);
    }

    /// An Integer of CloudEvents has 32 bits; what is larger is given as text.
    fn number(&mut self, name: &str, number: u64) {
        match i32::try_from(number) {
            Ok(number) => self.raw(name, &number.to_string()),
            Err(_) => self.text(name, &number.to_string()),
        }
    }

    fn raw(&mut self, name: &str, token: &str) {
        self.name(name);
        self.out.extend_from_slice(token.as_bytes());
    }

    fn name(&mut self, name: &str) {
        self.out.push(b',');
        json::push_string(self.out, name);
        self.out.push(b':');
    }
}
