//! SKELETON of what is still to come.
#![allow(clippy::todo)]
use crate::{ChainHead, Damage, Ledger, OpenError, ReadError, Reader};
use kymo_event::{Filter, LedgerId, Micros, Seq};
use std::{io, path::Path};

/// Reads a folder that may or may not be in use, without lock and without changing it.
pub struct ReadOnly {
    _private: (),
}
impl ReadOnly {
    /// Looks at `<data>/ledger`.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        todo!("{data:?}")
    }
    /// Which ledger this is.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        todo!()
    }
    /// First seq still here.
    #[must_use]
    pub fn first(&self) -> Seq {
        todo!()
    }
    /// Last whole line.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        todo!()
    }
    /// As [`Ledger::read`].
    #[must_use]
    pub fn read(&self, from: Seq, filter: &Filter) -> Reader {
        todo!("{from}{filter:?}")
    }
    /// As [`Ledger::read_back`].
    #[must_use]
    pub fn read_back(&self, from: Seq, filter: &Filter) -> Reader {
        todo!("{from}{filter:?}")
    }
    /// As [`Ledger::seq_at`].
    pub fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        todo!("{time}")
    }
    /// As [`Ledger::chain_head`].
    pub fn chain_head(&self) -> Result<ChainHead, ReadError> {
        todo!()
    }
    /// Checks every line, sidecar and the chain; `against` proves that everything up to a head kept elsewhere is unchanged.
    /// `progress` is told (bytes done, bytes in all).
    pub fn verify(
        &self,
        against: Option<&ChainHead>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport, ReadError> {
        let _ = (against, progress);
        todo!()
    }
}

/// What `verify` found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Events read and good.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// First seq.
    pub first: Option<Seq>,
    /// Head seq.
    pub head: Option<Seq>,
    /// Chain at the head, hex.
    pub chain: String,
    /// Everything that is not as it was written.
    pub damage: Vec<Damage>,
    /// `Some(false)`: the ledger differs from the head kept elsewhere.
    pub matches: Option<bool>,
}

impl Ledger {
    /// Bytes on disk (segments and sidecars).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// The first seq recorded at or after `time`; `head + 1` if none.
    pub fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        todo!("{time}")
    }
    /// Newest `count` idempotency keys with their seqs, from the sidecars (plus the unindexed tail), oldest first.
    #[must_use]
    pub fn recent_ids(&self, count: usize) -> Vec<(kymo_event::IdKey, Seq)> {
        todo!("{count}")
    }
    /// Seqs below `before` whose sidecar says the key may be there (confirm by reading the line). Blocking.
    #[must_use]
    pub fn find_id(&self, key: kymo_event::IdKey, before: Seq) -> Vec<Seq> {
        todo!("{key:?}{before}")
    }
    /// Head seq and chain hash up to the last complete block, and the hash including the partial block.
    pub fn chain_head(&self) -> Result<ChainHead, ReadError> {
        todo!()
    }
    /// Runs retention and compression now (the owner calls this every minute).
    pub fn maintain(&self) -> io::Result<()> {
        todo!()
    }
}
