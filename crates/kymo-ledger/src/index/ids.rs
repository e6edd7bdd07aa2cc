//! Idempotency keys: which event has which, per block, and where to look for one in a whole segment.

use std::borrow::Cow;

use kymo_event::{IdKey, LineView, dialects, filter::Key};

use super::{
    fields::{Fields, PutFields, length},
    keys,
};

/// The idempotency key of a line: none without an id, or where the dialect's id identifies nothing.
pub(crate) fn key_of(view: &LineView<'_>) -> Option<IdKey> {
    let raw = |key| keys::raw_in(view, key).map(str::as_bytes);
    key_from(
        raw(Key::Id)?,
        raw(Key::Source).unwrap_or_default(),
        raw(Key::Dialect),
    )
}

/// The same, from id, source and dialect as they stand in a line.
pub(crate) fn key_from(id: &[u8], source: &[u8], dialect: Option<&[u8]>) -> Option<IdKey> {
    let id = keys::decode(id)?;
    let dialect = dialect
        .and_then(keys::decode)
        .and_then(|name| dialects::by_name(&name));
    dialect
        .is_none_or(dialects::Dialect::id_is_identity)
        .then(|| IdKey::of(&keys::decode(source).unwrap_or_default(), &id))
}

/// Writes the keys of a block: row and key of each event that has one.
pub(crate) fn write_rows(rows: &[(u16, IdKey)], out: &mut Vec<u8>) {
    for (row, key) in rows {
        out.put_u16(*row);
        out.put_u64(key.0);
    }
}

/// Reads what [`write_rows`] wrote.
pub(crate) fn read_rows(bytes: &[u8]) -> impl DoubleEndedIterator<Item = (u16, IdKey)> {
    bytes.as_chunks::<10>().0.iter().map(|row| {
        let mut fields = Fields(row);
        (fields.u16().unwrap_or(0), IdKey(fields.u64().unwrap_or(0)))
    })
}

// Entries a bucket of the locator has on average.
const BUCKET: usize = 16;

/// Writes the locator of a segment: buckets by the key's high bits, an entry (low 16 bits of the key, number of the
/// block) for each key. A look-up reads one bucket and is wrong once in some thousands.
pub(crate) fn write_locator(keys: &[(IdKey, u16)], out: &mut Vec<u8>) {
    if keys.is_empty() {
        return;
    }
    let buckets = keys.len().div_ceil(BUCKET);
    let mut sorted: Vec<(usize, u32)> = keys
        .iter()
        .map(|&(key, block)| (bucket_of(key, buckets), entry(key, block)))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    out.put_u32(length(buckets));
    let mut begun = 0;
    for (place, (bucket, _)) in sorted.iter().enumerate() {
        while begun <= *bucket {
            out.put_u32(length(place));
            begun += 1;
        }
    }
    for _ in begun..=buckets {
        out.put_u32(length(sorted.len()));
    }
    sorted.iter().for_each(|&(_, entry)| out.put_u32(entry));
}

/// Tells the blocks that may hold `key`, by way of `read(offset, bytes)` into the locator; `None` where that cannot read.
pub(crate) fn locate<'a>(
    key: IdKey,
    mut read: impl FnMut(usize, usize) -> Option<Cow<'a, [u8]>>,
    mut found: impl FnMut(u16),
) -> Option<()> {
    let buckets = Fields(&read(0, 4)?).u32().unwrap_or(0) as usize;
    if buckets == 0 {
        return Some(());
    }
    let bounds = read(4 + bucket_of(key, buckets) * 4, 8)?;
    let mut bounds = Fields(&bounds);
    let (from, to) = (
        bounds.u32().unwrap_or(0) as usize,
        bounds.u32().unwrap_or(0) as usize,
    );
    let entries = read(4 + (buckets + 1) * 4 + from * 4, to.saturating_sub(from) * 4)?;
    let wanted = entry(key, 0);
    for &bytes in entries.as_chunks::<4>().0 {
        let entry = u32::from_le_bytes(bytes);
        if entry & 0xffff_0000 == wanted {
            let [low, high, ..] = entry.to_le_bytes();
            found(u16::from_le_bytes([low, high]));
        }
    }
    Some(())
}

/// A block's number as the locator holds it; segments are kept small enough for 16 bits.
pub(crate) fn block_number(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a bucket is below the number of buckets"
)]
fn bucket_of(key: IdKey, buckets: usize) -> usize {
    ((u128::from(key.0) * buckets as u128) >> 64) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
fn entry(key: IdKey, block: u16) -> u32 {
    ((key.0 as u32) << 16) | u32::from(block)
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn key(n: u32) -> IdKey {
        IdKey(xxh3_64(&n.to_le_bytes()))
    }

    fn look_up(locator: &[u8], key: IdKey) -> Vec<u16> {
        let mut blocks = Vec::new();
        let read = |at: usize, bytes: usize| Some(locator[at..at + bytes].into());
        locate(key, read, |block| blocks.push(block)).unwrap();
        blocks
    }

    #[test]
    fn every_key_is_located_and_strangers_hardly_ever() {
        let keys: Vec<_> = (0..5000)
            .map(|n| (key(n), block_number(n as usize / 1000)))
            .collect();
        let mut locator = Vec::new();
        write_locator(&keys, &mut locator);
        for (n, &(key, block)) in keys.iter().enumerate() {
            assert!(look_up(&locator, key).contains(&block), "{n}");
        }
        let wrong = (5000..15_000)
            .filter(|&n| !look_up(&locator, key(n)).is_empty())
            .count();
        assert!(wrong < 50, "{wrong} of 10,000");
    }

    #[test]
    fn one_key_is_enough_for_a_locator() {
        let mut locator = Vec::new();
        write_locator(&[(IdKey(u64::MAX), 3)], &mut locator);
        assert_eq!(look_up(&locator, IdKey(u64::MAX)), [3]);
        assert_eq!(look_up(&locator, IdKey(0)), [0_u16; 0]);
    }

    #[test]
    fn rows_read_back() {
        let rows = [(0, key(1)), (7, key(2)), (1023, key(3))];
        let mut bytes = Vec::new();
        write_rows(&rows, &mut bytes);
        assert_eq!(read_rows(&bytes).collect::<Vec<_>>(), rows);
    }
}
