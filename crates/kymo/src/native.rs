//! Events as native JSON text, for the way to a server and into the spool.
use std::borrow::Cow;

use kymo_event::{Event, LineView, Refusal};

use crate::{lines::Line, moment::now};

/// The event as one JSON object on one line, without what the writer of a ledger adds.
pub(crate) fn json(event: &Event<'_>) -> String {
    let mut text = Vec::new();
    event.to_json(&mut text);
    String::from_utf8(text).expect("JSON is written as UTF-8")
}

/// Gives the event an identity and a moment of its own where the emitter gave none: it can then be sent again, or
/// come by way of the spool, and is still stored once.
pub(crate) fn make_sendable(event: &mut Event<'_>) {
    if event.id.is_some() {
        return; // a moment of ours would make the emitter's repeat of it another event
    }
    event.id = Some(Cow::Owned(new_id()));
    if event.time.is_none() {
        event.time = Some(now());
    }
}

/// A new id: a UUID of version 7, which sorts by time.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// A ledger line with whatever was there of seq and recorded, read from text that came over the wire.
pub(crate) fn view(line: &[u8]) -> Result<LineView<'_>, crate::failure::Failure> {
    LineView::parse(line).map_err(|error| {
        let start = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        crate::failure::Failure::failed(format!(
            "a line that is no event was received: {error} ({start}…)"
        ))
        .hint("is this URL a Kymo server of this version? `kymo status` says")
    })
}

/// The text of a line that should hold one JSON value.
pub(crate) fn text(line: &Line) -> Result<&str, Refusal> {
    let bytes = line
        .bytes
        .as_deref()
        .ok_or_else(|| Refusal::new("event_too_large", "the line is larger than any event may be"))?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::new("invalid_utf8", "the line is not UTF-8 text").at(error.valid_up_to())
    })?;
    Ok(text.trim_matches(|c: char| c.is_ascii_whitespace()))
}
