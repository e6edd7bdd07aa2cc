//! Any bytes from a client: the same messages however they are cut, no more memory than they are worth.

use axum::{
    body::Body,
    http::{HeaderMap, Request, header},
};

use kymo_event::Limits;

use super::{
    frame::{self, Header, Opcode},
    handshake,
    inbox::Inbox,
    ops::{Message, Op},
};
use crate::fuzzing::is_listed;

const MESSAGE_MAX: usize = 2048;

/// What a socket hands out: the first byte says how the others are cut.
pub fn frames(bytes: &[u8]) {
    let Some((&step, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(&mut std::iter::once(bytes));
    assert_eq!(whole, read(&mut bytes.chunks(usize::from(step) + 1)));
    assert_eq!(whole, read(&mut bytes.chunks(1)));
    assert_eq!(whole, read(&mut cuts(bytes, step)));
    Header::parse(bytes)
        .map(drop)
        .unwrap_or_else(|fault| assert!(fault.code > 1000 && fault.reason.len() <= 123));
    if let Ok(text) = std::str::from_utf8(&bytes[..bytes.len().min(MESSAGE_MAX)]) {
        comes_back(text);
    }
}

/// Pieces of uneven length.
fn cuts(mut bytes: &[u8], step: u8) -> impl Iterator<Item = &[u8]> {
    let mut size = usize::from(step);
    std::iter::from_fn(move || {
        size = (size * 7 + 3) % 61;
        let (piece, rest) = bytes.split_at_checked(size + 1).unwrap_or((bytes, &[]));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Everything the inbox hands out, as words, and the code it ended with.
fn read(pieces: &mut dyn Iterator<Item = &[u8]>) -> (Vec<String>, Option<u16>) {
    let mut inbox = Inbox::new(MESSAGE_MAX, b"");
    let (mut seen, mut fed) = (Vec::new(), 0);
    for piece in pieces {
        let room = inbox.room();
        room.extend_from_slice(piece);
        fed += piece.len();
        assert!(
            room.capacity() <= 4 * fed + (8 << 10),
            "{} bytes are held for {fed}",
            room.capacity()
        );
        loop {
            match inbox.next() {
                Ok(Some(incoming)) => seen.push(format!("{incoming:?}")),
                Ok(None) => break,
                Err(fault) => return (seen, Some(fault.code)),
            }
        }
    }
    (seen, None)
}

/// A frame of ours, masked as a client does it, is read as what was written.
fn comes_back(text: &str) {
    let mut frame = Vec::new();
    frame::build(&mut frame, |out| out.extend_from_slice(text.as_bytes()));
    let mut header = Vec::new();
    frame::write_header(Opcode::Text, text.len(), &mut header);
    assert!(
        frame.starts_with(&header)
            && frame.ends_with(text.as_bytes())
            && frame.len() == header.len() + text.len()
    );
    let mask = [7, 0, 255, 90];
    header[1] |= 0x80;
    header.extend_from_slice(&mask);
    let start = header.len();
    header.extend_from_slice(text.as_bytes());
    frame::unmask(&mut header[start..], mask);
    let (seen, end) = read(&mut std::iter::once(&header[..]));
    assert_eq!((seen, end), (vec![format!("Text({text:?})")], None));
}

/// A handshake with any headers.
pub(crate) fn upgrade(headers: &HeaderMap) {
    let mut request = Request::new(Body::empty());
    *request.headers_mut() = headers.clone();
    match handshake::answer(&request) {
        Ok(answer) => assert!(answer.headers().contains_key(header::SEC_WEBSOCKET_ACCEPT)),
        Err(error) => is_listed(&error),
    }
}

/// A message of a client: what it asks for, or a refusal that names a place in it.
pub fn ops(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (message, read) = Message::read(text, &Limits::default());
    for key in ["ref", "sub"] {
        if let Some(echo) = message.echo(key) {
            serde_json::from_str::<serde::de::IgnoredAny>(echo).expect("what is sent back is JSON");
            assert!(echo.len() <= 256 && !echo.contains(['\n', '\r']));
        }
    }
    if let Err(error) = read {
        is_listed(&error);
        let at = error
            .detail
            .as_ref()
            .and_then(|detail| detail.get("byte")?.as_u64());
        assert!(
            at.is_none_or(|at| at <= text.len() as u64),
            "{at:?} of {}",
            text.len()
        );
        return;
    }
    let is_object = serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object());
    match message.op() {
        Ok(Op::Emit(emit)) => {
            assert!(emit.bytes <= text.len());
            for value in emit.records.filter_map(|record| record.value.ok()) {
                serde_json::from_str::<serde::de::IgnoredAny>(value.as_str()).expect("records are JSON");
                assert!(text.contains(value.as_str()));
            }
        }
        Ok(Op::Subscribe(subscribe)) => assert!(is_object && subscribe.sub.len() <= 256),
        Ok(_) => assert!(is_object),
        Err(error) => is_listed(&error),
    }
}
