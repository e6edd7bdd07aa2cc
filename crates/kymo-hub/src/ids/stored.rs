//! Single lines from the ledger, neighbours read together.

use bytes::Bytes;
use kymo_event::{Filter, LineView, Seq};
use kymo_ledger::{Chunk, Ledger};

/// What is read at once: a retried batch asks for many neighbours.
const READ_BYTES: usize = 64 << 10;

/// Gets lines by seq. Blocking.
pub(super) struct StoredLines {
    ledger: Ledger,
    /// The seq of the first line, the lines, and where each ends behind its line feed.
    read: Option<(Seq, Bytes, Vec<u32>)>,
}

impl StoredLines {
    pub(super) fn new(ledger: Ledger) -> Self {
        Self { ledger, read: None }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The line, unless it is gone or cannot be read.
    pub(super) fn get(&mut self, seq: Seq) -> Option<Bytes> {
        if self.index_of(seq).is_none() {
            self.read = self.read_at(seq);
        }
        let index = self.index_of(seq)?;
        let (_, bytes, ends) = self.read.as_ref()?;
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        Some(bytes.slice(start as usize..ends[index] as usize - 1))
    }

    fn index_of(&self, seq: Seq) -> Option<usize> {
        let (first, _, ends) = self.read.as_ref()?;
        let index = usize::try_from(seq.get().checked_sub(first.get())?).ok()?;
        (index < ends.len()).then_some(index)
    }

    fn read_at(&self, seq: Seq) -> Option<(Seq, Bytes, Vec<u32>)> {
        match self.ledger.read(seq, &Filter::all()).next_chunk(READ_BYTES) {
            Ok(Chunk::Events { lines, .. }) => {
                let first = LineView::parse(lines.line(0)).ok()?.seq();
                let (bytes, ends) = lines.into_bytes();
                Some((first, bytes, ends))
            }
            _ => None,
        }
    }
}
