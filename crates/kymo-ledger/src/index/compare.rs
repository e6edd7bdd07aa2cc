//! Holds a stored index against the one its segment's lines make now.

use kymo_event::{Seq, checksum};

use super::{
    block::{BLOCK_HEAD, BlockHead},
    file_head::{FILE_HEAD, FileHead},
    tables,
};
use crate::{chain::Chain, notices::Damage, walk::Hole};

/// A comparison in progress: head, then blocks, then tables.
pub(crate) struct Comparison<'a> {
    stored: &'a [u8],
    first: u64,
    file: String,
    lines_file: String,
    /// Places where the lines are damaged: there the index cannot agree.
    holes: &'a [Hole],
    at: usize,
    chain: Option<Chain>,
    /// All of the stored index up to here is whole and agrees with itself.
    whole: bool,
    unfinished: bool,
    last: u64,
    pub(crate) damage: Vec<Damage>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(
        stored: &'a [u8],
        first: u64,
        file: String,
        lines_file: String,
        holes: &'a [Hole],
    ) -> Self {
        Self {
            stored,
            first,
            file,
            lines_file,
            holes,
            at: FILE_HEAD,
            chain: None,
            whole: true,
            unfinished: false,
            last: first,
            damage: Vec::new(),
        }
    }

    /// The chain the stored index ends with, where it could be read.
    pub(crate) fn chain(&self) -> Option<Chain> {
        self.chain
    }

    /// The head must be this segment's and go on from `before`, the stored chain before it.
    pub(crate) fn head(&mut self, before: Option<Chain>) {
        let head = FileHead::read(self.stored).filter(|head| head.first == self.first);
        self.chain = head.map(|head| head.chain);
        let goes_on = before.is_none() || self.chain.is_none() || before == self.chain;
        if head.is_none() && !self.stored.is_empty() {
            self.spoiled(
                0,
                self.stored.len().min(FILE_HEAD),
                self.first,
                self.first,
                "the head of the index",
            );
        } else if !goes_on {
            self.spoiled(
                16,
                32,
                self.first,
                self.first,
                "the chain does not go on from the segment before",
            );
        }
    }

    /// `made` are the records the lines make now.
    pub(crate) fn blocks(&mut self, made: &[(BlockHead, Vec<u8>)]) {
        for (head, record) in made {
            self.last = head.first + u64::from(head.count) - 1;
            let stored = &self.stored[self.at.min(self.stored.len())..];
            if stored.len() < record.len() && record.starts_with(stored) {
                self.unfinished = true;
                return;
            }
            match whole_record(stored) {
                Some(found) => {
                    self.compare(&found, &stored[..found.record_len()], head, record);
                    self.chain = Some(found.chain);
                    self.at += found.record_len();
                }
                None => {
                    let (from, bytes) = difference(stored, record);
                    self.spoiled(self.at + from, bytes, head.first, self.last, "a block record");
                    // What was stored there said the chain; it is taken up again with the next record.
                    self.chain = None;
                    self.at += record.len();
                }
            }
        }
    }

    fn compare(&mut self, found: &BlockHead, stored: &[u8], head: &BlockHead, record: &[u8]) {
        let linked = self
            .chain
            .is_none_or(|before| before.then(&found.root) == found.chain);
        if !linked {
            self.spoiled(self.at, BLOCK_HEAD, head.first, self.last, "the chain of a block");
        }
        if found.root != head.root {
            if !self.explained(head) {
                self.damage.push(Damage {
                    file: self.lines_file.clone(),
                    byte: found.offset,
                    bytes: found.bytes,
                    first: seq(head.first),
                    last: seq(self.last),
                    reason: "lines are whole but not those that were written: the block has another root"
                        .to_owned(),
                });
            }
        } else if stored[BLOCK_HEAD..] != record[BLOCK_HEAD..] && !self.explained(head) {
            let (from, bytes) = difference(&stored[BLOCK_HEAD..], &record[BLOCK_HEAD..]);
            self.spoiled(
                self.at + BLOCK_HEAD + from,
                bytes,
                head.first,
                self.last,
                "a block record",
            );
        }
    }

    fn explained(&self, head: &BlockHead) -> bool {
        let end = head.offset + head.bytes;
        let touches = |hole: &Hole| {
            (hole.byte < end && hole.byte + hole.bytes >= head.offset)
                || (hole.first <= self.last && hole.last >= head.first)
        };
        self.holes.iter().any(touches)
    }

    /// Behind the blocks stand the tables of a sealed segment, or as much of them as was written before a crash.
    pub(crate) fn tables(&mut self, complete: bool) {
        let rest = &self.stored[self.at.min(self.stored.len())..];
        if self.unfinished || rest.is_empty() {
            return;
        }
        let Some(made) = tables::seal(&self.stored[..self.at])
            .ok()
            .filter(|_| self.whole && complete)
        else {
            // Blocks that cannot be read were named above; what follows them can only vouch for itself.
            let sealed = tables::are_whole(self.stored);
            if !(complete && sealed) {
                self.spoiled(self.at, rest.len(), self.last, self.last, "the end of the index");
            }
            return;
        };
        if !made.starts_with(rest) {
            let (from, bytes) = difference(rest, &made);
            self.spoiled(
                self.at + from,
                bytes,
                self.first,
                self.last,
                "the tables of the index",
            );
        }
    }

    fn spoiled(&mut self, byte: usize, bytes: usize, first: u64, last: u64, what: &str) {
        self.whole = false;
        self.damage.push(Damage {
            file: self.file.clone(),
            byte: byte as u64,
            bytes: bytes as u64,
            first: seq(first),
            last: seq(last),
            reason: format!("{what} is not what the lines say; no event is lost"),
        });
    }
}

/// The head of a record of which every part fits its checksum.
fn whole_record(bytes: &[u8]) -> Option<BlockHead> {
    let (head, _) = BlockHead::read(bytes)?;
    let record = bytes.get(..head.record_len())?;
    let (columns, ids) = record[head.head_len()..].split_at(head.columns_len as usize);
    let good = checksum(columns) == head.columns_crc && checksum(ids) == head.ids_crc;
    // The bytes between the last field and the end of the head are zero in every record.
    good.then_some(head)
}

/// First differing byte, and how many from there to the last one.
fn difference(stored: &[u8], made: &[u8]) -> (usize, usize) {
    let differs = |(stored, made): (&u8, &u8)| stored != made;
    let from = stored
        .iter()
        .zip(made)
        .position(differs)
        .unwrap_or(stored.len().min(made.len()));
    let same_end = match stored.len() == made.len() {
        true => stored
            .iter()
            .rev()
            .zip(made.iter().rev())
            .position(differs)
            .unwrap_or(0),
        false => 0,
    };
    let to = stored.len().min(made.len()).saturating_sub(same_end);
    (from, to.saturating_sub(from))
}

fn seq(value: u64) -> Seq {
    Seq::new(value).unwrap_or(Seq::FIRST)
}
