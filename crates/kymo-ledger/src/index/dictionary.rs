//! Names of a segment by number: the first name met is 0. A segment with too many names calls the rest [`OTHER`].

use std::collections::HashMap;

use super::{
    fields::{Fields, PutFields},
    keys::{HashIsKey, hash_of},
};

/// A name that has no number: the line itself must be asked.
pub(crate) const OTHER: u16 = u16::MAX;

const NAMES_MAX: usize = 16 << 10;
const NAME_BYTES_MAX: usize = 1 << 10;

/// Names in the order they were met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    names: Vec<Box<str>>,
    /// By the hash of the name.
    numbers: HashMap<u64, u16, HashIsKey>,
}

impl Dictionary {
    /// The number of a name, given now if it is new.
    pub(crate) fn number(&mut self, name: &str) -> u16 {
        let hash = hash_of(name);
        let number = self.numbers.get(&hash).copied().or_else(|| self.add(name, hash));
        // Two names of one hash happen to nobody; if they do, the second has no number.
        let number = number.filter(|&number| *self.names[usize::from(number)] == *name);
        number.unwrap_or(OTHER)
    }

    fn add(&mut self, name: &str, hash: u64) -> Option<u16> {
        let room = self.names.len() < NAMES_MAX && name.len() <= NAME_BYTES_MAX;
        let number = u16::try_from(self.names.len()).ok().filter(|_| room)?;
        self.names.push(name.into());
        self.numbers.insert(hash, number);
        Some(number)
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn name(&self, number: u16) -> Option<&str> {
        self.names.get(usize::from(number)).map(AsRef::as_ref)
    }

    /// The names by number, from 0.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Writes the names from number `from` on.
    pub(crate) fn write_from(&self, from: usize, out: &mut Vec<u8>) {
        let fresh = &self.names[from..];
        out.put_u16(u16::try_from(fresh.len()).unwrap_or(OTHER));
        for name in fresh {
            out.put_u16(u16::try_from(name.len()).unwrap_or(OTHER));
            out.put(name.as_bytes());
        }
    }

    /// Reads names and takes them in behind those there are.
    pub(crate) fn read_into(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        for name in read_names(fields)? {
            self.add(&name, hash_of(&name))?;
        }
        Some(())
    }
}

/// Names as they were written.
pub(crate) fn read_names(fields: &mut Fields<'_>) -> Option<Vec<Box<str>>> {
    let count = fields.u16()?;
    (0..count)
        .map(|_| {
            let bytes = fields.u16()?;
            let name = fields.take(usize::from(bytes))?;
            std::str::from_utf8(name).ok().map(Box::from)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_in_order_and_kept() {
        let mut names = Dictionary::default();
        assert_eq!(
            ["a", "b", "a", "c", "b"].map(|name| names.number(name)),
            [0, 1, 0, 2, 1]
        );
    }

    #[test]
    fn too_many_names_are_other() {
        let mut names = Dictionary::default();
        for n in 0..NAMES_MAX {
            assert_eq!(usize::from(names.number(&n.to_string())), n);
        }
        assert_eq!(names.number("one more"), OTHER);
        assert_eq!(names.number("0"), 0);
    }

    #[test]
    fn names_read_back_in_parts() {
        let mut names = Dictionary::default();
        assert_eq!(["a", "b", "c"].map(|name| names.number(name)), [0, 1, 2]);
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        names.write_from(0, &mut first);
        names.write_from(2, &mut rest);
        let mut again = Dictionary::default();
        again.read_into(&mut Fields(&first)).unwrap();
        assert_eq!(again.names, names.names);
        assert_eq!(read_names(&mut Fields(&rest)), Some(vec!["c".into()]));
    }
}
