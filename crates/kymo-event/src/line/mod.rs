//! One line of the ledger: written once, read by position of its keys.
//!
//! [`write_line`] is all that the writer thread does to an event; [`LineView`] is how every reader looks at one.
mod spans;
mod tail;
mod view;

pub use spans::LineSpans;
pub use view::LineView;

use crate::{Micros, Seq, json};

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
    let crc = crc32c::crc32c(&out[start..]);
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
    suffix.starts_with(CRC) && suffix.ends_with(b"\"}") && *crc == hex(crc32c::crc32c(bytes))
}

fn hex(crc: u32) -> [u8; 8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 8];
    for (slot, byte) in out.chunks_exact_mut(2).zip(crc.to_be_bytes()) {
        slot[0] = DIGITS[usize::from(byte >> 4)];
        slot[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}
