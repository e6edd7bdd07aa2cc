//! Holds a stored index against the one its segment's lines make now.

use kymo_event::Seq;
use memchr::memmem;

use super::{
    block::{BLOCK_HEAD, BlockHead, CHAIN, CRC, MAGIC},
    file_head::{FILE_HEAD, FileHead},
    tables,
};
use crate::{chain::Chain, notices::Damage, walk::Hole};

const TORN: &str =
    "the index was not finished, or its end is damaged; no event is lost, and opening the ledger finishes it";

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
    /// A later index has been begun, so that this one was finished.
    finished: bool,
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
        finished: bool,
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
            finished,
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
            if self.torn_from() == Some(FILE_HEAD.min(self.stored.len())) {
                return self.torn(0);
            }
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

    /// `made` are the records the lines make now; the segment reaches to `last`.
    pub(crate) fn blocks(&mut self, made: &[(BlockHead, Vec<u8>)], last: u64) {
        if self.unfinished {
            return;
        }
        for (head, record) in made {
            self.last = head.first + u64::from(head.count) - 1;
            let stored = self.rest();
            let stored_head = BlockHead::read(stored).map(|(head, _)| head);
            let changed = self.renumbered(head)
                || self.explained(head)
                || stored_head.is_some_and(|head| self.explained(&head));
            if begins(stored, record) || (changed && is_cut(stored, record)) {
                self.unfinished = true;
                return;
            }
            match whole_record(stored) {
                // Sealed when the ledger was closed; the segment has grown since.
                Some(found) if found.first == head.first && found.count < head.count => {
                    self.unfinished = true;
                    return;
                }
                Some(found) => {
                    self.compare(&found, &stored[..found.record_len()], head, record);
                    self.chain = Some(found.chain);
                    self.at += found.record_len();
                }
                None if self.torn_from().is_some() => return self.torn(self.at),
                None => {
                    let (from, bytes) = difference(stored, record);
                    self.spoiled(self.at + from, bytes, head.first, self.last, "a block record");
                    // What was stored there said the chain; it is taken up again with the next record.
                    self.chain = None;
                    self.at += behind(stored, self.last + 1).unwrap_or(record.len());
                }
            }
        }
        if self.holes.iter().any(|hole| hole.last == last) {
            self.lost_blocks();
        }
    }

    /// Blocks of which no line is left.
    fn lost_blocks(&mut self) {
        let end = tables::begin(self.stored);
        while end.is_none_or(|end| self.at < end) {
            match (whole_record(self.rest()), end) {
                (Some(found), _) if self.explained(&found) => {
                    self.chain = Some(found.chain);
                    self.at += found.record_len();
                }
                (None, Some(end)) => {
                    let rest = &self.stored[self.at..end];
                    let next = next_record(rest, |_| true).unwrap_or(rest.len());
                    self.spoiled(self.at, next, self.last, self.last, "a block record");
                    self.chain = None;
                    self.at += next;
                }
                // Without the trailer nobody knows how many they were.
                (None, None) => {
                    self.chain = None;
                    if self.rest().starts_with(MAGIC) && self.torn_from().is_none() {
                        let bytes = self.rest().len();
                        self.spoiled(self.at, bytes, self.first, self.last, "a block record");
                        self.at += bytes;
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.stored[self.at.min(self.stored.len())..]
    }

    fn compare(&mut self, found: &BlockHead, stored: &[u8], head: &BlockHead, record: &[u8]) {
        let linked = self
            .chain
            .is_none_or(|before| before.then(&found.root) == found.chain);
        if !linked {
            self.spoiled(self.at, BLOCK_HEAD, head.first, self.last, "the chain of a block");
        }
        let explained = self.explained(head) || self.explained(found);
        if found.root != head.root {
            if !explained {
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
        } else if stored[BLOCK_HEAD..] != record[BLOCK_HEAD..] && !explained && !self.renumbered(head) {
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
        let (end, last) = (head.offset + head.bytes, head.first + u64::from(head.count) - 1);
        let touches = |hole: &Hole| {
            (hole.byte < end && hole.byte + hole.bytes >= head.offset)
                || (hole.first <= last && hole.last >= head.first)
        };
        self.holes.iter().any(touches)
    }

    /// A name that stood for the first time in a lost line has another number now.
    fn renumbered(&self, head: &BlockHead) -> bool {
        self.holes.iter().any(|hole| hole.byte < head.offset)
    }

    /// Behind the blocks stand the tables of a sealed segment, or as much of them as was written before a crash.
    pub(crate) fn tables(&mut self, complete: bool) {
        let rest = self.rest();
        self.unfinished |= rest.is_empty();
        if self.unfinished {
            return;
        }
        let is_made = |made: Vec<u8>| made.starts_with(rest);
        if let Some(from) = self.torn_from()
            && !tables::seal(&self.stored[..self.at]).is_ok_and(is_made)
        {
            return self.torn(from);
        }
        let Some(made) = tables::seal(&self.stored[..self.at])
            .ok()
            .filter(|_| self.whole && complete)
        else {
            // Blocks that cannot be read were named above; what follows them can only vouch for itself. So can the end
            // of an index that was sealed when the ledger was closed, behind which the segment has grown since.
            let sealed = tables::are_whole(self.stored);
            let goes_on = complete || BlockHead::read(rest).is_none() || whole_record(rest).is_some();
            if !(goes_on && sealed) {
                self.spoiled(self.at, rest.len(), self.last, self.last, "the end of the index");
            }
            return;
        };
        if made.starts_with(rest) {
            self.unfinished = rest.len() < made.len();
        } else {
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

    /// From where on what stands there may never have been written as a whole: the newest index has no end before it is
    /// sealed, and what a crash leaves of the last write to it can be any part of that.
    fn torn_from(&self) -> Option<usize> {
        if self.finished || tables::are_whole(self.stored) {
            return None;
        }
        let mut at = self.at.min(self.stored.len());
        while let Some(found) = whole_record(&self.stored[at..]) {
            at += found.record_len();
        }
        next_record(&self.stored[at..], |_| true).is_none().then_some(at)
    }

    fn torn(&mut self, from: usize) {
        self.unfinished = true;
        self.chain = None;
        let bytes = self.stored.len() - from;
        if bytes > 0 {
            self.damage.push(Damage {
                file: self.file.clone(),
                byte: from as u64,
                bytes: bytes as u64,
                first: seq(self.last),
                last: seq(self.last),
                reason: TORN.to_owned(),
            });
        }
    }

    /// An index that must have come to its end has.
    pub(crate) fn end(&mut self, last: u64) {
        if self.finished && self.unfinished {
            self.chain = None;
            self.spoiled(
                self.stored.len(),
                0,
                self.first,
                last.max(self.first),
                "the end of the index",
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
    head.is_whole(bytes).then_some(head)
}

/// Where the record behind one that is not whole begins. Where the lines are damaged too, the one they make now need
/// not be as long as the one that was stored.
fn behind(stored: &[u8], next: u64) -> Option<usize> {
    let found = next_record(stored, |head| head.first == next);
    found.or_else(|| BlockHead::read(stored).map(|(head, _)| head.record_len()))
}

/// Where the first whole record begins that is the one looked for.
fn next_record(stored: &[u8], is_it: impl Fn(&BlockHead) -> bool) -> Option<usize> {
    let is_it = |at: &usize| whole_record(&stored[*at..]).is_some_and(|head| is_it(&head));
    memmem::find_iter(stored, MAGIC).find(is_it)
}

/// Whether `stored` is what a crash left of `record`; the chain, and with it the checksum, may be another one where
/// lines before are damaged.
fn begins(stored: &[u8], record: &[u8]) -> bool {
    let same = |part: std::ops::Range<usize>| {
        let end = stored.len().min(part.end);
        part.start >= end || stored[part.start..end] == record[part.start..end]
    };
    let parts = [0..CRC.start, CRC.end..CHAIN.start, CHAIN.end..record.len()];
    stored.len() < record.len() && parts.into_iter().all(same)
}

/// Whether a record ends before its end, where only it can say how long it was.
fn is_cut(stored: &[u8], record: &[u8]) -> bool {
    let bytes = BlockHead::read(stored).map_or(record.len(), |(head, _)| head.record_len());
    stored.len() < bytes
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
