//! Records of every dialect: what is read is what the line says, and what the line says is what is given out.

use std::borrow::Cow;

use kymo_event::{
    Batch, Event, IdKey, LedgerId, Limits, LineView, Micros, RawJson, Seq, check_crc,
    dialects::{self, DIALECTS, Dialect, Native},
    filter::Key,
    json, write_line,
};
use serde_json::Value;

/// One record, as every dialect reads it.
pub(crate) fn run(bytes: &[u8]) {
    let Some(record) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| RawJson::parse(text, 64).ok())
    else {
        return;
    };
    let detected = dialects::detect(record);
    let first = DIALECTS.iter().find(|dialect| dialect.detects(&record));
    assert_eq!(
        first.map_or(Native.name(), |dialect| dialect.name()),
        detected.name()
    );
    for dialect in DIALECTS {
        match dialect.read(record, &Limits::default()) {
            Ok(event) => {
                let line = stored(&event);
                let text = given_out(&line, *dialect);
                // What another ledger adds goes to `ext`; of other forms nothing is added at all.
                if dialect.name() != Native.name() {
                    same_json(record.as_str(), &text);
                }
            }
            Err(refusal) => {
                assert!(!refusal.message.is_empty());
                let at = refusal.byte.unwrap_or(0);
                assert!(at <= record.as_str().len(), "{} lies behind the record", at);
            }
        }
    }
}

/// The line of an event, having checked that everything in it reads back.
pub(crate) fn stored(event: &Event<'_>) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(event);
    assert_eq!(
        batch.id_key(0),
        event
            .id
            .as_deref()
            .map(|id| IdKey::of(&event.source, id))
            .filter(|_| identifies(event))
    );
    let recorded = Micros(1_771_095_683_457_102);
    let seq = Seq::new(18_442).expect("not zero");
    let mut line = Vec::new();
    write_line(&mut line, seq, &recorded.text(), batch.body(0));
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r') && check_crc(&line));
    serde_json::from_slice::<serde::de::IgnoredAny>(&line).expect("a line is JSON");

    let view = LineView::parse(&line).expect("a line reads back");
    assert_eq!(
        (view.seq(), view.recorded(), view.body()),
        (seq, recorded, batch.body(0))
    );
    let kept = on_lines(event);
    assert_eq!(view.to_event(), kept);
    assert_eq!(view.data(), kept.data.as_deref());
    keys_are_found(&view, event);
    let again = LineView::with_spans(&line, &view.spans()).expect("spans fit their line");
    assert_eq!(again.to_event(), kept);

    let mut sent = Vec::new();
    event.to_json(&mut sent);
    assert_eq!(read(&Native, &sent), kept, "what a client sends is what it meant");
    line
}

fn keys_are_found(view: &LineView<'_>, event: &Event<'_>) {
    let expected = [
        (Key::Id, &event.id),
        (Key::Agent, &event.agent),
        (Key::Session, &event.session),
        (Key::Task, &event.task),
        (Key::Trace, &event.trace),
        (Key::Span, &event.span),
        (Key::Parent, &event.parent),
        (Key::User, &event.user),
        (Key::Tier, &event.tier),
        (Key::Dialect, &event.dialect),
    ];
    for (key, text) in expected {
        assert_eq!(view.key(key).as_deref(), text.as_deref(), "{key:?}");
    }
    assert_eq!(
        (view.kind(), view.source(), view.level()),
        (event.kind.clone(), event.source.clone(), event.level)
    );
}

/// The line as every dialect gives it out; returns what `own` makes of it.
fn given_out(line: &[u8], own: &dyn Dialect) -> String {
    let view = LineView::parse(line).expect("a line reads back");
    let ledger = LedgerId::new("0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11");
    let mut native = Vec::new();
    Native.write(&view, &ledger, &mut native);
    let mut back = read(&Native, &native);
    let event = view.to_event();
    // The ledger it was in is its origin, unless it has one already.
    for origin in ["seq", "recorded", "crc"] {
        if event.ext(origin).is_none() {
            back.ext.retain(|(name, _)| name != origin);
        }
    }
    assert_eq!(back, event);

    let mut given = String::new();
    for dialect in DIALECTS {
        let mut out = Vec::new();
        dialect.write(&view, &ledger, &mut out);
        let again = read(*dialect, &out);
        assert_eq!(again.kind, event.kind);
        // A form whose payload is always an object has an empty one where there is none.
        same_json(
            again.data.as_deref().unwrap_or("{}"),
            event.data.as_deref().unwrap_or("{}"),
        );
        if dialect.name() == own.name() {
            given = String::from_utf8(out).expect("JSON is UTF-8");
        }
    }
    given
}

fn read(dialect: &dyn Dialect, text: &[u8]) -> Event<'static> {
    let text = std::str::from_utf8(text).expect("what we write is UTF-8");
    let record = RawJson::parse(text, usize::MAX).expect("what we write is JSON");
    let roomy = Limits {
        name_bytes_max: usize::MAX,
        id_bytes_max: usize::MAX,
        ..Limits::default()
    };
    match dialect.read(record, &roomy) {
        Ok(event) => event.into_owned(),
        Err(refusal) => panic!("what we write is read: {refusal} in {text}"),
    }
}

/// The event with its payload as a line holds it.
fn on_lines<'a>(event: &'a Event<'_>) -> Event<'a> {
    let one_line = |text: &'a Cow<'_, str>| json::one_line(text);
    Event {
        data: event.data.as_ref().map(one_line),
        enc: event.enc.as_ref().map(one_line),
        ext: event
            .ext
            .iter()
            .map(|(name, value)| (Cow::Borrowed(&**name), one_line(value)))
            .collect(),
        ..event.clone()
    }
}

/// Whether the dialect an event came in gives ids that are identities.
fn identifies(event: &Event<'_>) -> bool {
    let dialect = event.dialect.as_deref().and_then(dialects::by_name);
    dialect.is_none_or(|dialect| dialect.id_is_identity())
}

/// Equal as JSON, as far as numbers fit into what compares them.
fn same_json(a: &str, b: &str) {
    if let (Ok(a), Ok(b)) = (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)) {
        assert_eq!(a, b);
    }
}
