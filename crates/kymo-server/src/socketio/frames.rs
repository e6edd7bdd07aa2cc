//! How events are written: one packet each, `["event",{…}]`, as frames of a WebSocket that all who look at the same share.
use std::fmt;

use kymo_event::{LedgerId, LineView, Seq, dialects::Dialect, json::push_number};
use kymo_hub::Encoder;

use crate::ws::frame;

/// Writes events for one dialect.
pub(crate) struct Events {
    // `None` is the native form: the ledger's lines as they stand.
    dialect: Option<&'static dyn Dialect>,
    /// Whether each carries its seq as its last argument, for those who want to go on behind it.
    offsets: bool,
    ledger: LedgerId,
    name: String,
}

impl Events {
    pub(crate) fn new(dialect: Option<&'static dyn Dialect>, offsets: bool, ledger: LedgerId) -> Self {
        let word = if offsets { "socketio+offset" } else { "socketio" };
        Self {
            name: format!("{word}/{}", dialect.map_or("kymo", |dialect| dialect.name())),
            dialect: dialect.filter(|dialect| dialect.name() != "kymo"),
            offsets,
            ledger,
        }
    }

    fn write(&self, view: &LineView<'_>, out: &mut Vec<u8>) {
        frame::build(out, |out| {
            out.extend_from_slice(b"42[\"event\",");
            match self.dialect {
                None => out.extend_from_slice(view.line()),
                Some(dialect) => dialect.write(view, &self.ledger, out),
            }
            end(view.seq().get(), self.offsets, out);
        });
    }
}

/// Ends a packet that carries the seq up to which all is sent.
pub(crate) fn end(cursor: u64, offsets: bool, out: &mut Vec<u8>) {
    if offsets {
        out.extend_from_slice(b",\"");
        push_number(out, cursor);
        out.push(b'"');
    }
    out.push(b']');
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.name).finish()
    }
}

impl Encoder for Events {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame(&self, _: u32, cursor: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>) {
        let mut last = None;
        for view in lines {
            last = Some(view.seq());
            self.write(&view, out);
        }
        // Whoever counts offsets need not look again at what did not match; the others have no use for it.
        if self.offsets && last != Some(cursor) {
            frame::build(out, |out| {
                out.extend_from_slice(b"42[\"cursor\",{\"cursor\":");
                push_number(out, cursor.get());
                out.push(b'}');
                end(cursor.get(), true, out);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engineio::split_frames;

    const LINE: &[u8] = br#"{"seq":41,"recorded":"2026-02-14T19:01:23.457102Z","type":"a","source":"s","level":"info","data":1,"crc":"00000000"}"#;

    fn packets(offsets: bool, cursor: u64, lines: &[&[u8]]) -> Vec<String> {
        let events = Events::new(None, offsets, LedgerId::new("l"));
        let mut out = Vec::new();
        let mut views = lines
            .iter()
            .map(|line| LineView::parse(line).expect("a line can be read"));
        events.frame(1, Seq::new(cursor).expect("a seq"), &mut views, &mut out);
        let packets =
            split_frames(&out).map(|(_, payload)| String::from_utf8(payload.to_vec()).expect("text"));
        packets.collect()
    }

    #[test]
    fn an_event_is_a_packet_and_nothing_is_said_where_there_is_none() {
        let line = std::str::from_utf8(LINE).expect("text");
        assert_eq!(packets(false, 44, &[LINE]), [format!("42[\"event\",{line}]")]);
        assert_eq!(packets(false, 44, &[]), [""; 0]);
    }

    #[test]
    fn offsets_are_seqs_and_move_over_what_does_not_match() {
        let line = std::str::from_utf8(LINE).expect("text");
        let event = format!("42[\"event\",{line},\"41\"]");
        let cursor = "42[\"cursor\",{\"cursor\":44},\"44\"]".to_owned();
        assert_eq!(packets(true, 41, &[LINE]), [&*event]);
        assert_eq!(packets(true, 44, &[LINE]), [event, cursor.clone()]);
        assert_eq!(packets(true, 44, &[]), [cursor]);
    }
}
