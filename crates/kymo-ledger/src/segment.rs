//! One file of lines: from which seq, up to where it is durable, and how its bytes are read.
//!
//! `segments` holds them in order. A segment's file is opened when somebody reads it and closed when nobody does, so
//! that a long ledger costs no file handles.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    disk::{self, Access, Disk, DiskFile},
    folder::Folder,
};

/// How far a segment reaches: its last seq (`first - 1` while empty) and its bytes. Nothing behind is ever read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) last: u64,
    pub(crate) bytes: u64,
}

/// A segment of a folder.
pub(crate) struct Segment {
    pub(crate) first: u64,
    disk: Arc<dyn Disk>,
    folder: Folder,
    end: Mutex<End>,
    complete: AtomicBool,
    open: Mutex<Weak<Data>>,
}

impl Segment {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: Folder, first: u64, end: End) -> Self {
        Self {
            first,
            disk,
            folder,
            end: Mutex::new(end),
            complete: AtomicBool::new(false),
            open: Mutex::new(Weak::new()),
        }
    }

    pub(crate) fn end(&self) -> End {
        *self.end.lock()
    }

    pub(crate) fn set_end(&self, end: End) {
        *self.end.lock() = end;
    }

    /// Nothing will be added to it any more.
    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Where its lines are.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.segment(self.first)
    }

    /// The name of its file in the ledger folder.
    pub(crate) fn file_name(&self) -> String {
        let path = self.path();
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Its bytes, opened if nobody has them open.
    pub(crate) fn data(&self) -> io::Result<Arc<Data>> {
        let mut open = self.open.lock();
        if let Some(data) = open.upgrade() {
            return Ok(data);
        }
        let data = Arc::new(Data::Plain(self.disk.open(&self.path(), Access::Read)?));
        *open = Arc::downgrade(&data);
        Ok(data)
    }
}

/// The bytes of a segment, wherever they come from.
pub(crate) enum Data {
    /// The file of lines itself.
    Plain(Arc<dyn DiskFile>),
}

impl Data {
    /// Appends `bytes` bytes from `offset` to `into`, fewer only at the end.
    pub(crate) fn read(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        match self {
            Self::Plain(file) => disk::read_full(&**file, into, offset, bytes),
        }
    }
}
