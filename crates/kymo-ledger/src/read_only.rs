//! A folder looked at from outside: with or without a running writer, without lock, without changing anything.

use std::{path::Path, sync::Arc};

use kymo_event::{Filter, LedgerId, Micros, Seq};

use crate::{
    ChainHead, Ground, OpenError, ReadError, Reader, VerifyReport,
    buffers::Buffers,
    disk::Disk,
    folder::{Folder, Identity},
    lock::{self, LockState},
    lookups,
    notices::Notices,
    open,
    reader::Source,
    verify,
};

/// Reads a folder that may or may not be in use, without lock and without changing it.
///
/// It sees what was there when it was opened. Where a writer is at work, what it shows is made durable first.
pub struct ReadOnly {
    source: Source,
    id: LedgerId,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: Folder,
}

impl ReadOnly {
    /// Looks at `<data>/ledger`.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        Self::open_on(&Ground::default(), data)
    }

    /// The same on another ground than the machine's own disk.
    pub fn open_on(ground: &Ground, data: &Path) -> Result<Self, OpenError> {
        let disk: &Arc<dyn Disk> = &ground.disk;
        let folder = Folder::new(data);
        let missing = || OpenError::io(folder.identity())(std::io::ErrorKind::NotFound.into());
        let identity = Identity::load(&**disk, &folder)?.ok_or_else(missing)?;
        let in_use = lock::state_of(&**disk, &folder).is_ok_and(|state| state != LockState::Free);
        let segments = open::segments_to_read(disk, &folder, &identity, in_use)?;
        Ok(Self {
            source: Source {
                segments: Arc::new(segments),
                notices: Arc::new(Notices::silent()),
                buffers: Buffers::default(),
            },
            id: identity.id,
            disk: Arc::clone(disk),
            folder,
        })
    }

    /// Which ledger this is.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        self.id.clone()
    }

    /// First seq still here.
    #[must_use]
    pub fn first(&self) -> Seq {
        Seq::new(self.source.segments.first()).unwrap_or(Seq::FIRST)
    }

    /// Last whole line.
    #[must_use]
    pub fn head(&self) -> Option<Seq> {
        Seq::new(self.source.segments.head())
    }

    /// Bytes on disk (segments and sidecars).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.source.segments.size()
    }

    /// As [`crate::Ledger::read`].
    #[must_use]
    pub fn read(&self, from: Seq, filter: &Filter) -> Reader {
        Reader::forward(self.source.clone(), from, filter)
    }

    /// As [`crate::Ledger::read_back`].
    #[must_use]
    pub fn read_back(&self, from: Seq, filter: &Filter) -> Reader {
        Reader::backward(self.source.clone(), from, filter)
    }

    /// As [`crate::Ledger::seq_at`].
    pub fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        lookups::seq_at(&self.source, time)
    }

    /// As [`crate::Ledger::chain_head`].
    pub fn chain_head(&self) -> Result<ChainHead, ReadError> {
        lookups::chain_head(&self.source.segments)
    }

    /// Checks every line, sidecar and the chain; `against` proves that everything up to a head kept elsewhere is
    /// unchanged. `progress` is told (bytes done, bytes in all).
    pub fn verify(
        &self,
        against: Option<&ChainHead>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport, ReadError> {
        verify::verify(&self.source.segments, against, progress)
    }
}
