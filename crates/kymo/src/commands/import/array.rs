//! A file that is one JSON array instead of lines.
use std::io::{self, BufRead};

use kymo_event::{Limits, RecordFormat, Records};

use super::loader::Sending;

/// Whether the first thing in the input is an opening bracket.
pub(super) fn begins(input: &mut dyn BufRead) -> io::Result<bool> {
    let start = input.fill_buf()?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    Ok(start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'['))
}

/// Reads every record. A text that begins with a bracket may still be lines that are arrays; the records say so.
pub(super) fn each(text: &[u8], loader: &mut Sending<'_>) {
    let limits = Limits {
        event_bytes_max: usize::MAX,
        batch_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let records = match Records::new(text, RecordFormat::Json, &limits) {
        Ok(records) => records,
        Err(refusal) => return loader.element(Err(refusal), 0, 1),
    };
    let (mut line, mut counted) = (1, 0);
    for found in records {
        let byte = found.byte.min(text.len());
        line += memchr::memchr_iter(b'\n', &text[counted..byte]).count() as u64;
        counted = byte;
        loader.element(found.value, byte as u64, line);
        if loader.is_over() {
            return;
        }
    }
}
