//! Long polling: packets in one body, separated by a record separator; what is binary as base64.
//!
//! JSON has no bare control characters, so the separator never stands inside a packet of ours.
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use bytes::Bytes;

use crate::ws::{
    frame::{self, Opcode},
    outbox::Outbox,
};

const SEPARATOR: u8 = 0x1e;

/// Packets of one body at most: each costs a turn.
const PACKETS_MAX: usize = 10_000;

/// Packets of one answer at most: the Python client refuses more.
const GIVEN_MAX: usize = 16;

/// Takes base64 with and without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent<'a> {
    Text(&'a str),
    Binary(Vec<u8>),
}

/// The packets of a body; `None` if it is not made of packets.
pub(crate) fn read(body: &[u8]) -> Option<Vec<Sent<'_>>> {
    let text = std::str::from_utf8(body).ok()?;
    let packets = text.split(char::from(SEPARATOR)).take(PACKETS_MAX + 1);
    let packets: Vec<_> = packets.map(packet).collect::<Option<_>>()?;
    (packets.len() <= PACKETS_MAX).then_some(packets)
}

fn packet(text: &str) -> Option<Sent<'_>> {
    match text.strip_prefix('b') {
        Some(encoded) => LENIENT.decode(encoded).ok().map(Sent::Binary),
        None => text
            .starts_with(|c: char| c.is_ascii_digit())
            .then_some(Sent::Text(text)),
    }
}

/// The first packets that wait, as one body; the others wait on.
pub(crate) fn body_of(outbox: &mut Outbox) -> Bytes {
    let (mut out, mut packets) = (Vec::new(), 0);
    for mut piece in outbox.drain() {
        while packets < GIVEN_MAX
            && let Some((opcode, payload, rest)) = frame::split_own(&piece)
        {
            packets += 1;
            if !out.is_empty() {
                out.push(SEPARATOR);
            }
            if opcode == Opcode::Binary {
                out.push(b'b');
                out.extend_from_slice(STANDARD.encode(payload).as_bytes());
            } else {
                out.extend_from_slice(payload);
            }
            let taken = piece.len() - rest.len();
            piece = piece.slice(taken..);
        }
        outbox.share(piece);
    }
    out.into()
}

/// Takes frames apart that we wrote: what each is, and its payload.
#[cfg(test)]
pub(crate) fn split_frames(mut frames: &[u8]) -> impl Iterator<Item = (Opcode, &[u8])> {
    std::iter::from_fn(move || {
        let (opcode, payload, rest) = frame::split_own(frames)?;
        frames = rest;
        Some((opcode, payload))
    })
}

/// A good answer.
pub(crate) fn answer(body: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=UTF-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_packets_with_separators_between_them() {
        let text = Sent::Text;
        assert_eq!(read(b"2"), Some(vec![text("2")]));
        assert_eq!(
            read(b"4a\x1e4\x1e3"),
            Some(vec![text("4a"), text("4"), text("3")])
        );
        for encoded in ["4hello\x1ebAQIDBA==", "4hello\x1ebAQIDBA"] {
            let binary = Sent::Binary(vec![1, 2, 3, 4]);
            assert_eq!(read(encoded.as_bytes()), Some(vec![text("4hello"), binary]));
        }
    }

    #[test]
    fn what_is_no_packet_makes_the_whole_body_none() {
        for body in [&b""[..], b"abc", b"4a\x1e", b"\x1e4a", b"4a\x1eb?", b"4\xff"] {
            assert_eq!(read(body), None, "{body:?}");
        }
        assert_eq!(read(&b"3\x1e".repeat(PACKETS_MAX)), None);
    }

    #[test]
    fn what_waits_as_frames_is_given_as_one_body() {
        let mut outbox = Outbox::default();
        outbox.text(|out| out.extend_from_slice(b"2"));
        let mut shared = Vec::new();
        frame::build(&mut shared, |out| out.extend_from_slice(b"42[1]"));
        frame::build(&mut shared, |out| out.resize(out.len() + 70_000, b'x'));
        outbox.share(shared.into());
        outbox.binary(&[1, 2, 3, 4]);
        let body = body_of(&mut outbox);
        let long = "x".repeat(70_000);
        assert!(
            body == format!("2\x1e42[1]\x1e{long}\x1ebAQIDBA=="),
            "{} bytes",
            body.len()
        );
        assert!(outbox.is_empty() && body_of(&mut outbox).is_empty());
    }

    #[test]
    fn more_packets_than_every_client_takes_come_one_answer_after_the_other() {
        let mut outbox = Outbox::default();
        let mut shared = Vec::new();
        for n in 0..40 {
            frame::build(&mut shared, |out| {
                out.extend_from_slice(format!("4{n}").as_bytes())
            });
        }
        outbox.share(shared.into());
        outbox.text(|out| out.extend_from_slice(b"2"));
        let mut all = Vec::new();
        while !outbox.is_empty() {
            let body = String::from_utf8(body_of(&mut outbox).to_vec()).expect("text");
            let packets: Vec<_> = body.split('\x1e').map(str::to_owned).collect();
            assert!(packets.len() <= GIVEN_MAX);
            all.extend(packets);
        }
        let expected = (0..40).map(|n| format!("4{n}")).chain(["2".to_owned()]);
        assert_eq!(all, expected.collect::<Vec<_>>());
    }
}
