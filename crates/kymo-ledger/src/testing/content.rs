//! A file's bytes, and how to take back what was not synced: page by page, as a power cut does.

use super::{Leaves, dice::Dice};

/// A file's bytes, and how to take back what was not synced.
#[derive(Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    unsynced: Vec<Change>,
}

struct Change {
    offset: usize,
    old: Vec<u8>,
    old_len: usize,
    new: Vec<u8>,
    /// `Some`: not a write but a cut (or extension) to this length.
    len: Option<usize>,
    /// Its sync failed: a later one does not make it durable.
    doomed: bool,
}

const PAGE: usize = 4096;

impl Content {
    /// Bytes that are durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            unsynced: Vec::new(),
        }
    }

    /// A write that no sync has made durable yet.
    pub(super) fn write(&mut self, offset: usize, new: &[u8]) {
        let end = offset + new.len();
        self.unsynced.push(Change {
            offset,
            old: self
                .bytes
                .get(offset..end.min(self.bytes.len()))
                .unwrap_or_default()
                .to_vec(),
            old_len: self.bytes.len(),
            new: new.to_vec(),
            len: None,
            doomed: false,
        });
        put(&mut self.bytes, offset, new);
    }

    /// A cut or an extension, likewise.
    pub(super) fn set_len(&mut self, len: usize) {
        self.unsynced.push(Change {
            offset: len.min(self.bytes.len()),
            old: self.bytes.get(len..).unwrap_or_default().to_vec(),
            old_len: self.bytes.len(),
            new: Vec::new(),
            len: Some(len),
            doomed: false,
        });
        self.bytes.resize(len, 0);
    }

    /// Makes what was written durable; if it `fails`, that never will be.
    pub(super) fn sync(&mut self, fails: bool) {
        if fails {
            self.unsynced.iter_mut().for_each(|change| change.doomed = true);
            return;
        }
        let len = self.bytes.len();
        self.unsynced
            .retain(|change| change.doomed && change.offset < len);
    }

    /// Takes back what was not synced, but for what `leaves` says.
    pub(super) fn cut_power(&mut self, leaves: Leaves, dice: &mut Dice) {
        if leaves == Leaves::Everything {
            self.unsynced.clear();
        }
        let changes = std::mem::take(&mut self.unsynced);
        for change in changes.iter().rev() {
            self.bytes
                .resize(change.old_len.max(change.offset + change.old.len()), 0);
            put(&mut self.bytes, change.offset, &change.old);
            self.bytes.truncate(change.old_len);
        }
        if let Leaves::Any(_) = leaves {
            changes.iter().for_each(|change| self.keep_some(change, dice));
        }
    }

    fn keep_some(&mut self, change: &Change, dice: &mut Dice) {
        if let Some(len) = change.len {
            if dice.below(2) == 0 {
                self.bytes.resize(len, 0);
            }
            return;
        }
        let mut at = 0;
        while at < change.new.len() {
            let page_end = (change.offset + at) / PAGE * PAGE + PAGE - change.offset;
            let end = page_end.min(change.new.len());
            if dice.below(2) == 0 {
                put(&mut self.bytes, change.offset + at, &change.new[at..end]);
            }
            at = end;
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(new);
}
