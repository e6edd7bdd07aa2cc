//! Server-sent events as the terminal reads them: the same messages however the bytes arrive.

use std::io::{self, Read};

// The program has no library; its reader is taken in by its file.
#[allow(dead_code, reason = "what only the program uses")]
#[path = "../../crates/kymo/src/sse.rs"]
mod sse;

use sse::{Message, Messages};

/// Any bytes of a stream.
pub(crate) fn run(bytes: &[u8]) {
    let whole = messages(bytes);
    assert_eq!(whole, messages(InPieces(bytes)));
    assert_eq!(whole, obvious(bytes));
    let mut written = Vec::new();
    whole.iter().for_each(|message| write(message, &mut written));
    assert_eq!(messages(&written[..]), whole, "what was read can be said again");
}

fn messages(bytes: impl Read) -> Vec<Message> {
    let mut stream = Messages::new(bytes);
    std::iter::from_fn(|| stream.next().expect("memory does not fail")).collect()
}

/// Hands out few bytes at a time.
struct InPieces<'a>(&'a [u8]);

impl Read for InPieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let some = self.0.len().min(into.len()).min(1 + self.0.len() % 7);
        let (piece, rest) = self.0.split_at(some);
        into[..some].copy_from_slice(piece);
        self.0 = rest;
        Ok(some)
    }
}

/// Line by line: the fields of a message up to its empty line.
fn obvious(bytes: &[u8]) -> Vec<Message> {
    let mut lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    let lines: Vec<_> = lines
        .into_iter()
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    let mut all = Vec::new();
    let mut messages = lines.split(|line| line.is_empty()).peekable();
    while let Some(lines) = messages.next() {
        let fields: Vec<_> = lines.iter().map(|line| field(line)).collect();
        let last = |name: &[u8]| {
            let found = fields.iter().rev().find(|(other, _)| *other == name);
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let data: Vec<_> = fields
            .iter()
            .filter(|(name, _)| name == b"data")
            .map(|(_, value)| *value)
            .collect();
        let (event, id) = (last(b"event"), last(b"id"));
        let says_something = event.is_some() || id.is_some() || !data.is_empty();
        // Behind the last piece is no empty line: it was cut off.
        if says_something && messages.peek().is_some() {
            all.push(Message {
                event: event.unwrap_or_default(),
                id,
                data: data.join(&b'\n'),
            });
        }
    }
    all
}

fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let value = line.get(colon + 1..).unwrap_or_default();
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

fn write(message: &Message, out: &mut Vec<u8>) {
    if let Some(id) = &message.id {
        out.extend_from_slice(format!("id: {id}\r\n").as_bytes());
    }
    out.extend_from_slice(format!("event: {}\r\n", message.event).as_bytes());
    for line in message.data.split(|byte| *byte == b'\n') {
        // A carriage return at the end of a line belongs to the line's end, so a second one keeps the first.
        out.extend_from_slice(&[b"data: ", line, b"\r\n"].concat());
    }
    out.push(b'\n');
}
