//! One file of lines: from which seq, up to where it is durable, and how its bytes and its index are read.
//!
//! `segments` holds them in order. A segment's files are opened when somebody reads them and closed when nobody does,
//! so that a long ledger costs no file handles.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    build,
    chain::Chain,
    compress::Compressed,
    disk::{self, Access, Disk, DiskFile},
    folder::Folder,
    index::{FileHead, Index, IndexBytes, Records, SegmentSummary, trailer},
    walk::{Step, Walker},
};

/// In place of a size, where there is no compressed file.
const NOT_COMPRESSED: u64 = u64::MAX;
// What is read at once of bytes that an index does not know.
const BEHIND_BYTES: usize = 1 << 20;

/// How far a segment reaches: its last seq (`first - 1` while empty) and its bytes. Nothing behind is ever read.
///
/// A segment that is not the last reaches to the next one's first seq, whatever is missing in between.
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
    witnessed: AtomicBool,
    data: Mutex<Weak<Data>>,
    /// The index while it grows.
    growing: Mutex<Option<Arc<Index>>>,
    index: Mutex<Weak<Index>>,
    summary: OnceLock<SegmentSummary>,
    index_bytes: AtomicU64,
    /// Size of the compressed file, which damage may have left empty.
    compressed_bytes: AtomicU64,
}

impl Segment {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: Folder, first: u64, end: End) -> Self {
        Self {
            first,
            disk,
            folder,
            end: Mutex::new(end),
            complete: AtomicBool::new(false),
            witnessed: AtomicBool::new(false),
            data: Mutex::default(),
            growing: Mutex::default(),
            index: Mutex::default(),
            summary: OnceLock::new(),
            index_bytes: AtomicU64::new(0),
            compressed_bytes: AtomicU64::new(NOT_COMPRESSED),
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

    /// Only its index knows of lines at its end that are gone: it stays as it is until the next segment's name says
    /// so too.
    pub(crate) fn set_witnessed(&self) {
        self.witnessed.store(true, Ordering::Release);
    }

    pub(crate) fn is_witnessed(&self) -> bool {
        self.witnessed.load(Ordering::Acquire)
    }

    /// Whether an index should be made from the lines.
    pub(crate) fn lacks_index(&self) -> bool {
        self.is_complete() && !self.is_witnessed() && self.summary().is_none()
    }

    /// Where its lines are, compressed or not.
    pub(crate) fn path(&self) -> PathBuf {
        match self.is_compressed() {
            true => self.compressed_path(),
            false => self.plain_path(),
        }
    }

    pub(crate) fn plain_path(&self) -> PathBuf {
        self.folder.segment(self.first)
    }

    pub(crate) fn compressed_path(&self) -> PathBuf {
        self.folder.compressed(self.first)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.compressed_bytes.load(Ordering::Acquire) != NOT_COMPRESSED
    }

    /// From now on its lines are read from the compressed file, which has this many bytes.
    pub(crate) fn set_compressed(&self, bytes: u64) {
        let mut open = self.data.lock();
        self.compressed_bytes.store(bytes, Ordering::Release);
        *open = Weak::new();
    }

    /// Where its index is.
    pub(crate) fn index_path(&self) -> PathBuf {
        self.folder.index(self.first)
    }

    /// The name of its file in the ledger folder.
    pub(crate) fn file_name(&self) -> String {
        let path = self.path();
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// The name of its index in the ledger folder.
    pub(crate) fn index_name(&self) -> String {
        let path = self.index_path();
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// The bytes of the index as they are on disk.
    pub(crate) fn stored_index(&self) -> io::Result<Option<Vec<u8>>> {
        match disk::read_all(&*self.disk, &self.index_path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    /// Bytes on disk, index included.
    pub(crate) fn size(&self) -> u64 {
        let lines = match self.compressed_bytes.load(Ordering::Acquire) {
            NOT_COMPRESSED => self.end().bytes,
            compressed => compressed,
        };
        lines + self.index_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_index_size(&self, bytes: u64) {
        self.index_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Its bytes, opened if nobody has them open. A file that is not there has none.
    pub(crate) fn data(&self) -> io::Result<Arc<Data>> {
        let mut open = self.data.lock();
        if let Some(data) = open.upgrade() {
            return Ok(data);
        }
        let data = match self.disk.open(&self.path(), Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::new(Data::Missing)),
            file if self.is_compressed() => Arc::new(Data::Compressed(Compressed::open(file?)?)),
            file => Arc::new(Data::Plain(file?)),
        };
        *open = Arc::downgrade(&data);
        Ok(data)
    }

    /// Shows readers the index that grows with the segment; `None` once it is sealed.
    pub(crate) fn set_growing(&self, index: Option<Arc<Index>>) {
        *self.growing.lock() = index;
    }

    pub(crate) fn growing(&self) -> Option<Arc<Index>> {
        self.growing.lock().clone()
    }

    /// Its index. Where a sealed segment's is missing or damaged, one is made from the lines, in memory only.
    pub(crate) fn index(&self) -> io::Result<Arc<Index>> {
        if let Some(index) = self.growing() {
            return Ok(index);
        }
        if !self.is_complete() {
            let nothing = Records::none(FileHead {
                first: self.first,
                chain: Chain::START,
            });
            return Ok(Arc::new(Index::growing(IndexBytes::Memory(Vec::new()), nothing)));
        }
        let mut open = self.index.lock();
        if let Some(index) = open.upgrade() {
            return Ok(index);
        }
        let index = Arc::new(match self.index_on_disk() {
            Some(index) => index,
            None => self.index_from_lines()?,
        });
        *open = Arc::downgrade(&index);
        Ok(index)
    }

    fn index_on_disk(&self) -> Option<Index> {
        let (index, summary) = Index::sealed(self.open_index()?)?;
        self.fits(&summary).then_some(index)
    }

    // The chain before the segment is not known here; who needs the chain makes the index in order (`chains`).
    fn index_from_lines(&self) -> io::Result<Index> {
        tracing::warn!(segment = self.first, "a segment is read without its index");
        let bytes = build::index(self, Chain::START)?;
        Index::sealed(IndexBytes::Memory(bytes))
            .map(|(index, _)| index)
            .ok_or_else(|| io::Error::other("an index just made cannot be read"))
    }

    fn open_index(&self) -> Option<IndexBytes> {
        match self.disk.open(&self.index_path(), Access::Read) {
            Ok(file) => Some(IndexBytes::File(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(segment = self.first, %error, "an index could not be opened");
                None
            }
        }
    }

    /// Whether there is an index, whatever is in it.
    pub(crate) fn has_index(&self) -> bool {
        self.open_index().is_some()
    }

    /// Whether an index is all of this segment's. Not so one that was sealed when the ledger was closed and came back
    /// from a crash after the segment had grown: behind what it knows there are lines.
    fn fits(&self, summary: &SegmentSummary) -> bool {
        let end = self.end();
        let within = summary.first == self.first && summary.last <= end.last;
        let whole = summary.last == end.last || self.is_compressed() || summary.bytes >= end.bytes;
        within && (whole || self.has_no_line_behind(summary).unwrap_or(false))
    }

    fn has_no_line_behind(&self, summary: &SegmentSummary) -> io::Result<bool> {
        let end = self.end();
        let mut walker = Walker::over(self.data()?, summary.last + 1, summary.bytes, end.last, end.bytes);
        loop {
            match walker.step() {
                Step::Edge => walker.more(BEHIND_BYTES)?,
                Step::Bad => return Ok(walker.hole()?.last == end.last),
                Step::Line { .. } | Step::Done => return Ok(false),
            }
        }
    }

    /// What the index on disk says of the whole segment; `None` while it is not sealed, or where it cannot be read.
    pub(crate) fn summary(&self) -> Option<SegmentSummary> {
        if let Some(summary) = self.summary.get() {
            return Some(*summary);
        }
        if !self.is_complete() {
            return None;
        }
        let stored = self.stored_summary()?;
        Some(*self.summary.get_or_init(|| stored))
    }

    /// The same as it stands at the end of the index file, whatever has happened to the segment since.
    pub(crate) fn stored_summary(&self) -> Option<SegmentSummary> {
        let bytes = self.open_index()?;
        let summary = trailer(&bytes).filter(|summary| self.fits(summary))?;
        self.set_index_size(bytes.len()?);
        Some(summary)
    }
}

/// The bytes of a segment, wherever they come from.
pub(crate) enum Data {
    /// The file of lines itself.
    Plain(Arc<dyn DiskFile>),
    /// The same, compressed.
    Compressed(Compressed),
    /// There is no file.
    Missing,
}

impl Data {
    /// Appends `bytes` bytes from `offset` to `into`, fewer only at the end.
    pub(crate) fn read(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        match self {
            Self::Plain(file) => disk::read_full(&**file, into, offset, bytes),
            Self::Compressed(file) => file.read(into, offset, bytes),
            Self::Missing => Ok(0),
        }
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.len(),
            Self::Compressed(file) => Ok(file.len()),
            Self::Missing => Ok(0),
        }
    }
}
