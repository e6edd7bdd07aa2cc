//! What an event must keep to, whichever door it came through.

use kymo_event::{Event, Limits, Refusal};

/// The size of a record as received.
pub(super) fn size(bytes: usize, limits: &Limits) -> Result<(), Refusal> {
    if bytes <= limits.event_bytes_max {
        return Ok(());
    }
    Err(Refusal::new(
        "event_too_large",
        format!(
            "the event is {bytes} bytes and {} are allowed: store the payload elsewhere and send where it is",
            limits.event_bytes_max
        ),
    ))
}

/// An event that was made here: its size is that of its body.
pub(super) fn made(batch: usize, body: usize, limits: &Limits) -> Result<(), Refusal> {
    size(body, limits)?;
    room(batch, body, limits)
}

/// Whether the batch may grow by so many bytes.
pub(super) fn room(received: usize, more: usize, limits: &Limits) -> Result<(), Refusal> {
    if received + more <= limits.batch_bytes_max {
        return Ok(());
    }
    Err(Refusal::new(
        "batch_too_large",
        format!(
            "the batch is above the {} bytes that are allowed: send the rest in another one",
            limits.batch_bytes_max
        ),
    ))
}

/// Its names: there, of allowed length, and not ours.
pub(super) fn names(event: &Event<'_>, limits: &Limits) -> Result<(), Refusal> {
    if event.kind.is_empty() {
        return Err(Refusal::new(
            "type_missing",
            "an event needs a type, for example {\"type\":\"task.started\"}",
        ));
    }
    name("type", &event.kind, limits)?;
    name("source", &event.source, limits)?;
    let ids = event.id.as_deref().map(|id| ("id", id));
    for (key, value) in ids.into_iter().chain(event.correlation()) {
        id(key, value, limits)?;
    }
    not_reserved(&event.kind)
}

fn name(key: &str, value: &str, limits: &Limits) -> Result<(), Refusal> {
    length("name_too_long", key, value, limits.name_bytes_max)
}

fn id(key: &str, value: &str, limits: &Limits) -> Result<(), Refusal> {
    length("id_too_long", key, value, limits.id_bytes_max)
}

fn length(code: &'static str, key: &str, value: &str, max: usize) -> Result<(), Refusal> {
    if value.len() <= max {
        return Ok(());
    }
    Err(Refusal::new(
        code,
        format!("{key} is {} bytes and {max} are allowed: shorten it", value.len()),
    ))
}

/// `kymo.*` in any spelling of its separator says what we did ourselves.
fn not_reserved(kind: &str) -> Result<(), Refusal> {
    const OURS: usize = "kymo".len();
    let ours = kind
        .get(..OURS)
        .is_some_and(|head| head.eq_ignore_ascii_case("kymo"))
        && kind[OURS..].starts_with(['.', '_', '-', ':', '/']);
    if !ours {
        return Ok(());
    }
    Err(Refusal::new(
        "reserved_type",
        format!("types that begin with \"kymo.\" are the hub's own: use another name than \"{kind}\""),
    ))
}

/// The source is over its rate.
pub(super) fn rate_limited(source: &str, limit: u32) -> Refusal {
    Refusal::new(
        "rate_limited",
        format!("source \"{source}\" is over its {limit} events a second: send again later, or fewer"),
    )
}
