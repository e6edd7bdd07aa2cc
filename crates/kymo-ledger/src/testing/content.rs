//! A file's bytes as they are now and as they are on the disk, sector by sector: what a power cut may leave of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Leaves, dice::Dice};
use crate::disk::in_memory;

/// A file's bytes.
#[derive(Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    durable: Vec<u8>,
    /// What sectors held since the last good sync, oldest first.
    written: BTreeMap<usize, Vec<Vec<u8>>>,
    /// How long the file was since then.
    lengths: Vec<usize>,
    /// Sectors whose sync failed and that were not written again: a later sync does not make them durable.
    doomed: BTreeSet<usize>,
}

const SECTOR: usize = 512;
const PAGE: usize = 4096;

impl Content {
    /// Bytes that are durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            bytes,
            ..Self::default()
        }
    }

    /// A write that no sync has made durable yet.
    pub(super) fn write(&mut self, offset: usize, new: &[u8]) {
        let end = offset + new.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.lengths.push(end);
        }
        self.bytes[offset..end].copy_from_slice(new);
        self.note(offset / SECTOR..end.div_ceil(SECTOR));
    }

    /// A cut or an extension, likewise.
    pub(super) fn set_len(&mut self, len: usize) {
        let shorter = len < self.bytes.len();
        self.bytes.resize(len, 0);
        self.lengths.push(len);
        if shorter {
            let kept = len.div_ceil(SECTOR);
            self.written.retain(|&sector, _| sector < kept);
            self.doomed.retain(|&sector| sector < kept);
            self.note(len / SECTOR..kept);
        }
    }

    fn note(&mut self, sectors: std::ops::Range<usize>) {
        for sector in sectors {
            let end = self.bytes.len().min((sector + 1) * SECTOR);
            let content = self.bytes[sector * SECTOR..end].to_vec();
            self.written.entry(sector).or_default().push(content);
            self.doomed.remove(&sector);
        }
    }

    /// Makes what was written durable; if it `fails`, that never will be.
    pub(super) fn sync(&mut self, fails: bool) {
        if fails {
            self.doomed.extend(self.written.keys());
            return;
        }
        let shortest = self.lengths.drain(..).min().unwrap_or(usize::MAX);
        self.durable.truncate(shortest);
        self.durable.resize(self.bytes.len(), 0);
        for sector in self.written.keys().filter(|sector| !self.doomed.contains(sector)) {
            let range = sector * SECTOR..self.bytes.len().min((sector + 1) * SECTOR);
            self.durable[range.clone()].copy_from_slice(&self.bytes[range]);
        }
        self.written.retain(|sector, _| self.doomed.contains(sector));
    }

    /// Takes back what was not synced, but for what `leaves` says.
    pub(super) fn cut_power(&mut self, leaves: Leaves, dice: &mut Dice) {
        *self = Self::durable(match leaves {
            // Not durable yet, and what failed once still does.
            Leaves::Everything => return,
            Leaves::Nothing => std::mem::take(&mut self.durable),
            Leaves::Any(_) => self.some(dice),
        });
    }

    /// Any length the file had, and in it any content of each sector: most often the same choice for a whole page.
    fn some(&mut self, dice: &mut Dice) -> Vec<u8> {
        self.lengths.insert(0, self.durable.len());
        let len = self.lengths[in_memory(dice.below(self.lengths.len() as u64))];
        let mut left = std::mem::take(&mut self.durable);
        let (mut page, mut choice) = (usize::MAX, 0);
        for (sector, contents) in &self.written {
            let its_page = sector * SECTOR / PAGE;
            if its_page != page {
                (page, choice) = (its_page, dice.below(4));
            }
            let kept = match choice {
                0 => 0,
                1 => contents.len(),
                _ => in_memory(dice.below(contents.len() as u64 + 1)),
            };
            if let Some(content) = kept.checked_sub(1).map(|kept| &contents[kept]) {
                put(&mut left, sector * SECTOR, content);
            }
        }
        left.resize(len, 0);
        left
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(new);
}
