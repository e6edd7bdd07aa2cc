//! Which blocks, and which rows of a block, a filter can match.
//!
//! Two sets of rows are carried through the tree: those that may match and those that certainly do. Only rows that
//! may and needn't are read and asked.

use kymo_event::{
    Filter, Level,
    filter::{Key, Node, Op, Possible, Summary as Summarises, Test},
};

use super::{
    block::{BlockHead, HAS_BACKFILL, HAS_LOST, HAS_PRESENT},
    columns::{BACKFILL, Column, Columns, KEYS, LENGTH, LEVEL, LEVEL_BITS, LOST, SOURCE, TYPE},
    dictionary::{Dictionary, OTHER},
    fields::length,
    keys::{hash_of, place_of, short},
    summary::{Names, Summary},
};

/// A set of rows of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rows([u64; 16]);

impl Rows {
    const NONE: Self = Self([0; 16]);

    fn first(count: usize) -> Self {
        Self(std::array::from_fn(|word| {
            match count.saturating_sub(word * 64) {
                0 => 0,
                64.. => u64::MAX,
                some => (1 << some) - 1,
            }
        }))
    }

    fn with(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|word| combine(self.0[word], other.0[word])))
    }

    pub(crate) fn has(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; 16]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word, &bits)| {
            std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)))
                .take_while(|&bits| bits != 0)
                .map(move |bits| word * 64 + bits.trailing_zeros() as usize)
        })
    }
}

/// What a filter makes of the rows of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Selected {
    /// Rows that may match.
    pub(crate) maybe: Rows,
    /// Rows among them that certainly do.
    pub(crate) sure: Rows,
}

/// A filter asked over an index.
pub(crate) struct Selector<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) names: &'a Names,
}

impl Selector<'_> {
    /// What can be said of a whole block.
    pub(crate) fn block(&self, head: &BlockHead, summary: &Summary) -> Possible {
        if head.flags & HAS_LOST != 0 {
            return Possible::Maybe;
        }
        self.filter.possible(&Block {
            names: self.names,
            head,
            summary,
        })
    }

    /// What can be said of its rows.
    pub(crate) fn rows(&self, head: &BlockHead, columns: &Columns) -> Selected {
        let rows = BlockRows {
            names: self.names,
            first: head.first,
            columns,
            all: Rows::first(head.count as usize),
        };
        let selected = rows.node(self.filter.tree());
        let lost = rows.mask(LEVEL, |value| value & LOST != 0);
        Selected {
            maybe: selected.maybe.with(lost, |maybe, lost| maybe | lost),
            sure: selected.sure.with(lost, |sure, lost| sure & !lost),
        }
    }
}

struct Block<'a> {
    names: &'a Names,
    head: &'a BlockHead,
    summary: &'a Summary,
}

impl Summarises for Block<'_> {
    fn may_match(&self, key: Key, test: &Test) -> Possible {
        match key {
            Key::Type => among(&self.summary.types, |number| {
                named(&self.names.types, number, key, test)
            }),
            Key::Source => among(&self.summary.sources, |number| {
                named(&self.names.sources, number, key, test)
            }),
            Key::Level => {
                let levels: Vec<_> = (0..Level::ALL.len())
                    .filter(|level| self.head.levels >> level & 1 == 1)
                    .collect();
                among(&levels, |level| {
                    Possible::exactly(test.matches_level(Level::ALL[level]))
                })
            }
            Key::Seq => self.seqs(test),
            Key::Backfill => match self.head.flags & (HAS_BACKFILL | HAS_PRESENT) {
                HAS_PRESENT => Possible::Never,
                HAS_BACKFILL => Possible::exactly(test.matches_str(key, "true")),
                _ => Possible::Maybe,
            },
            _ => self.hashed(key, test),
        }
    }
}

impl Block<'_> {
    fn seqs(&self, test: &Test) -> Possible {
        let (first, last) = (self.head.first, self.head.first + u64::from(self.head.count) - 1);
        match (test, test.matches_seq(first), test.matches_seq(last)) {
            (Test::Compare(Op::Lt | Op::Le | Op::Gt | Op::Ge, _), true, true) => Possible::Always,
            (Test::Compare(Op::Lt | Op::Le | Op::Gt | Op::Ge, _), false, false) => Possible::Never,
            _ => Possible::Maybe,
        }
    }

    fn hashed(&self, key: Key, test: &Test) -> Possible {
        let Some(place) = place_of(key) else {
            return Possible::Maybe;
        };
        let bloom = &self.summary.blooms[place];
        let there = match test {
            Test::Is(value) => bloom.may_have(hash_of(value)),
            _ => !bloom.is_empty(),
        };
        if there { Possible::Maybe } else { Possible::Never }
    }
}

/// `Always` if all say so, `Never` if all say so.
fn among<T: Copy>(values: &[T], ask: impl Fn(T) -> Possible) -> Possible {
    let mut answers = values.iter().map(|&value| ask(value));
    let Some(first) = answers.next() else {
        return Possible::Never;
    };
    answers.fold(
        first,
        |sum, answer| if sum == answer { sum } else { Possible::Maybe },
    )
}

fn named(names: &Dictionary, number: u16, key: Key, test: &Test) -> Possible {
    match names.name(number) {
        Some(name) => Possible::exactly(test.matches_str(key, name)),
        None => Possible::Maybe,
    }
}

struct BlockRows<'a> {
    names: &'a Names,
    first: u64,
    columns: &'a Columns,
    all: Rows,
}

impl BlockRows<'_> {
    fn node(&self, node: &Node) -> Selected {
        match node {
            Node::All => self.exactly(self.all),
            Node::And(parts) => parts.iter().fold(self.exactly(self.all), |sum, part| {
                let part = self.node(part);
                sum.with(&part, |a, b| a & b)
            }),
            Node::Or(parts) => parts.iter().fold(self.exactly(Rows::NONE), |sum, part| {
                let part = self.node(part);
                sum.with(&part, |a, b| a | b)
            }),
            Node::Not(part) => {
                let part = self.node(part);
                Selected {
                    maybe: self.all.with(part.sure, |all, sure| all & !sure),
                    sure: self.all.with(part.maybe, |all, maybe| all & !maybe),
                }
            }
            Node::Key(key, test) => self.key(*key, test),
            Node::Path(..) | Node::Words(_) => self.perhaps(self.all),
        }
    }

    fn key(&self, key: Key, test: &Test) -> Selected {
        match key {
            Key::Type => self.named(TYPE, &self.names.types, key, test),
            Key::Source => self.named(SOURCE, &self.names.sources, key, test),
            Key::Level => self.exactly(self.mask(LEVEL, |value| {
                let level = Level::ALL.get((value & LEVEL_BITS) as usize);
                level.is_some_and(|&level| test.matches_level(level))
            })),
            Key::Seq => self.exactly(self.rows_where(|row| test.matches_seq(self.first + row as u64))),
            Key::Backfill if test.matches_str(key, "true") => {
                self.exactly(self.mask(LEVEL, |value| value & BACKFILL != 0))
            }
            Key::Backfill => self.exactly(Rows::NONE),
            _ => self.hashed(key, test),
        }
    }

    fn named(&self, column: usize, names: &Dictionary, key: Key, test: &Test) -> Selected {
        let answers: Vec<bool> = names.iter().map(|name| test.matches_str(key, name)).collect();
        let other = self.mask(column, |number| number == u32::from(OTHER));
        let sure = self.mask(column, |number| {
            answers.get(number as usize).copied().unwrap_or(false)
        });
        Selected {
            maybe: sure.with(other, |sure, other| sure | other),
            sure,
        }
    }

    fn hashed(&self, key: Key, test: &Test) -> Selected {
        let Some(place) = place_of(key) else {
            return self.perhaps(self.all);
        };
        let column = KEYS + place;
        match test {
            Test::Exists => self.exactly(self.mask(column, |hash| hash != 0)),
            Test::Is(value) => {
                let wanted = u32::from(short(hash_of(value)));
                self.perhaps(self.mask(column, |hash| hash == wanted))
            }
            _ => self.perhaps(self.mask(column, |hash| hash != 0)),
        }
    }

    fn mask(&self, column: usize, passes: impl Fn(u32) -> bool) -> Rows {
        match self.columns.column(column) {
            Column::Same(value) if passes(*value) => self.all,
            Column::Same(_) => Rows::NONE,
            Column::Bytes(values) => {
                let table: [bool; 256] = std::array::from_fn(|value| passes(length(value)));
                self.rows_where(|row| table[usize::from(values[row])])
            }
            Column::Wide(values) => self.rows_where(|row| passes(values[row])),
        }
    }

    fn rows_where(&self, passes: impl Fn(usize) -> bool) -> Rows {
        let mut rows = Rows::NONE;
        for row in 0..self.all.len() {
            rows.0[row / 64] |= u64::from(passes(row)) << (row % 64);
        }
        rows
    }

    fn exactly(&self, rows: Rows) -> Selected {
        Selected {
            maybe: rows,
            sure: rows,
        }
    }

    fn perhaps(&self, rows: Rows) -> Selected {
        Selected {
            maybe: rows,
            sure: Rows::NONE,
        }
    }
}

impl Selected {
    fn with(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            maybe: self.maybe.with(other.maybe, &combine),
            sure: self.sure.with(other.sure, &combine),
        }
    }
}

/// Bytes of each row in the segment: where it begins and ends.
pub(crate) fn spans(columns: &Columns, count: usize, offset: u64) -> Vec<(u64, u64)> {
    let mut at = offset;
    (0..count)
        .map(|row| {
            let start = at;
            at += u64::from(columns.column(LENGTH).get(row));
            (start, at)
        })
        .collect()
}
