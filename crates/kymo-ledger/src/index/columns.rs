//! One value per event for each of a few things, packed to the width the block needs.

use super::{
    fields::{Fields, PutFields},
    keys::HASHED,
};

/// Lengths of the lines, line feeds included.
pub(crate) const LENGTH: usize = 0;
/// Numbers of the types.
pub(crate) const TYPE: usize = 1;
/// Numbers of the sources.
pub(crate) const SOURCE: usize = 2;
/// Levels, and in their higher bits whether the event is backfill, or lost.
pub(crate) const LEVEL: usize = 3;
/// The first of the hashed keys.
pub(crate) const KEYS: usize = 4;
/// How many columns there are.
pub(crate) const COUNT: usize = KEYS + HASHED.len();

/// Bits of a level that are the level.
pub(crate) const LEVEL_BITS: u32 = 7;
/// The imported past.
pub(crate) const BACKFILL: u32 = 1 << 3;
/// A line that was damaged already when the index was made: nothing else is known of it.
pub(crate) const LOST: u32 = 1 << 4;

/// One column while a block is built or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// All the same.
    Same(u32),
    /// One byte each.
    Bytes(Vec<u8>),
    /// Two or four bytes each.
    Wide(Vec<u32>),
}

impl Column {
    /// The value of a row.
    pub(crate) fn get(&self, row: usize) -> u32 {
        match self {
            Self::Same(value) => *value,
            Self::Bytes(values) => u32::from(values[row]),
            Self::Wide(values) => values[row],
        }
    }

    /// Writes the values in as few bytes as they need; returns the width.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the width is chosen by the largest value"
    )]
    pub(crate) fn pack(values: &[u32], out: &mut Vec<u8>) -> u8 {
        let (least, most) = values
            .iter()
            .fold((u32::MAX, 0), |(least, most), &v| (least.min(v), most.max(v)));
        match most {
            _ if least >= most => {
                out.put_u32(most);
                0
            }
            0..=0xff => {
                out.extend(values.iter().map(|&value| value as u8));
                1
            }
            0x100..=0xffff => {
                values.iter().for_each(|&value| out.put_u16(value as u16));
                2
            }
            _ => {
                values.iter().for_each(|&value| out.put_u32(value));
                4
            }
        }
    }

    fn unpack(width: u8, rows: usize, fields: &mut Fields<'_>) -> Option<Self> {
        Some(match width {
            0 => Self::Same(fields.u32()?),
            1 => Self::Bytes(fields.take(rows)?.to_vec()),
            2 => Self::Wide(values(fields.take(rows * 2)?, |value| {
                u32::from(u16::from_le_bytes(value))
            })),
            4 => Self::Wide(values(fields.take(rows * 4)?, u32::from_le_bytes)),
            _ => return None,
        })
    }
}

fn values<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> u32) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|&bytes| value(bytes)).collect()
}

/// All columns of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    columns: Vec<Column>,
}

impl Columns {
    pub(crate) fn write(columns: &[Vec<u32>; COUNT], out: &mut Vec<u8>) {
        let widths = out.len();
        out.resize(widths + COUNT, 0);
        for (place, values) in columns.iter().enumerate() {
            out[widths + place] = Column::pack(values, out);
        }
    }

    pub(crate) fn read(bytes: &[u8], rows: usize) -> Option<Self> {
        let mut fields = Fields(bytes);
        let widths: [u8; COUNT] = fields.array()?;
        let columns = widths
            .iter()
            .map(|&width| Column::unpack(width, rows, &mut fields));
        Some(Self {
            columns: columns.collect::<Option<_>>()?,
        })
    }

    pub(crate) fn column(&self, place: usize) -> &Column {
        &self.columns[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_read_back_whatever_their_width() {
        let mut columns: [Vec<u32>; COUNT] = std::array::from_fn(|_| vec![0, 0, 0]);
        columns[LENGTH] = vec![400, 70_000, 1];
        columns[TYPE] = vec![1, 300, 2];
        columns[LEVEL] = vec![1, 1 | BACKFILL, 4];
        columns[KEYS] = vec![7, 7, 7];
        let mut bytes = Vec::new();
        Columns::write(&columns, &mut bytes);
        let read = Columns::read(&bytes, 3).unwrap();
        for (place, values) in columns.iter().enumerate() {
            let got: Vec<_> = (0..3).map(|row| read.column(place).get(row)).collect();
            assert_eq!(&got, values, "column {place}");
        }
        assert_eq!(read.column(KEYS), &Column::Same(7));
        assert_eq!(Columns::read(&bytes[..bytes.len() - 1], 3), None);
    }
}
