//! A group: what one write and one sync make durable. Here lines get their seq, time and checksum.

use std::sync::Arc;

use kymo_event::{BodyKeys, Micros, Seq, write_line};

use crate::{Lines, buffers::Buffers, queue::Pending, segment::End, settings::BLOCK_EVENTS};

/// Where a group leaves one segment for a new one: after this many lines and bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roll {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
}

/// Lines made from the bodies of some batches.
pub(crate) struct Group {
    pub(crate) lines: Lines,
    /// Of each line, what was noted when its body was written.
    pub(crate) keys: Arc<Vec<Option<BodyKeys>>>,
    pub(crate) rolls: Vec<Roll>,
}

/// Room that the writer's own keys take in a line, at most.
const ADDED_BYTES: usize =
    r#"{"seq":18446744073709551615,"recorded":"","crc":"00000000"}"#.len() + Micros::TEXT_LEN + 1;

/// Whether a segment that ends here is complete: at the first block end at or above `segment_bytes_max`, whoever writes
/// it and however it was grouped.
pub(crate) fn is_full(end: End, segment_bytes_max: u64) -> bool {
    end.last.is_multiple_of(BLOCK_EVENTS) && end.bytes >= segment_bytes_max
}

/// Makes the group that begins at `first`, in a segment of `segment_bytes`. A segment is full at the first block end
/// at or above `segment_bytes_max`, whoever writes it and however it was grouped.
pub(crate) fn build(
    buffers: &Buffers,
    pending: &[Pending],
    first: Seq,
    recorded: Micros,
    mut segment_bytes: u64,
    segment_bytes_max: u64,
) -> Group {
    let events: usize = pending.iter().map(|pending| pending.batch.len()).sum();
    let bodies: usize = pending.iter().map(|pending| pending.batch.bytes()).sum();
    // One more, so that writing the last line need not ask for room it will not use.
    let mut bytes = buffers.take(bodies + (events + 1) * ADDED_BYTES);
    let mut ends = Vec::with_capacity(events);
    let mut keys = Vec::with_capacity(events);
    keys.extend(pending.iter().flat_map(|pending| pending.batch.keys()));
    let mut rolls = Vec::new();
    let recorded = recorded.text();
    let mut seq = first;
    for body in pending.iter().flat_map(|pending| pending.batch.bodies()) {
        let start = bytes.len();
        write_line(&mut bytes, seq, &recorded, body);
        ends.push(u32::try_from(bytes.len()).expect("a group is far smaller than 4 GiB"));
        segment_bytes += (bytes.len() - start) as u64;
        let end = End {
            last: seq.get(),
            bytes: segment_bytes,
        };
        if is_full(end, segment_bytes_max) {
            rolls.push(Roll {
                lines: ends.len(),
                bytes: bytes.len(),
            });
            segment_bytes = 0;
        }
        seq = seq.next();
    }
    Group {
        lines: Lines {
            first,
            bytes: bytes.share(),
            ends: Arc::from(ends),
        },
        keys: Arc::new(keys),
        rolls,
    }
}
