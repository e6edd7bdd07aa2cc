//! Any bytes as the body of a poll's other direction: packets that are written again as they were, and wishes that are
//! understood or refused by a code.

use kymo_event::RawJson;

use super::{
    commands,
    packet::{self, Kind, Packet},
    wishes::Wishes,
};
use crate::{
    engineio::{Sent, read_body},
    fuzzing::is_listed,
};

const NESTING_MAX: usize = 16;

/// What a client posts.
pub fn packets(bytes: &[u8]) {
    let Some(packets) = read_body(bytes) else {
        return;
    };
    assert_eq!(packets.len(), bytes.split(|byte| *byte == 0x1e).count());
    for sent in packets {
        let Sent::Text(text) = sent else { continue };
        assert!(text.as_bytes()[0].is_ascii_digit());
        if let Ok(packet) = Packet::read(&text[1..], NESTING_MAX) {
            comes_back(&text[1..], &packet);
            means_something(&packet);
        }
    }
}

/// What was found in a packet is all that was in it.
fn comes_back(text: &str, packet: &Packet<'_>) {
    let mut out = Vec::new();
    packet::begin(text.as_bytes()[0], packet.namespace, packet.id, &mut out);
    out.extend_from_slice(packet.payload.map_or("", RawJson::as_str).as_bytes());
    // Commas and white space that say nothing, and attachments, are not written again.
    let bare = |bytes: &[u8]| -> Vec<u8> {
        let bytes = bytes.iter().copied();
        bytes.filter(|byte| !b" \t\r\n,/".contains(byte)).collect()
    };
    let (written, was) = (bare(&out[1..]), bare(text.as_bytes()));
    match was
        .get(1..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'-'))
    {
        Some(_) if packet.attachments > 0 || b"56".contains(&was[0]) => {}
        _ => assert_eq!(written, was, "{text:?}"),
    }
}

fn means_something(packet: &Packet<'_>) {
    let arguments: Vec<_> = packet.arguments().collect();
    match packet.kind {
        Kind::Connect => {
            let view = Wishes::default().with_auth(packet.payload).and_then(|wishes| {
                wishes.catchup(50)?;
                wishes.view()
            });
            view.map(drop).unwrap_or_else(|error| is_listed(&error));
        }
        Kind::Event => commands::check(&arguments).unwrap_or_else(|error| is_listed(&error)),
        Kind::Ack | Kind::Disconnect => {}
    }
}
