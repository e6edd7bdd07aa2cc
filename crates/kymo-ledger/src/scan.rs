//! Looks at bytes as lines: is this the line of that seq, and where does the next good line begin after damage.

use kymo_event::check_crc;
use memchr::{memchr, memmem};

/// How every line begins.
pub(crate) const LINE_START: &[u8] = b"{\"seq\":";
const AFTER_SEQ: &[u8] = b",\"recorded\":\"";

/// The text a line of some seq begins with, kept in step with the seq so that no line's number is parsed on the way
/// of a sequential read.
#[derive(Clone)]
pub(crate) struct ExpectedStart {
    text: [u8; 32],
    len: usize,
}

impl ExpectedStart {
    pub(crate) fn of(seq: u64) -> Self {
        let mut text = [0; 32];
        let digits = seq.to_string();
        let mut len = 0;
        for part in [LINE_START, digits.as_bytes(), b","] {
            text[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Self { text, len }
    }

    pub(crate) fn advance(&mut self) {
        let digits = LINE_START.len()..self.len - 1;
        for at in digits.rev() {
            if self.text[at] == b'9' {
                self.text[at] = b'0';
            } else {
                self.text[at] += 1;
                return;
            }
        }
        // All nines: the number grew by a digit, which happens twenty times in a ledger's life.
        self.text
            .copy_within(LINE_START.len()..self.len, LINE_START.len() + 1);
        self.text[LINE_START.len()] = b'1';
        self.len += 1;
    }

    /// Whether `line` (without line feed) is the line of this seq, with the bytes it was written with.
    pub(crate) fn fits(&self, line: &[u8]) -> bool {
        line.starts_with(&self.text[..self.len]) && check_crc(line)
    }
}

/// The seq a line begins with, if it has the form of one.
pub(crate) fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(LINE_START)?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let plain = rest[..digits].first().is_some_and(|&digit| digit != b'0');
    if !plain || !rest[digits..].starts_with(AFTER_SEQ) {
        return None;
    }
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Whether a line (without line feed) has the form that the writer gives to `seq`, whatever its checksum says: then
/// it was finished once and damaged later.
pub(crate) fn looks_finished(line: &[u8], seq: u64) -> bool {
    const END: usize = r#","crc":"00000000"}"#.len();
    seq_of(line) == Some(seq)
        && line.len() > END
        && line[line.len() - END..].starts_with(b",\"crc\":\"")
        && line.ends_with(b"\"}")
        && memchr(0, line).is_none()
}

/// A good line found after damage: where it begins and ends (behind its line feed) and its seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) seq: u64,
}

/// Looks for a good line with a seq of `seqs` in one piece: `bytes[from..feed]`, `feed` being a line feed. It may
/// begin inside, where the line feed before it is what was damaged.
pub(crate) fn good_line_in(
    bytes: &[u8],
    from: usize,
    feed: usize,
    seqs: std::ops::RangeInclusive<u64>,
) -> Option<Found> {
    let piece = &bytes[from..feed];
    memmem::find_iter(piece, LINE_START).find_map(|at| {
        let line = &piece[at..];
        let seq = seq_of(line).filter(|seq| seqs.contains(seq))?;
        check_crc(line).then_some(Found {
            start: from + at,
            end: feed + 1,
            seq,
        })
    })
}

#[cfg(test)]
mod tests {
    use kymo_event::{Micros, Seq, write_line};

    use super::*;

    fn line(seq: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let body = br#","type":"a","source":"b","level":"info""#;
        write_line(&mut out, Seq::new(seq).unwrap(), &Micros(0).text(), body);
        out.pop();
        out
    }

    #[test]
    fn the_expected_start_counts_like_the_numbers() {
        let mut start = ExpectedStart::of(1);
        for seq in 1..=12_345 {
            assert_eq!(
                start.text[..start.len],
                ExpectedStart::of(seq).text[..start.len],
                "{seq}"
            );
            assert!(start.fits(&line(seq)));
            assert!(!start.fits(&line(seq + 1)));
            start.advance();
        }
    }

    #[test]
    fn a_seq_is_read_only_from_the_form_the_writer_gives() {
        assert_eq!(seq_of(&line(17)), Some(17));
        assert_eq!(seq_of(b"{\"seq\":017,\"recorded\":\""), None);
        assert_eq!(seq_of(b"{\"seq\":17}"), None);
        assert_eq!(seq_of(b"{\"seq\":99999999999999999999,\"recorded\":\""), None);
    }

    #[test]
    fn a_line_behind_a_damaged_line_feed_is_found() {
        let mut bytes = line(4);
        bytes.push(b'\x0b');
        let start = bytes.len();
        bytes.extend(line(5));
        let feed = bytes.len();
        bytes.push(b'\n');
        let found = good_line_in(&bytes, 0, feed, 4..=9);
        assert_eq!(
            found,
            Some(Found {
                start,
                end: feed + 1,
                seq: 5
            })
        );
        assert_eq!(good_line_in(&bytes, 0, feed, 6..=9), None);
    }
}
