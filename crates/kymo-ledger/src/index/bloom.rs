//! Bloom filters over 64-bit hashes, ten bits a value: one look in a hundred at what isn't there is in vain.

use super::fields::{Fields, PutFields};

const BITS_PER_VALUE: usize = 10;
const PROBES: u32 = 6;
const WORDS_MAX: usize = u16::MAX as usize;

/// The filter over some hashes; empty over none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    pub(crate) fn over(hashes: &[u64]) -> Self {
        let words = (hashes.len() * BITS_PER_VALUE).div_ceil(64).min(WORDS_MAX);
        let mut bloom = Self {
            words: vec![0; words],
        };
        for &hash in hashes {
            for (word, bit) in probes(hash, words) {
                bloom.words[word] |= bit;
            }
        }
        bloom
    }

    /// `false`: certainly not among them.
    pub(crate) fn may_have(&self, hash: u64) -> bool {
        !self.words.is_empty()
            && probes(hash, self.words.len()).all(|(word, bit)| self.words[word] & bit != 0)
    }

    /// Whether it is over nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_u16(u16::try_from(self.words.len()).unwrap_or(u16::MAX));
        self.words.iter().for_each(|&word| out.put_u64(word));
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let words = usize::from(fields.u16()?);
        let bytes = fields.take(words * 8)?;
        let words = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
        Some(Self {
            words: words.collect(),
        })
    }
}

/// Double hashing: the halves of one hash give all probes.
#[expect(clippy::cast_possible_truncation, reason = "the halves of a hash are meant")]
fn probes(hash: u64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let bits = words as u64 * 64;
    let (start, stride) = (hash as u32, (hash >> 32) as u32 | 1);
    (0..PROBES).map(move |probe| {
        let spread = start.wrapping_add(probe.wrapping_mul(stride));
        let bit = (u64::from(spread) * bits) >> 32;
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    #[test]
    fn what_is_in_is_found_and_little_else() {
        let hash = |n: u32| xxh3_64(&n.to_le_bytes());
        let bloom = Bloom::over(&(0..1024).map(hash).collect::<Vec<_>>());
        assert!((0..1024).all(|n| bloom.may_have(hash(n))));
        let wrong = (1024..11_024).filter(|&n| bloom.may_have(hash(n))).count();
        assert!(wrong < 200, "{wrong} of 10,000");
    }

    #[test]
    fn a_filter_reads_back_as_it_was_written() {
        let bloom = Bloom::over(&[1, 2, 3 << 60]);
        let mut bytes = Vec::new();
        bloom.write(&mut bytes);
        assert_eq!(Bloom::read(&mut Fields(&bytes)), Some(bloom));
        assert_eq!(Bloom::read(&mut Fields(&bytes[..bytes.len() - 1])), None);
        assert!(!Bloom::over(&[]).may_have(0));
    }
}
