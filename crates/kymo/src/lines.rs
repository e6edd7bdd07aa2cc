//! Lines of a file or pipe, one at a time and none without bound: a file that is one endless line costs no memory.
use std::io::{self, BufRead};

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1, blank lines counted.
    pub(crate) number: usize,
    /// Where it begins in the input.
    pub(crate) byte: u64,
    /// Without its line feed. `None`: it is longer than allowed and was skipped.
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Line {
    /// Whether there is nothing but white space.
    pub(crate) fn is_blank(&self) -> bool {
        self.bytes
            .as_ref()
            .is_some_and(|bytes| bytes.iter().all(u8::is_ascii_whitespace))
    }
}

/// Reads lines up to a size. A byte-order mark at the beginning is no part of the first one.
pub(crate) struct Lines<R> {
    reader: R,
    line_bytes_max: usize,
    number: usize,
    byte: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, line_bytes_max: usize) -> Self {
        Self {
            reader,
            line_bytes_max,
            number: 0,
            byte: 0,
        }
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let start = self.byte;
        let mut bytes = Vec::new();
        let mut too_long = false;
        loop {
            let part = self.reader.fill_buf()?;
            if part.is_empty() {
                break;
            }
            let end = part.iter().position(|&byte| byte == b'\n');
            let text = &part[..end.unwrap_or(part.len())];
            too_long |= bytes.len() + text.len() > self.line_bytes_max;
            if !too_long {
                bytes.extend_from_slice(text);
            }
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            self.byte += used as u64;
            if end.is_some() {
                break;
            }
        }
        if self.byte == start {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        Ok(Some(Line {
            number: self.number,
            byte: start,
            bytes: (!too_long).then_some(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], max: usize) -> Vec<(usize, u64, Option<String>)> {
        // A tiny buffer, so that lines span several reads.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, text), max);
        std::iter::from_fn(|| lines.next().expect("memory does not fail"))
            .map(|line| {
                (
                    line.number,
                    line.byte,
                    line.bytes.map(|b| String::from_utf8(b).expect("text")),
                )
            })
            .collect()
    }

    #[test]
    fn lines_know_their_number_and_their_place() {
        let got = all(b"\xef\xbb\xbfabc\n\nlast", 99);
        assert_eq!(
            got,
            [
                (1, 0, Some("abc".into())),
                (2, 7, Some(String::new())),
                (3, 8, Some("last".into()))
            ]
        );
    }

    #[test]
    fn a_line_above_the_limit_is_skipped_whole_and_the_next_one_is_read() {
        assert_eq!(all(b"abcdef\nxy\n", 4), [(1, 0, None), (2, 7, Some("xy".into()))]);
        assert_eq!(all(b"abcd\n", 4), [(1, 0, Some("abcd".into()))]);
    }
}
