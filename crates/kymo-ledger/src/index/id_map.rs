//! Which blocks of a segment may hold some idempotency keys: by the table of a sealed segment, read in parts or held in
//! memory, or by a map that grows with a segment that is not sealed yet.

use std::{collections::HashMap, io};

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
}

impl Index {
    /// The blocks that may hold each of `keys`. Many keys at once (`hold`) bring the table of a sealed segment into
    /// memory.
    pub(crate) fn blocks_with(&self, keys: &[IdKey], hold: bool) -> io::Result<Vec<(IdKey, u16)>> {
        match self.ids {
            None => self.growing_with(keys),
            Some(table) if table.bytes == 0 => Ok(Vec::new()),
            Some(table) => self.sealed_with(keys, table, hold),
        }
    }

    /// Bytes of the table of ids of a sealed segment.
    pub(crate) fn id_table_bytes(&self) -> usize {
        self.ids.map_or(0, |table| table.bytes as usize)
    }

    fn sealed_with(&self, keys: &[IdKey], table: Table, hold: bool) -> io::Result<Vec<(IdKey, u16)>> {
        let mut map = self.id_map.lock();
        if hold && matches!(*map, IdMap::Empty) {
            match self.bytes.table(table)? {
                Some(bytes) => *map = IdMap::Table(bytes),
                // A damaged table would deny ids that are there: every block is asked instead.
                None => *map = IdMap::Growing(Growing::default()),
            }
        }
        match &*map {
            IdMap::Table(bytes) => {
                let read = |at: usize, len: usize| Ok(bytes.get(at..at + len).unwrap_or_default().into());
                locate_all(keys, read)
            }
            IdMap::Growing(_) => {
                drop(map);
                self.growing_with(keys)
            }
            IdMap::Empty => locate_all(keys, |at, len| read_part(&self.bytes, table, at, len)),
        }
    }

    fn growing_with(&self, keys: &[IdKey]) -> io::Result<Vec<(IdKey, u16)>> {
        let mut map = self.id_map.lock();
        if !matches!(*map, IdMap::Growing(_)) {
            *map = IdMap::Growing(Growing::default());
        }
        let IdMap::Growing(growing) = &mut *map else {
            return Ok(Vec::new());
        };
        growing.extend(self)?;
        Ok(keys.iter().flat_map(|&key| growing.blocks_of(key)).collect())
    }
}

impl Growing {
    fn extend(&mut self, index: &Index) -> io::Result<()> {
        while let Some(block) = index.block(self.blocks) {
            let number = ids::block_number(self.blocks);
            for (key, _) in index.ids(&block)? {
                if *self.first.entry(key.0).or_insert(number) != number {
                    self.again.push((key.0, number));
                }
            }
            self.blocks += 1;
        }
        Ok(())
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
            .map(move |block| (key, block))
    }
}

fn locate_all<'a>(
    keys: &[IdKey],
    mut read: impl FnMut(usize, usize) -> io::Result<std::borrow::Cow<'a, [u8]>>,
) -> io::Result<Vec<(IdKey, u16)>> {
    let mut found = Vec::new();
    for &key in keys {
        ids::locate(key, &mut read, |block| found.push((key, block)))?;
    }
    Ok(found)
}

fn read_part<'a>(
    bytes: &IndexBytes,
    table: Table,
    at: usize,
    len: usize,
) -> io::Result<std::borrow::Cow<'a, [u8]>> {
    let inside = at + len <= table.bytes as usize;
    let read = bytes.read(table.offset + at as u64, if inside { len } else { 0 })?;
    Ok(read.unwrap_or_default().into())
}
