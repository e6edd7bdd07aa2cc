//! The protocol of PostgreSQL (version 3), as much of it as storing, listening and copying take.

use crate::{
    Outcome,
    load::{Heard, Idle, Opening, Wire},
};

/// Version 3.0.
const PROTOCOL: i32 = 196_608;

/// A connection that is ready for queries.
pub(super) fn open(address: &str) -> Outcome<Opening> {
    let mut opening = Opening::connect(address)?;
    opening.send(&start())?;
    opening.expect(ready)?;
    Ok(opening)
}

/// The first message, which alone has no kind.
fn start() -> Vec<u8> {
    let words = b"user\0postgres\0database\0postgres\0\0";
    let parts: [&[u8]; 2] = [&PROTOCOL.to_be_bytes(), words];
    message(0, &parts).split_off(1)
}

/// Asks one question and waits for the answer.
pub(super) fn ask(opening: &mut Opening, sql: &str) -> Outcome {
    opening.send(&query(sql))?;
    opening.expect(ready).map(|_| ())
}

/// Prepares the statement that [`execute`] executes.
pub(super) fn prepare(opening: &mut Opening, sql: &str) -> Outcome {
    let parse = message(b'P', &[b"\0", sql.as_bytes(), b"\0", &0_i16.to_be_bytes()]);
    opening.send(&[parse, message(b'S', &[])].concat())?;
    opening.expect(ready).map(|_| ())
}

/// A question without parameters.
pub(super) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"])
}

/// Executes what is prepared with one parameter, and asks for no rows' description.
pub(super) fn execute(parameter: &[u8], is_binary: bool) -> Vec<u8> {
    let (one, none) = (1_i16.to_be_bytes(), 0_i16.to_be_bytes());
    let format = i16::from(is_binary).to_be_bytes();
    let size = length(parameter.len());
    let bind = message(b'B', &[b"\0\0", &one, &format, &one, &size, parameter, &none]);
    let execute = message(b'E', &[b"\0", &0_i32.to_be_bytes()]);
    [bind, execute, message(b'S', &[])].concat()
}

/// Texts as one binary parameter of the type `text[]`.
pub(super) fn array<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    const TEXT: i32 = 25;
    let mut bytes = Vec::new();
    // One dimension, no nulls, of text, so many, the first is number 1.
    for word in [
        1_i32.to_be_bytes(),
        [0; 4],
        TEXT.to_be_bytes(),
        length(texts.len()),
        1_i32.to_be_bytes(),
    ] {
        bytes.extend_from_slice(&word);
    }
    for text in texts {
        bytes.extend_from_slice(&length(text.len()));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// A copy into a table. The texts hold no backslash and no tab.
pub(super) fn copy_in<'a>(sql: &str, texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = query(sql);
    for text in texts {
        bytes.extend_from_slice(&message(b'd', &[text.as_bytes(), b"\n"]));
    }
    bytes.extend_from_slice(&message(b'c', &[]));
    bytes
}

fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let size = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(size + 5);
    bytes.push(kind);
    bytes.extend_from_slice(&length(size + 4));
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

fn length(length: usize) -> [u8; 4] {
    i32::try_from(length)
        .expect("a message of the bench is small")
        .to_be_bytes()
}

/// The head of a message: its kind and how many bytes follow the head.
fn head(bytes: &[u8]) -> Option<(u8, usize)> {
    let (kind, rest) = bytes.split_first()?;
    let length = u32::from_be_bytes(*rest.first_chunk()?);
    Some((*kind, (length as usize).saturating_sub(4)))
}

/// Bytes of a head.
const HEAD: usize = 5;

/// Bytes up to the end of "ready for query".
fn ready(come: &[u8]) -> Outcome<Option<usize>> {
    let mut at = 0;
    while let Some((kind, size)) = head(&come[at..]) {
        let Some(body) = come.get(at + HEAD..at + HEAD + size) else {
            return Ok(None);
        };
        at += HEAD + size;
        match kind {
            b'E' => return Err(said(body).into()),
            b'Z' => return Ok(Some(at)),
            _ => {}
        }
    }
    Ok(None)
}

/// What an error says.
fn said(body: &[u8]) -> String {
    String::from_utf8_lossy(body).replace('\0', " ")
}

/// Reads messages: counts answers, and events in notifications and copied rows.
#[derive(Default)]
pub(super) struct Messages {
    /// The rest of a row.
    rest: Idle,
}

/// So much of a row is looked at.
const SEQ_MAX: usize = 20;

impl Wire for Messages {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        let mut at = 0;
        loop {
            let (passed, is_whole) = self.rest.pass(&bytes[at..]);
            at += passed;
            if !is_whole {
                return Ok(at);
            }
            let Some((kind, size)) = head(&bytes[at..]) else {
                return Ok(at);
            };
            let body = &bytes[at + HEAD..];
            if kind == b'd' {
                if body.len() < size.min(SEQ_MAX) {
                    return Ok(at);
                }
                heard.tally.take(seq(body)?)?;
                at += HEAD;
                self.rest = Idle::of(size);
                continue;
            }
            let Some(body) = body.get(..size) else {
                return Ok(at);
            };
            match kind {
                b'Z' => heard.answers += 1,
                b'E' => return Err(said(body).into()),
                b'A' => notified(body, heard)?,
                _ => {}
            }
            at += HEAD + size;
        }
    }
}

/// The number that a row begins with.
fn seq(row: &[u8]) -> Outcome<u64> {
    let digits = row.iter().take_while(|byte| byte.is_ascii_digit());
    let (count, seq) = digits.fold((0, 0_u64), |(count, seq), digit| {
        (count + 1, seq * 10 + u64::from(digit - b'0'))
    });
    if count == 0 {
        return Err("a row without its number".into());
    }
    Ok(seq)
}

/// Process, channel, and events, one a line.
fn notified(body: &[u8], heard: &mut Heard) -> Outcome {
    let mut texts = body.get(4..).unwrap_or_default().split(|byte| *byte == 0);
    let events = texts.nth(1).ok_or("a notification without text")?;
    for event in events.split(|byte| *byte == b'\n') {
        heard.tally.take(seq(event)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::wherever_it_is_cut;

    fn stream() -> Vec<u8> {
        let event = "1 2 3".repeat(70);
        let two = format!("7 {event}\n8 {event}");
        let notification = message(b'A', &[&[0, 0, 0, 9], b"bench\0", two.as_bytes(), b"\0"]);
        let row = message(b'd', &[format!("9\t{event}\n").as_bytes()]);
        let short = message(b'd', &[b"10\t\n"]);
        [
            message(b'C', &[b"INSERT 0 1\0"]),
            message(b'Z', &[b"I"]),
            notification,
            row,
            short,
            message(b'Z', &[b"I"]),
        ]
        .concat()
    }

    #[test]
    fn messages_count_the_same_wherever_they_are_cut() {
        wherever_it_is_cut(&stream(), Messages::default, |heard, _| {
            assert_eq!((heard.answers, heard.tally.count), (2, 4));
        });
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        let error = message(b'E', &[b"SERROR\0Mno such table\0\0"]);
        let read = Messages::default().read(&error, &mut Heard::default(), &mut Vec::new());
        assert!(read.unwrap_err().to_string().contains("no such table"));
        assert!(ready(&error).is_err());
    }

    #[test]
    fn a_connection_is_ready_when_the_server_says_so() {
        let come = [message(b'R', &[&[0; 4]]), message(b'Z', &[b"I"])].concat();
        assert_eq!(ready(&come[..come.len() - 1]).unwrap(), None);
        assert_eq!(ready(&come).unwrap(), Some(come.len()));
    }

    #[test]
    fn the_first_message_says_its_own_length() {
        let start = start();
        assert_eq!(
            start[..8],
            [0, 0, 0, u8::try_from(start.len()).unwrap(), 0, 3, 0, 0]
        );
        assert!(start.ends_with(b"\0\0"));
    }

    #[test]
    fn an_array_says_its_length_and_that_of_its_texts() {
        let bytes = array(["ab", "c"].into_iter());
        assert_eq!(
            bytes[..20],
            [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1]
        );
        assert_eq!(bytes[20..], [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 1, b'c']);
    }
}
