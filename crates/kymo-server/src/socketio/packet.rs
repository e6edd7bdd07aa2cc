//! A packet of Socket.IO: `<type>[<attachments>-][<namespace>,][<id>][<payload>]`, read and written.
//!
//! What the reference refuses is refused; a client that sends such a thing is cut off, as it is there.
use kymo_event::{RawJson, json::Kind as Json};

/// Attachments of one packet at most.
const ATTACHMENTS_MAX: usize = 64;
/// Digits of an id: beyond them numbers of the clients are not exact.
const ID_DIGITS_MAX: usize = 16;
/// Longest name of a namespace that is said back.
const NAMESPACE_MAX: usize = 256;

/// Events that clients make up by themselves: from outside they are none.
const RESERVED: &[&str] = &[
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// What a packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    /// Also one with attachments.
    Event,
    /// Also one with attachments.
    Ack,
}

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: Kind,
    /// Binary messages that follow.
    pub(crate) attachments: usize,
    pub(crate) namespace: &'a str,
    /// Digits.
    pub(crate) id: Option<&'a str>,
    pub(crate) payload: Option<RawJson<'a>>,
}

impl<'a> Packet<'a> {
    /// Reads a packet; why it is none otherwise.
    pub(crate) fn read(text: &'a str, nesting_max: usize) -> Result<Self, &'static str> {
        let (kind, has_attachments) = match text.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            _ => return Err("no packet of Socket.IO begins so"),
        };
        let mut rest = &text[1..];
        let mut attachments = 0;
        if has_attachments {
            let (digits, behind) = split_digits(rest);
            let count = digits.parse().ok().filter(|count| *count <= ATTACHMENTS_MAX);
            attachments = count.ok_or("so many attachments cannot be")?;
            rest = behind
                .strip_prefix('-')
                .ok_or("attachments are counted before a dash")?;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        if namespace.len() > NAMESPACE_MAX {
            return Err("the namespace's name is too long");
        }
        let (digits, payload) = split_digits(rest);
        if digits.len() > ID_DIGITS_MAX {
            return Err("the id is too long");
        }
        let payload = match payload {
            "" => None,
            text => Some(RawJson::parse(text, nesting_max).map_err(|_| "the payload is no JSON")?),
        };
        let packet = Self {
            kind,
            attachments,
            namespace,
            id: Some(digits).filter(|digits| !digits.is_empty()),
            payload,
        };
        packet.check()?;
        Ok(packet)
    }

    fn check(&self) -> Result<(), &'static str> {
        let payload = self.payload.map(RawJson::kind);
        match self.kind {
            Kind::Connect if payload.is_none_or(|kind| kind == Json::Object) => Ok(()),
            Kind::Disconnect if payload.is_none() => Ok(()),
            Kind::Ack if payload == Some(Json::Array) => Ok(()),
            Kind::Event => {
                let name = self.arguments().next().ok_or("an event has a name")?;
                match name.kind() {
                    Json::Number => Ok(()),
                    Json::String => {
                        let name = name.as_string().unwrap_or_default();
                        match RESERVED.contains(&&*name) {
                            true => Err("this name is the clients' own"),
                            false => Ok(()),
                        }
                    }
                    _ => Err("an event has a name"),
                }
            }
            _ => Err("the payload is not of the kind that this packet has"),
        }
    }

    /// The elements of the payload: the name of an event, and its arguments.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = RawJson<'a>> + use<'a> {
        self.payload.into_iter().filter_map(RawJson::elements).flatten()
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.split_at(text.len() - rest.len())
}

/// Appends the beginning of a packet within a message of Engine.IO, up to its payload.
pub(crate) fn begin(kind: u8, namespace: &str, id: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'4', kind]);
    if namespace != "/" {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(id.unwrap_or_default().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (Kind, usize, &'a str, Option<&'a str>, Option<&'a str>);

    fn read(text: &str) -> Option<Parts<'_>> {
        let packet = Packet::read(text, 8).ok()?;
        let payload = packet.payload.map(RawJson::as_str);
        Some((
            packet.kind,
            packet.attachments,
            packet.namespace,
            packet.id,
            payload,
        ))
    }

    #[test]
    fn every_part_of_a_packet_is_found() {
        use Kind::{Ack, Connect, Disconnect, Event};
        assert_eq!(read("0"), Some((Connect, 0, "/", None, None)));
        assert_eq!(read("0/admin"), Some((Connect, 0, "/admin", None, None)));
        assert_eq!(
            read("0/admin,{\"a\":1}"),
            Some((Connect, 0, "/admin", None, Some("{\"a\":1}")))
        );
        assert_eq!(read("1/admin,"), Some((Disconnect, 0, "/admin", None, None)));
        assert_eq!(read("2[\"a\",1]"), Some((Event, 0, "/", None, Some("[\"a\",1]"))));
        assert_eq!(
            read("212[\"a\"]"),
            Some((Event, 0, "/", Some("12"), Some("[\"a\"]")))
        );
        assert_eq!(read("2/x,7[1]"), Some((Event, 0, "/x", Some("7"), Some("[1]"))));
        assert_eq!(
            read("52-/x,7[\"a\"]"),
            Some((Event, 2, "/x", Some("7"), Some("[\"a\"]")))
        );
        assert_eq!(read("3456[]"), Some((Ack, 0, "/", Some("456"), Some("[]"))));
    }

    #[test]
    fn what_the_reference_refuses_is_refused() {
        for text in [
            "",
            "x",
            "4{}",
            "7",
            "abc",
            "2",
            "2{}",
            "2[]",
            "2[{}]",
            "2[null]",
            "2[\"connect\"]",
            "2[\"disconnect\"]",
            "2abc[\"a\"]",
            "0[]",
            "0\"x\"",
            "1{}",
            "3{}",
            "3",
            "5[\"a\"]",
            "5-[\"a\"]",
            "5x-[\"a\"]",
            "599-[\"a\"]",
            "2[\"a\"]x",
            "2[[[[[[[[[1]]]]]]]]]",
            "2é",
            "299999999999999999999[\"a\"]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let long = format!("0/{}", "x".repeat(NAMESPACE_MAX));
        assert_eq!(read(&long), None);
    }

    #[test]
    fn arguments_come_in_their_order() {
        let packet = Packet::read("2[\"emit\",{\"a\":[1,2]},3]", 8).expect("a packet");
        let arguments: Vec<_> = packet.arguments().map(RawJson::as_str).collect();
        assert_eq!(arguments, ["\"emit\"", "{\"a\":[1,2]}", "3"]);
    }

    #[test]
    fn a_beginning_leaves_out_the_main_namespace() {
        let said = |namespace, id| {
            let mut out = Vec::new();
            begin(b'3', namespace, id, &mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(said("/", None), "43");
        assert_eq!(said("/custom", Some("12")), "43/custom,12");
    }
}
