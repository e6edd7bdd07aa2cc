//! Reads a stream of server-sent events: bytes in, messages out.
use std::io::{self, BufRead, BufReader, Read};

/// One message of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The name; empty for an event of the ledger.
    pub(crate) event: String,
    /// The last event id, where the message carries one.
    pub(crate) id: Option<String>,
    /// The data, lines joined by line feeds.
    pub(crate) data: Vec<u8>,
}

/// Messages of a stream. Unlike a browser it also yields messages that carry an id and no data, since they move the
/// cursor.
pub(crate) struct Messages<R> {
    reader: BufReader<R>,
}

impl<R: Read> Messages<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(256 << 10, reader),
        }
    }

    /// Whether more can be had without waiting.
    pub(crate) fn has_more_at_hand(&self) -> bool {
        !self.reader.buffer().is_empty()
    }

    /// The next message; `None` at the end of the stream. A message cut off by the end is not handed out.
    pub(crate) fn next(&mut self) -> io::Result<Option<Message>> {
        let mut message = Message::default();
        let mut any = false;
        let mut data = false;
        let mut line = Vec::new();
        loop {
            line.clear();
            self.reader.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                return Ok(None);
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.is_empty() {
                if any {
                    return Ok(Some(message));
                }
                continue;
            }
            let (field, value) = split(&line);
            match field {
                b"data" => {
                    if data {
                        message.data.push(b'\n');
                    }
                    message.data.extend_from_slice(value);
                    data = true;
                }
                b"event" => message.event = String::from_utf8_lossy(value).into_owned(),
                b"id" => message.id = Some(String::from_utf8_lossy(value).into_owned()),
                // Comments and `retry`: signs of life.
                _ => continue,
            }
            any = true;
        }
    }
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b':') {
        None => (line, b""),
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<Message> {
        let mut stream = Messages::new(text.as_bytes());
        std::iter::from_fn(|| stream.next().expect("memory does not fail")).collect()
    }

    #[test]
    fn a_message_ends_at_the_empty_line_and_a_cut_one_is_dropped() {
        let got = messages(
            "id: 7\ndata: {\"seq\":7}\n\n: still here\n\nid: 9\n\nevent: gap\ndata: {}\n\nid: 10\ndata: {",
        );
        assert_eq!(got.len(), 3);
        assert_eq!(
            (got[0].id.as_deref(), &got[0].data[..]),
            (Some("7"), &b"{\"seq\":7}"[..])
        );
        assert_eq!((got[1].id.as_deref(), got[1].data.len()), (Some("9"), 0));
        assert_eq!((&got[2].event[..], &got[2].data[..]), ("gap", &b"{}"[..]));
    }

    #[test]
    fn carriage_returns_and_several_data_lines_are_understood() {
        let got = messages("data: a\r\ndata:b\r\n\r\n");
        assert_eq!(got[0].data, b"a\nb");
    }
}
