//! One line of the ledger: written once, read by position of its keys.
//!
//! [`write_line`] is all that the writer does to an event; [`LineView`] is how every reader looks at one.
mod keys;
mod spans;
mod tail;
mod view;

pub use keys::{BodyKeys, parts_of};
pub use spans::LineSpans;
pub use view::LineView;

use crate::{Micros, Seq, checksum, json};

const HEAD: &[u8] = b"{\"seq\":";
const RECORDED: &[u8] = b",\"recorded\":\"";
const CRC: &[u8] = b",\"crc\":\"";
/// `,"crc":"9ae0daaf"}`
const CRC_LEN: usize = CRC.len() + 10;

/// What is wrong with a line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Does not have the form that [`write_line`] gives.
    #[error("not a ledger line: {0}")]
    Form(&'static str),
    /// The checksum does not fit the bytes.
    #[error("checksum does not match")]
    Checksum,
}

/// Appends `{"seq":…,"recorded":"…"<body>,"crc":"…"}` and a line feed to `out`.
///
/// The checksum is CRC-32C over the line's bytes before `,"crc"`.
pub fn write_line(out: &mut Vec<u8>, seq: Seq, recorded: &[u8; Micros::TEXT_LEN], body: &[u8]) {
    let start = out.len();
    out.reserve(body.len() + 96);
    out.extend_from_slice(HEAD);
    json::push_number(out, seq.get());
    out.extend_from_slice(RECORDED);
    out.extend_from_slice(recorded);
    out.push(b'"');
    out.extend_from_slice(body);
    let crc = checksum(&out[start..]);
    out.extend_from_slice(CRC);
    out.extend_from_slice(&hex(crc));
    out.extend_from_slice(b"\"}\n");
}

/// Whether the line (without its line feed) ends in the checksum of its own bytes.
#[must_use]
pub fn check_crc(line: &[u8]) -> bool {
    let Some(end) = line.len().checked_sub(CRC_LEN) else {
        return false;
    };
    let (bytes, suffix) = line.split_at(end);
    let crc = &suffix[CRC.len()..CRC.len() + 8];
    suffix.starts_with(CRC) && suffix.ends_with(b"\"}") && *crc == hex(checksum(bytes))
}

/// Eight digits at once: a nibble in each byte of a word, the highest first.
fn hex(crc: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TO_LETTERS: u64 = (b'a' - b'0' - 10) as u64;
    let mut nibbles = u64::from(crc);
    nibbles = (nibbles | nibbles << 16) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles | nibbles << 8) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (nibbles + EACH * 6) >> 4 & EACH;
    (nibbles + EACH * b'0' as u64 + letters * TO_LETTERS).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_in_eight_lower_case_digits() {
        for crc in [0, 9, 0xa, 0x9ae0_daaf, 0x0123_4567, 0x89ab_cdef, u32::MAX] {
            assert_eq!(&hex(crc), format!("{crc:08x}").as_bytes());
        }
    }
}
