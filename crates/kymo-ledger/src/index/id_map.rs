//! Which blocks of a segment may hold some idempotency keys: by the table of a sealed segment, read in parts or held in
//! memory, or by a map that grows with a segment that is not sealed yet.

use std::{borrow::Cow, collections::HashMap};

use kymo_event::IdKey;

use super::{
    ids,
    keys::HashIsKey,
    load::{Index, IndexBytes},
    tables::Table,
};

/// What is in memory of the ids of a segment.
#[derive(Default)]
pub(crate) enum IdMap {
    /// Nothing yet.
    #[default]
    Empty,
    /// The table of a sealed segment.
    Table(Vec<u8>),
    /// The keys of the blocks indexed so far.
    Growing(Growing),
}

#[derive(Default)]
pub(crate) struct Growing {
    blocks: usize,
    first: HashMap<u64, u16, HashIsKey>,
    /// Keys met again in another block.
    again: Vec<(u64, u16)>,
    /// Blocks whose keys cannot be read: they may hold any.
    unknown: Vec<u16>,
}

impl Index {
    /// The blocks that may hold each of `keys`. Many keys at once (`hold`) bring the table of a sealed segment into
    /// memory.
    pub(crate) fn blocks_with(&self, keys: &[IdKey], hold: bool) -> Vec<(IdKey, u16)> {
        match self.ids {
            None => self.growing_with(keys),
            Some(table) if table.bytes == 0 => Vec::new(),
            Some(table) => self.sealed_with(keys, table, hold),
        }
    }

    /// Bytes of the table of ids of a sealed segment.
    pub(crate) fn id_table_bytes(&self) -> usize {
        self.ids.map_or(0, |table| table.bytes as usize)
    }

    fn sealed_with(&self, keys: &[IdKey], table: Table, hold: bool) -> Vec<(IdKey, u16)> {
        let mut map = self.id_map.lock();
        if hold && matches!(*map, IdMap::Empty) {
            match self.bytes.table(table) {
                Some(bytes) => *map = IdMap::Table(bytes),
                // A damaged table would deny ids that are there: every block is asked instead.
                None => *map = IdMap::Growing(Growing::default()),
            }
        }
        let located = match &*map {
            IdMap::Table(bytes) => locate_all(keys, |at, len| Some(bytes.get(at..at + len)?.into())),
            IdMap::Empty => locate_all(keys, |at, len| read_part(&self.bytes, table, at, len)),
            IdMap::Growing(_) => None,
        };
        drop(map);
        located.unwrap_or_else(|| self.growing_with(keys))
    }

    fn growing_with(&self, keys: &[IdKey]) -> Vec<(IdKey, u16)> {
        let mut map = self.id_map.lock();
        if !matches!(*map, IdMap::Growing(_)) {
            *map = IdMap::Growing(Growing::default());
        }
        let IdMap::Growing(growing) = &mut *map else {
            return Vec::new();
        };
        growing.extend(self);
        keys.iter().flat_map(|&key| growing.blocks_of(key)).collect()
    }
}

impl Growing {
    fn extend(&mut self, index: &Index) {
        while let Some(block) = index.block(self.blocks) {
            let number = ids::block_number(self.blocks);
            match index.ids(&block) {
                Some(ids) => ids.iter().for_each(|(key, _)| self.add(*key, number)),
                None => self.unknown.push(number),
            }
            self.blocks += 1;
        }
    }

    fn add(&mut self, key: IdKey, number: u16) {
        if *self.first.entry(key.0).or_insert(number) != number {
            self.again.push((key.0, number));
        }
    }

    fn blocks_of(&self, key: IdKey) -> impl Iterator<Item = (IdKey, u16)> {
        let first = self.first.get(&key.0).copied();
        let again = self
            .again
            .iter()
            .filter(move |(other, _)| first.is_some() && *other == key.0);
        first
            .into_iter()
            .chain(again.map(|&(_, block)| block))
            .chain(self.unknown.iter().copied())
            .map(move |block| (key, block))
    }
}

fn locate_all<'a>(
    keys: &[IdKey],
    mut read: impl FnMut(usize, usize) -> Option<Cow<'a, [u8]>>,
) -> Option<Vec<(IdKey, u16)>> {
    let mut found = Vec::new();
    for &key in keys {
        ids::locate(key, &mut read, |block| found.push((key, block)))?;
    }
    Some(found)
}

fn read_part<'a>(bytes: &IndexBytes, table: Table, at: usize, len: usize) -> Option<Cow<'a, [u8]>> {
    let inside = at + len <= table.bytes as usize;
    let read = bytes.read(table.offset + at as u64, if inside { len } else { 0 })?;
    Some(read.into())
}
