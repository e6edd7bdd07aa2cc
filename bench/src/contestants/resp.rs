//! The protocol of Redis (RESP 2): commands are written whole, replies are counted without being built.

use crate::{
    Outcome,
    load::{Heard, Idle, Wire},
};

/// A command as an array of bulk strings.
pub(super) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Asks for what follows entry `id`, and to be told when there is something.
pub(super) fn read_after(stream: &str, id: &[u8], count: &str) -> Vec<u8> {
    let words: [&[u8]; 8] = [
        b"XREAD",
        b"COUNT",
        count.as_bytes(),
        b"BLOCK",
        b"0",
        b"STREAMS",
        stream.as_bytes(),
        id,
    ];
    command(&words)
}

/// Counts replies; of a reader's also the entries in them, and asks for more after each.
pub(super) struct Replies {
    /// Values that are still missing in the reply that is being read; 0 between replies.
    missing: u64,
    /// The rest of a long string; `None` outside of one.
    rest: Option<Idle>,
    reader: Option<Reader>,
}

struct Reader {
    stream: &'static str,
    count: &'static str,
    last: Vec<u8>,
}

/// Longest string that is looked at; ids are shorter, events longer.
const LOOKED_AT: usize = 64;

impl Replies {
    /// Of a writer.
    pub(super) const fn counted() -> Self {
        Self {
            missing: 0,
            rest: None,
            reader: None,
        }
    }

    /// Of a reader, which asks for `count` entries at a time.
    pub(super) const fn of_a_reader(stream: &'static str, count: &'static str) -> Self {
        let last = Vec::new();
        Self {
            missing: 0,
            rest: None,
            reader: Some(Reader { stream, count, last }),
        }
    }

    fn string(&mut self, text: &[u8], heard: &mut Heard) -> Outcome {
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        let Some(position) = position(text) else {
            return Ok(());
        };
        reader.last.clear();
        reader.last.extend_from_slice(text);
        heard.tally.take(position)
    }

    /// One value has been read, which holds `inner` others.
    fn value(&mut self, inner: u64, heard: &mut Heard, reply: &mut Vec<u8>) {
        self.missing = self.missing.max(1) - 1 + inner;
        if self.missing > 0 {
            return;
        }
        heard.answers += 1;
        if let Some(reader) = &self.reader {
            reply.extend_from_slice(&read_after(reader.stream, &reader.last, reader.count));
        }
    }
}

impl Wire for Replies {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, reply: &mut Vec<u8>) -> Outcome<usize> {
        let mut at = 0;
        loop {
            if let Some(rest) = &mut self.rest {
                let (passed, is_whole) = rest.pass(&bytes[at..]);
                at += passed;
                if !is_whole {
                    return Ok(at);
                }
                self.rest = None;
                self.value(0, heard, reply);
            }
            let Some((line, next)) = line(&bytes[at..]) else {
                return Ok(at);
            };
            let (kind, rest) = line.split_first().ok_or("an empty line")?;
            match kind {
                b'-' => return Err(String::from_utf8_lossy(rest).into_owned().into()),
                b'*' => self.value(number(rest)?.unwrap_or(0), heard, reply),
                b'$' => {
                    let Some(length) = number(rest)? else {
                        self.value(0, heard, reply);
                        at += next;
                        continue;
                    };
                    let length = usize::try_from(length)?;
                    if length > LOOKED_AT {
                        self.rest = Some(Idle::of(length + 2));
                    } else {
                        let Some(text) = bytes.get(at + next..at + next + length + 2) else {
                            return Ok(at);
                        };
                        self.string(&text[..length], heard)?;
                        self.value(0, heard, reply);
                        at += length + 2;
                    }
                }
                _ => self.value(0, heard, reply),
            }
            at += next;
        }
    }
}

/// The line that begins here without its end, and where the next begins.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((&bytes[..end.checked_sub(1)?], end + 1))
}

/// A length; `None` for the null that has the length -1.
fn number(text: &[u8]) -> Outcome<Option<u64>> {
    let text = std::str::from_utf8(text)?;
    Ok(if text == "-1" { None } else { Some(text.parse()?) })
}

/// An entry's id, `milliseconds-number`, as one number that rises with it; `None` if it is not one.
fn position(text: &[u8]) -> Option<u64> {
    let (millis, number) = std::str::from_utf8(text).ok()?.split_once('-')?;
    let (millis, number): (u64, u64) = (millis.parse().ok()?, number.parse().ok()?);
    Some(millis << 20 | number)
}

/// Bytes of the error or the reply that begins here, once it is whole.
pub(super) fn line_or_reply(come: &[u8]) -> Outcome<Option<usize>> {
    if come.starts_with(b"-") {
        return Ok(line(come).map(|(_, next)| next));
    }
    let (mut replies, mut heard) = (Replies::counted(), Heard::default());
    let used = replies.read(come, &mut heard, &mut Vec::new())?;
    Ok((heard.answers > 0).then_some(used))
}

/// The string that follows `name` in a reply of names and values.
pub(super) fn value_of(reply: &[u8], name: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(reply, name)? + name.len() + 2;
    let (_, next) = line(&reply[at..])?;
    let (value, _) = line(&reply[at + next..])?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::wherever_it_is_cut;

    fn entries(ids: &[&str]) -> Vec<u8> {
        let mut reply = format!("*1\r\n*2\r\n$5\r\nbench\r\n*{}\r\n", ids.len());
        for id in ids {
            let event = "1-2 ".repeat(30);
            reply += &format!(
                "*2\r\n${}\r\n{id}\r\n*2\r\n$1\r\ne\r\n${}\r\n{event}\r\n",
                id.len(),
                event.len()
            );
        }
        reply.into_bytes()
    }

    #[test]
    fn a_readers_replies_count_the_same_wherever_they_are_cut() {
        let stream = [entries(&["5-0", "5-1"]), entries(&["6-0"])].concat();
        let asked = [read_after("bench", b"5-1", "9"), read_after("bench", b"6-0", "9")].concat();
        let reader = || Replies::of_a_reader("bench", "9");
        wherever_it_is_cut(&stream, reader, |heard, reply| {
            assert_eq!((heard.answers, heard.tally.count), (2, 3));
            assert_eq!(reply, asked);
        });
    }

    #[test]
    fn a_transaction_has_an_answer_for_each_of_its_commands() {
        let replies = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n5-0\r\n$3\r\n5-1\r\n";
        let (mut wire, mut heard) = (Replies::counted(), Heard::default());
        let used = wire.read(replies, &mut heard, &mut Vec::new()).unwrap();
        assert_eq!((used, heard.answers), (replies.len(), 4));
    }

    #[test]
    fn an_error_is_an_error_and_a_null_is_an_answer() {
        let (mut wire, mut heard) = (Replies::counted(), Heard::default());
        assert!(wire.read(b"-ERR no\r\n", &mut heard, &mut Vec::new()).is_err());
        wire.read(b"$-1\r\n*-1\r\n:4\r\n", &mut heard, &mut Vec::new())
            .unwrap();
        assert_eq!(heard.answers, 3);
    }

    #[test]
    fn ids_rise_as_their_positions_do() {
        let ids: [&[u8]; 4] = [
            b"1700000000000-0",
            b"1700000000000-1",
            b"1700000000000-999",
            b"1700000000001-0",
        ];
        assert!(ids.map(|id| position(id).unwrap()).is_sorted());
        assert_eq!(position(b"bench"), None);
        assert_eq!(position(b"e"), None);
    }

    #[test]
    fn the_last_id_of_a_stream_is_found() {
        let reply = b"*4\r\n$6\r\nlength\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n5-1\r\n";
        assert_eq!(line_or_reply(reply).unwrap(), Some(reply.len()));
        assert_eq!(value_of(reply, b"last-generated-id").as_deref(), Some("5-1"));
    }
}
