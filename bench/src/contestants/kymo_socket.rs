//! WebSocket, as much of it as a client needs that counts events by their seqs.

use super::kymo::Kymo;
use crate::{
    Outcome,
    events::Event,
    load::{Call, Heard, Link, Opening, Wire},
};

/// A connection that has been greeted.
pub(super) fn connect(kymo: &Kymo) -> Outcome<Link> {
    greeted(kymo)?.link(Frames::default())
}

/// A connection that follows the matches of a filter from now on.
pub(super) fn follow(kymo: &Kymo, filter: &str) -> Outcome<Link> {
    let mut opening = greeted(kymo)?;
    opening.send(&subscribe(filter, "now"))?;
    opening.expect(|come| up_to(come, br#"{"op":"caught_up""#))?;
    opening.link(Frames::default())
}

/// A reader of frames on a connection that is open already.
pub(crate) fn listen(socket: std::net::TcpStream) -> Outcome<Link> {
    Link::new(socket, Box::new(Frames::default()), Vec::new())
}

/// A frame as the server sends it, with these events at `first` and after.
pub(crate) fn of_events(first: u64, events: &[Event]) -> Vec<u8> {
    let line = |(index, event): (u64, &Event)| {
        let seq = first + index;
        let recorded = "2026-02-14T19:01:23.457102Z";
        format!(
            r#"{{"seq":{seq},"recorded":"{recorded}",{},"crc":"9ae0dfa2"}}"#,
            &event.json[1..event.json.len() - 1]
        )
    };
    let lines: Vec<_> = (0..).zip(events).map(line).collect();
    let payload = format!(
        r#"{{"op":"events","feed":1,"cursor":{first},"events":[{}]}}"#,
        lines.join(",")
    );
    frame(0, payload.as_bytes())
}

/// The message that asks for events.
pub(super) fn subscribe(filter: &str, from: &str) -> Vec<u8> {
    text(&format!(
        r#"{{"op":"subscribe","sub":"a","filter":"{filter}","from":"{from}"}}"#
    ))
}

/// The message that stores an event.
pub(super) fn emit(event: &Event) -> Call {
    let message = format!(r#"{{"op":"emit","ref":"r","events":[{}]}}"#, event.json);
    Call {
        bytes: text(&message).into(),
        answers: 1,
    }
}

/// All that a client says first to follow the matches of a filter.
pub(super) fn following(kymo: &Kymo, filter: &str, from: &str) -> Vec<u8> {
    [upgrade(kymo).into_bytes(), subscribe(filter, from)].concat()
}

fn upgrade(kymo: &Kymo) -> String {
    let (host, token) = (&kymo.address, &kymo.token);
    format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

fn greeted(kymo: &Kymo) -> Outcome<Opening> {
    let mut opening = Opening::connect(&kymo.address)?;
    opening.send(upgrade(kymo).as_bytes())?;
    let head = opening.expect(|come| Ok(memchr::memmem::find(come, b"\r\n\r\n").map(|at| at + 4)))?;
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(String::from_utf8_lossy(&head).into_owned().into());
    }
    opening.expect(|come| up_to(come, br#"{"op":"hello""#))?;
    Ok(opening)
}

/// Bytes up to the end of the first message that begins so.
fn up_to(come: &[u8], begins: &[u8]) -> Outcome<Option<usize>> {
    let mut at = 0;
    while let Some(header) = Header::parse(&come[at..]) {
        let from = at + header.bytes;
        let Some(payload) = come.get(from..from + header.payload) else {
            return Ok(None);
        };
        if payload.starts_with(br#"{"op":"error""#) {
            return Err(String::from_utf8_lossy(payload).into_owned().into());
        }
        at = from + header.payload;
        if payload.starts_with(begins) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// A text message as a client sends it, masked with zeros: to the server a mask like any other.
fn text(message: &str) -> Vec<u8> {
    let mut frame = frame(0x80, message.as_bytes());
    let header = frame.len() - message.len();
    frame.splice(header..header, [0; 4]);
    frame
}

/// A whole text frame; `mask_bit` goes beside the length.
fn frame(mask_bit: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => frame.push(mask_bit | short),
        (_, Ok(medium)) => {
            frame.push(mask_bit | 126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(mask_bit | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

struct Header {
    opcode: u8,
    bytes: usize,
    payload: usize,
}

impl Header {
    /// The header that begins here, once it is whole.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (bytes, payload) = match second & 0x7f {
            126 => (
                4,
                u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
            ),
            127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
            short => (2, u64::from(short)),
        };
        Some(Self {
            opcode: first & 0x0f,
            bytes,
            payload: usize::try_from(payload).ok()?,
        })
    }
}

/// Reads frames. Those with events may be larger than any buffer: they are counted as they come.
#[derive(Default)]
struct Frames {
    /// Bytes of a frame of events that are still to come.
    of_events: usize,
}

/// What an events message begins with.
const EVENTS: &[u8] = br#"{"op":"events""#;
/// What every event in it begins with.
const EVENT: &[u8] = br#"{"seq":"#;
/// Room for the beginning of an event: what is shorter waits for more.
const EVENT_HEAD: usize = EVENT.len() + 20;

impl Wire for Frames {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, reply: &mut Vec<u8>) -> Outcome<usize> {
        let mut at = 0;
        loop {
            if self.of_events > 0 {
                let here = self.of_events.min(bytes.len() - at);
                let used = count(&bytes[at..at + here], here == self.of_events, heard)?;
                self.of_events -= used;
                at += used;
                if self.of_events > 0 {
                    return Ok(at);
                }
            }
            let Some(header) = Header::parse(&bytes[at..]) else {
                return Ok(at);
            };
            let payload = &bytes[at + header.bytes..];
            if payload.len() < header.payload.min(EVENTS.len()) {
                return Ok(at);
            }
            if payload.starts_with(EVENTS) {
                self.of_events = header.payload;
                at += header.bytes;
                continue;
            }
            let Some(payload) = payload.get(..header.payload) else {
                return Ok(at);
            };
            other(header.opcode, payload, heard, reply)?;
            at += header.bytes + header.payload;
        }
    }
}

/// Counts the events that begin in `bytes`; how many bytes need not be seen again.
fn count(bytes: &[u8], is_end: bool, heard: &mut Heard) -> Outcome<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&bytes[at..], EVENT) {
        let from = at + found + EVENT.len();
        let digits = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit());
        let (length, seq) = digits.fold((0, 0_u64), |(length, seq), digit| {
            (length + 1, seq * 10 + u64::from(digit - b'0'))
        });
        if from + length == bytes.len() && !is_end {
            return Ok(at + found);
        }
        heard.tally.take(seq)?;
        at = from + length;
    }
    if is_end {
        return Ok(bytes.len());
    }
    // What could be the beginning of an event is seen again, with what follows it.
    Ok(at.max(bytes.len().saturating_sub(EVENT_HEAD)))
}

fn other(opcode: u8, payload: &[u8], heard: &mut Heard, reply: &mut Vec<u8>) -> Outcome {
    match opcode {
        1 if payload.starts_with(br#"{"op":"ack""#) => {
            if !payload.ends_with(b"\"rejected\":[]}") {
                return Err(String::from_utf8_lossy(payload).into_owned().into());
            }
            heard.answers += 1;
        }
        1 if payload.starts_with(br#"{"op":"caught_up""#) => heard.live = true,
        1 if payload.starts_with(br#"{"op":"error""#) || payload.starts_with(br#"{"op":"gap""#) => {
            return Err(String::from_utf8_lossy(payload).into_owned().into());
        }
        8 => return Err("the server closed the connection".into()),
        9 => reply.extend_from_slice(&[0x8a, 0x80, 0, 0, 0, 0]),
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{events, load::wherever_it_is_cut};

    fn message(text: &str) -> Vec<u8> {
        frame(0, text.as_bytes())
    }

    fn stream() -> Vec<u8> {
        let ack = message(r#"{"op":"ack","ref":"r","accepted":1,"rejected":[]}"#);
        let live = message(r#"{"op":"caught_up","feed":1,"cursor":9}"#);
        let events = |first, count| of_events(first, &events::events(0, count));
        [
            ack.clone(),
            events(98, 7),
            events(0, 0),
            ack,
            events(105, 2),
            live,
        ]
        .concat()
    }

    #[test]
    fn frames_count_the_same_wherever_they_are_cut() {
        wherever_it_is_cut(&stream(), Frames::default, |heard, _| {
            assert_eq!((heard.answers, heard.tally.count, heard.live), (2, 9, true));
        });
    }

    #[test]
    fn a_ping_is_answered_and_an_error_is_one() {
        let (mut wire, mut heard, mut reply) = (Frames::default(), Heard::default(), Vec::new());
        wire.read(&[0x89, 0], &mut heard, &mut reply).unwrap();
        assert_eq!(reply, [0x8a, 0x80, 0, 0, 0, 0]);
        let error = message(r#"{"op":"error","code":"busy"}"#);
        assert!(wire.read(&error, &mut heard, &mut reply).is_err());
    }
}
