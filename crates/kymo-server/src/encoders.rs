//! Frames: the bytes that a WebSocket or an SSE stream is sent, built once per feed and batch and shared by all readers.
use std::fmt;

use kymo_event::{LedgerId, LineView, Seq, dialects::Dialect};
use kymo_hub::{Around, Encoder};

use crate::ws::frame;

/// Builds frames for one transport and dialect.
pub(crate) struct Frames {
    transport: Transport,
    // `None` is the native form: the ledger's lines as they stand.
    dialect: Option<&'static dyn Dialect>,
    ledger: LedgerId,
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transport {
    WebSocket,
    Sse,
}

impl Frames {
    /// WebSocket frames, header included.
    pub(crate) fn websocket(dialect: Option<&'static dyn Dialect>, ledger: LedgerId) -> Self {
        Self::new(Transport::WebSocket, "ws", dialect, ledger)
    }

    /// Server-sent events.
    pub(crate) fn sse(dialect: Option<&'static dyn Dialect>, ledger: LedgerId) -> Self {
        Self::new(Transport::Sse, "sse", dialect, ledger)
    }

    fn new(
        transport: Transport,
        word: &str,
        dialect: Option<&'static dyn Dialect>,
        ledger: LedgerId,
    ) -> Self {
        let name = format!("{word}/{}", dialect.map_or("kymo", |dialect| dialect.name()));
        Self {
            transport,
            dialect: dialect.filter(|dialect| dialect.name() != "kymo"),
            ledger,
            name,
        }
    }

    fn write(&self, view: &LineView<'_>, out: &mut Vec<u8>) {
        match self.dialect {
            None => out.extend_from_slice(view.line()),
            Some(dialect) => dialect.write(view, &self.ledger, out),
        }
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frames").field(&self.name).finish()
    }
}

impl Encoder for Frames {
    fn name(&self) -> &str {
        &self.name
    }

    fn frame(
        &self,
        feed: u32,
        cursor: Seq,
        lines: &mut dyn Iterator<Item = LineView<'_>>,
        out: &mut Vec<u8>,
    ) {
        match self.transport {
            Transport::WebSocket => frame::build(out, |out| {
                begin_events(feed, cursor, out);
                for (index, view) in lines.enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.write(&view, out);
                }
                out.extend_from_slice(b"]}");
            }),
            Transport::Sse => {
                let mut last = None;
                for view in lines {
                    last = Some(view.seq());
                    begin_message(view.seq().to_string().as_bytes(), out);
                    self.write(&view, out);
                    out.extend_from_slice(b"\n\n");
                }
                move_cursor(cursor, last, out);
            }
        }
    }

    fn raw_frame(
        &self,
        feed: u32,
        cursor: Seq,
        lines: &mut dyn Iterator<Item = &[u8]>,
        out: &mut Vec<u8>,
    ) -> bool {
        let _ = feed;
        let raw = self.dialect.is_none() && self.transport == Transport::Sse;
        if raw {
            write_messages(cursor, lines, out);
        }
        raw
    }

    fn around(&self, feed: u32, cursor: Seq, bytes: usize) -> Option<Around> {
        let around = self.dialect.is_none() && self.transport == Transport::WebSocket;
        around.then(|| around_events(feed, cursor, bytes))
    }
}

fn begin_events(feed: u32, cursor: Seq, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"op\":\"events\",\"feed\":");
    out.extend_from_slice(feed.to_string().as_bytes());
    out.extend_from_slice(b",\"cursor\":");
    out.extend_from_slice(cursor.to_string().as_bytes());
    out.extend_from_slice(b",\"events\":[");
}

fn around_events(feed: u32, cursor: Seq, bytes: usize) -> Around {
    const END: &[u8] = b"]}";
    let mut begin = Vec::with_capacity(96);
    begin_events(feed, cursor, &mut begin);
    let mut before = Vec::with_capacity(frame::HEADER_MAX + begin.len());
    frame::write_header(frame::Opcode::Text, begin.len() + bytes + END.len(), &mut before);
    before.extend_from_slice(&begin);
    Around {
        before,
        between: b',',
        after: END,
    }
}

fn write_messages(cursor: Seq, lines: &mut dyn Iterator<Item = &[u8]>, out: &mut Vec<u8>) {
    let mut last = None;
    for line in lines {
        let seq = seq_digits(line);
        begin_message(seq, out);
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n\n");
        last = std::str::from_utf8(seq).ok().and_then(|seq| seq.parse().ok());
    }
    move_cursor(cursor, last, out);
}

fn begin_message(id: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\ndata: ");
}

// An id without data is no message to the page, but the browser resumes behind it.
fn move_cursor(cursor: Seq, last: Option<Seq>, out: &mut Vec<u8>) {
    if last != Some(cursor) {
        out.extend_from_slice(format!("id: {cursor}\n\n").as_bytes());
    }
}

/// The seq of a ledger line, which always begins with it.
fn seq_digits(line: &[u8]) -> &[u8] {
    let rest = line.strip_prefix(b"{\"seq\":").unwrap_or_default();
    let end = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&[u8]; 2] = [b"{\"seq\":41,\"type\":\"a\"}", b"{\"seq\":43,\"type\":\"b\"}"];

    fn raw(frames: &Frames, cursor: u64, lines: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let cursor = Seq::new(cursor).expect("a seq");
        assert!(frames.raw_frame(7, cursor, &mut lines.iter().copied(), &mut out));
        out
    }

    fn around(frames: &Frames, cursor: u64, lines: &[&[u8]]) -> Vec<u8> {
        let text = lines.join(&b',');
        let cursor = Seq::new(cursor).expect("a seq");
        let around = frames
            .around(7, cursor, text.len())
            .expect("nothing but something around");
        assert_eq!(around.between, b',');
        [&around.before, &*text, around.after].concat()
    }

    #[test]
    fn a_websocket_frame_carries_the_ledgers_own_bytes() {
        let frames = Frames::websocket(None, LedgerId::new("l"));
        let text = "{\"op\":\"events\",\"feed\":7,\"cursor\":44,\"events\":[{\"seq\":41,\"type\":\"a\"},{\"seq\":43,\"type\":\"b\"}]}";
        let mut expected = vec![0x81, u8::try_from(text.len()).expect("a short frame")];
        expected.extend_from_slice(text.as_bytes());
        assert_eq!(around(&frames, 44, &LINES), expected);
        assert!(around(&frames, 44, &[]).ends_with(b"\"cursor\":44,\"events\":[]}"));
    }

    #[test]
    fn a_server_sent_message_has_its_seq_as_id_and_the_cursor_moves_over_the_rest() {
        let frames = Frames::sse(None, LedgerId::new("l"));
        let messages =
            "id: 41\ndata: {\"seq\":41,\"type\":\"a\"}\n\nid: 43\ndata: {\"seq\":43,\"type\":\"b\"}\n\n";
        assert_eq!(raw(&frames, 43, &LINES), messages.as_bytes());
        assert_eq!(
            raw(&frames, 50, &LINES),
            format!("{messages}id: 50\n\n").as_bytes()
        );
        assert_eq!(raw(&frames, 50, &[]), b"id: 50\n\n");
    }

    #[test]
    fn transports_and_dialects_do_not_share_frames() {
        let ledger = LedgerId::new("l");
        let names = [
            Frames::websocket(None, ledger.clone()),
            Frames::sse(None, ledger.clone()),
            Frames::websocket(Some(&kymo_event::dialects::CloudEvents), ledger),
        ]
        .map(|frames| frames.name);
        assert_eq!(names, ["ws/kymo", "sse/kymo", "ws/cloudevents"]);
    }
}
