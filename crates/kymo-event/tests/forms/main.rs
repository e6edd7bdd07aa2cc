//! Resonance, broadcast, conductor and EGOS: what their records become, and that they come back.
mod any;
mod giving_out;
mod real;
mod resonance;
mod safety;
#[path = "../support/mod.rs"]
mod support;
mod systems;

use kymo_event::{
    Event, Limits, RawJson, Refusal,
    dialects::{Broadcast, Conductor, Dialect, Egos, Resonance},
};
use serde_json::Value;
use support::given_out;

const FORMS: [&dyn Dialect; 4] = [&Resonance, &Broadcast, &Conductor, &Egos];

fn try_read<'a>(dialect: &dyn Dialect, text: &'a str) -> Result<Event<'a>, Refusal> {
    dialect.read(RawJson::parse(text, 128).unwrap(), &Limits::default())
}

fn read<'a>(dialect: &dyn Dialect, text: &'a str) -> Event<'a> {
    try_read(dialect, text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Reads the record, and checks that it comes back and that reading it again says the same.
fn round_trip<'a>(dialect: &dyn Dialect, text: &'a str) -> Event<'a> {
    let event = read(dialect, text);
    let back = given_out(dialect, &event);
    assert_eq!(value(&back), value(text), "{} of {text}", dialect.name());
    let again = read(dialect, &back);
    let names = |event: &Event<'_>| {
        (
            event.kind.to_string(),
            event.time,
            event.level,
            event.source.to_string(),
        )
    };
    assert_eq!(names(&again), names(&event), "{back}");
    let ties = |event: &Event<'_>| {
        event
            .correlation()
            .map(|(k, v)| (k, v.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ties(&again), ties(&event), "{back}");
    event
}

fn time_of(event: &Event<'_>) -> Option<String> {
    event.time.map(|time| time.to_string())
}
