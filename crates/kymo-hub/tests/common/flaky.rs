//! A real disk that fails or hangs on demand, and knows who waited for it.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use kymo_ledger::disk::{Access, Disk, DiskFile, FileEntry, RealDisk};

/// What fails now.
#[derive(Default)]
pub struct Faults {
    pub reads: AtomicBool,
    pub writes: AtomicBool,
    pub full: AtomicBool,
    /// How long a sync takes at least, in milliseconds.
    pub sync_ms: AtomicU64,
    /// Who synced last.
    pub synced_by: Mutex<Option<ThreadId>>,
}

impl Faults {
    fn read(&self) -> io::Result<()> {
        match self.reads.load(SeqCst) {
            true => Err(io::Error::other("injected on reading")),
            false => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        *self.synced_by.lock().expect("nobody panicked") = Some(thread::current().id());
        thread::sleep(Duration::from_millis(self.sync_ms.load(SeqCst)));
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        if self.full.load(SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match self.writes.load(SeqCst) {
            true => Err(io::Error::other("injected on writing")),
            false => Ok(()),
        }
    }
}

pub struct FlakyDisk(pub Arc<Faults>);

impl Disk for FlakyDisk {
    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        RealDisk.create_dir(folder)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<FileEntry>> {
        RealDisk.list(folder)
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = RealDisk.open(path, access)?;
        let faults = Arc::clone(&self.0);
        Ok(Arc::new(FlakyFile { file, faults }))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        RealDisk.sync_dir(folder)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        RealDisk.lock(path)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        RealDisk.is_locked(path)
    }
}

struct FlakyFile {
    file: Arc<dyn DiskFile>,
    faults: Arc<Faults>,
}

impl DiskFile for FlakyFile {
    fn read_at(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        self.faults.read()?;
        self.file.read_at(into, offset, bytes)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.faults.write()?;
        self.file.write_at(bytes, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.faults.sync()?;
        self.file.sync_data()
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}
