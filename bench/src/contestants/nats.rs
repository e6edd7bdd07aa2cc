//! The protocol of NATS, as much of it as publishing with acknowledgement and reading from a consumer take.

use crate::{
    Outcome,
    events::Event,
    load::{Heard, Idle, Opening, Wire},
};

/// Where a client is told that what it published is stored.
pub(super) fn inbox(client: u64) -> String {
    format!("_INBOX.acks.{client}")
}

/// Publishes an event under its type, to be acknowledged to `client`.
pub(super) fn publish(event: &Event, client: u64) -> Vec<u8> {
    let (subject, inbox, json) = (event.kind, inbox(client), &event.json);
    format!("PUB {subject} {inbox} {}\r\n{json}\r\n", json.len()).into_bytes()
}

/// Bytes of the first line.
pub(super) fn line_end(come: &[u8]) -> Outcome<Option<usize>> {
    Ok(memchr::memchr(b'\n', come).map(|end| end + 1))
}

/// Waits until the server has done all it was told.
pub(super) fn pong(opening: &mut Opening) -> Outcome {
    let answer = opening.expect(line_end)?;
    if answer == b"PONG\r\n" {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&answer).into_owned().into())
}

/// Waits for the answer to a request.
pub(super) fn accepted(opening: &mut Opening) -> Outcome {
    let answer = opening.expect(message_end)?;
    if memchr::memmem::find(&answer, b"\"error\"").is_none() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&answer).into_owned().into())
}

/// Bytes of the first message, once it is whole.
fn message_end(come: &[u8]) -> Outcome<Option<usize>> {
    let Some(line) = Line::parse(come)? else {
        return Ok(None);
    };
    let whole = line.bytes + line.payload;
    Ok((come.len() >= whole).then_some(whole))
}

/// One line of the server, and how many bytes of payload follow it.
struct Line<'a> {
    words: Words<'a>,
    /// Bytes of the line with its end.
    bytes: usize,
    /// Bytes of what follows, with its end.
    payload: usize,
}

enum Words<'a> {
    /// A message, with the subject to reply to.
    Message(Option<&'a str>),
    /// A message with headers.
    WithHeaders(Option<&'a str>),
    Ping,
    /// PONG, +OK, INFO.
    Other,
}

impl<'a> Line<'a> {
    /// The line that begins here, once it is whole.
    fn parse(bytes: &'a [u8]) -> Outcome<Option<Self>> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[..end])?.trim_end();
        let mut words = text.split(' ');
        let name = words.next().unwrap_or_default();
        let rest = words;
        let (words, payload) = match name {
            "MSG" => {
                let (reply, payload) = tail(rest, 1)?;
                (Words::Message(reply), payload + 2)
            }
            "HMSG" => {
                let (reply, payload) = tail(rest, 2)?;
                (Words::WithHeaders(reply), payload + 2)
            }
            "PING" => (Words::Ping, 0),
            "-ERR" => return Err(text.into()),
            _ => (Words::Other, 0),
        };
        Ok(Some(Self {
            words,
            bytes: end + 1,
            payload,
        }))
    }
}

/// Of `subject sid [reply] sizes…`: the subject to reply to and the last size.
fn tail<'a>(words: impl Iterator<Item = &'a str>, sizes: usize) -> Outcome<(Option<&'a str>, usize)> {
    let words: Vec<_> = words.collect();
    let size = words.last().ok_or("a message without a size")?.parse()?;
    // Where nothing is to be replied to, some lines leave the word out and some leave it empty.
    let reply = words
        .get(2)
        .filter(|word| words.len() > 2 + sizes && !word.is_empty());
    Ok((reply.copied(), size))
}

/// Counts acknowledgements.
pub(super) struct Acks;

impl Wire for Acks {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, reply: &mut Vec<u8>) -> Outcome<usize> {
        let mut at = 0;
        while let Some(line) = Line::parse(&bytes[at..])? {
            let (from, to) = (at + line.bytes, at + line.bytes + line.payload);
            let Some(payload) = bytes.get(from..to) else {
                break;
            };
            match line.words {
                Words::Message(_) if memchr::memmem::find(payload, b"\"seq\":").is_some() => {
                    heard.answers += 1
                }
                Words::Message(_) | Words::WithHeaders(_) => {
                    return Err(String::from_utf8_lossy(payload).into_owned().into());
                }
                Words::Ping => reply.extend_from_slice(b"PONG\r\n"),
                Words::Other => {}
            }
            at = to;
        }
        Ok(at)
    }
}

/// Counts what a consumer delivers, and lets the server go on when it asks whether we keep up.
#[derive(Default)]
pub(super) struct Deliveries {
    /// The rest of a payload.
    rest: Idle,
}

impl Wire for Deliveries {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, reply: &mut Vec<u8>) -> Outcome<usize> {
        let mut at = 0;
        loop {
            let (passed, is_whole) = self.rest.pass(&bytes[at..]);
            at += passed;
            if !is_whole {
                return Ok(at);
            }
            let Some(line) = Line::parse(&bytes[at..])? else {
                return Ok(at);
            };
            at += line.bytes;
            match line.words {
                Words::Message(Some(subject)) => {
                    heard
                        .tally
                        .take(stream_seq(subject).ok_or("a delivery without its place")?)?;
                    self.rest = Idle::of(line.payload);
                }
                Words::WithHeaders(subject) => {
                    let Some(headers) = bytes.get(at..at + line.payload) else {
                        return Ok(at - line.bytes);
                    };
                    keep_up(subject, headers, reply);
                    at += line.payload;
                }
                Words::Message(None) => self.rest = Idle::of(line.payload),
                Words::Ping => reply.extend_from_slice(b"PONG\r\n"),
                Words::Other => {}
            }
        }
    }
}

/// `$JS.ACK.<stream>.<consumer>.<times>.<stream seq>.…`
fn stream_seq(reply: &str) -> Option<u64> {
    reply.strip_prefix("$JS.ACK.")?.split('.').nth(3)?.parse().ok()
}

/// Says that all before this has been read: asked for with a subject to reply to, or in a header.
fn keep_up(subject: Option<&str>, headers: &[u8], reply: &mut Vec<u8>) {
    const STALLED: &str = "Nats-Consumer-Stalled:";
    let headers = String::from_utf8_lossy(headers);
    let stalled = headers.lines().find_map(|line| line.strip_prefix(STALLED));
    if let Some(subject) = subject.or(stalled) {
        reply.extend_from_slice(format!("PUB {} 0\r\n\r\n", subject.trim()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::wherever_it_is_cut;

    fn delivery(seq: u64) -> String {
        let event = "MSG ".repeat(88);
        format!(
            "MSG _INBOX.reader.0 1 $JS.ACK.bench.c0.1.{seq}.{seq}.1700000000000000000.5 {}\r\n{event}\r\n",
            event.len()
        )
    }

    const FLOW: &str =
        "HMSG _INBOX.reader.0 1 $JS.FC.bench.c0.x 36 36\r\nNATS/1.0 100 FlowControl Request\r\n\r\n\r\n";

    #[test]
    fn deliveries_count_the_same_wherever_they_are_cut() {
        let created = "MSG _INBOX.reader.0 1 4\r\n{..}\r\n";
        let idle = "HMSG _INBOX.reader.0 1  37 37\r\nNATS/1.0 100 Idle Heartbeat\r\nA: 1\r\n\r\n\r\n";
        let stream = [
            delivery(7),
            "PING\r\n".into(),
            FLOW.into(),
            idle.into(),
            created.into(),
            delivery(8),
        ]
        .concat();
        wherever_it_is_cut(stream.as_bytes(), Deliveries::default, |heard, reply| {
            assert_eq!(heard.tally.count, 2);
            assert_eq!(reply, b"PONG\r\nPUB $JS.FC.bench.c0.x 0\r\n\r\n");
        });
    }

    #[test]
    fn a_stalled_consumer_is_let_go_on() {
        let mut reply = Vec::new();
        let headers = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Consumer-Stalled: $JS.FC.x\r\n\r\n";
        keep_up(None, headers, &mut reply);
        assert_eq!(reply, b"PUB $JS.FC.x 0\r\n\r\n");
    }

    #[test]
    fn acknowledgements_are_counted_and_an_error_is_one() {
        let ack = "MSG _INBOX.acks.3 1 27\r\n{\"stream\":\"bench\",\"seq\":12}\r\n";
        let stream = ack.repeat(3);
        wherever_it_is_cut(
            stream.as_bytes(),
            || Acks,
            |heard, _| assert_eq!(heard.answers, 3),
        );
        let refused = "MSG _INBOX.acks.3 1 14\r\n{\"error\":\"no\"}\r\n";
        assert!(
            Acks.read(refused.as_bytes(), &mut Heard::default(), &mut Vec::new())
                .is_err()
        );
        assert!(
            Acks.read(
                b"-ERR 'Slow Consumer'\r\n",
                &mut Heard::default(),
                &mut Vec::new()
            )
            .is_err()
        );
    }
}
