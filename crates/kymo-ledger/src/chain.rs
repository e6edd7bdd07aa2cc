//! The hash chain over blocks: what lets a head kept elsewhere prove that nothing before it changed.
//!
//! root of a block = BLAKE3 of its bytes; chain = BLAKE3(chain before ‖ root). The chain before the first event is 32
//! zero bytes.

use std::{fmt, str::FromStr};

use kymo_event::Seq;

/// The chain up to some place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain(pub(crate) [u8; 32]);

impl Chain {
    /// Before the first event.
    pub(crate) const START: Self = Self([0; 32]);

    /// The chain one block further.
    pub(crate) fn then(self, root: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(root);
        Self(hasher.finalize().into())
    }

    pub(crate) fn hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl serde::Serialize for Chain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> serde::Deserialize<'de> for Chain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(*hash.as_bytes()))
    }
}

/// What is known of the whole ledger at one seq. Text form: `<seq>:<64 hex digits>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Up to and including this event.
    pub seq: Seq,
    /// The hash.
    pub chain: [u8; 32],
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, Chain(self.chain).hex())
    }
}

/// A text that is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a head: expected `<seq>:<64 hex digits>`")]
pub struct ChainHeadError;

impl FromStr for ChainHead {
    type Err = ChainHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seq, hash) = text.trim().split_once(':').ok_or(ChainHeadError)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| ChainHeadError)?,
            chain: *blake3::Hash::from_hex(hash)
                .map_err(|_| ChainHeadError)?
                .as_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_from_its_text() {
        let head = ChainHead {
            seq: Seq::FIRST.plus(41),
            chain: Chain::START.then(&[7; 32]).0,
        };
        assert_eq!(head.to_string().parse(), Ok(head));
        assert_eq!("42".parse::<ChainHead>(), Err(ChainHeadError));
        assert_eq!("42:abcd".parse::<ChainHead>(), Err(ChainHeadError));
    }
}
