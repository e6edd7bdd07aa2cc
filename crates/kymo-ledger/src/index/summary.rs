//! What a block's lines have in common, small enough to be read for every block of a filtered read.

use super::{
    bloom::Bloom,
    dictionary::{Dictionary, read_names},
    fields::{Fields, PutFields},
    keys::HASHED,
};

/// Which types and sources occur (by number), and bloom filters over the hashed keys; and the names that were met
/// here first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) new_types: Vec<Box<str>>,
    pub(crate) new_sources: Vec<Box<str>>,
    pub(crate) types: Vec<u16>,
    pub(crate) sources: Vec<u16>,
    pub(crate) blooms: [Bloom; HASHED.len()],
}

/// The names of a segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) types: Dictionary,
    pub(crate) sources: Dictionary,
}

impl Names {
    pub(crate) fn add(&mut self, summary: &Summary) {
        summary.new_types.iter().for_each(|name| {
            self.types.number(name);
        });
        summary.new_sources.iter().for_each(|name| {
            self.sources.number(name);
        });
    }
}

/// Writes the summary of a block; `known` is how many types and sources were known before it.
pub(crate) fn write(
    names: &Names,
    known: (usize, usize),
    types: &[u32],
    sources: &[u32],
    hashes: &[Vec<u64>; HASHED.len()],
    out: &mut Vec<u8>,
) {
    names.types.write_from(known.0, out);
    names.sources.write_from(known.1, out);
    write_set(types, out);
    write_set(sources, out);
    hashes.iter().for_each(|hashes| Bloom::over(hashes).write(out));
}

impl Summary {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let mut summary = Self {
            new_types: read_names(&mut fields)?,
            new_sources: read_names(&mut fields)?,
            types: read_set(&mut fields)?,
            sources: read_set(&mut fields)?,
            blooms: std::array::from_fn(|_| Bloom::over(&[])),
        };
        for bloom in &mut summary.blooms {
            *bloom = Bloom::read(&mut fields)?;
        }
        Some(summary)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a name's number is at most 65,535"
)]
fn write_set(values: &[u32], out: &mut Vec<u8>) {
    let mut set: Vec<u16> = values.iter().map(|&value| value as u16).collect();
    set.sort_unstable();
    set.dedup();
    out.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
    set.into_iter().for_each(|value| out.put_u16(value));
}

fn read_set(fields: &mut Fields<'_>) -> Option<Vec<u16>> {
    let count = fields.u16()?;
    (0..count).map(|_| fields.u16()).collect()
}
