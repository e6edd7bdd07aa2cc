//! The one file that touches the disk.
//!
//! Everything above speaks to [`Disk`] and [`DiskFile`], so that a test can put a disk there that fails, fills up or
//! loses power. The real one is [`RealDisk`]; each call has its twin on Linux, macOS and Windows here: positional
//! reads and writes, syncing (`F_FULLFSYNC` on macOS and `FlushFileBuffers` on Windows, by way of the standard
//! library), directory sync, the folder's lock.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
    sync::Arc,
};

/// A disk with folders and files.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder and those above it; existing ones are fine.
    fn create_dir(&self, folder: &Path) -> io::Result<()>;
    /// Names and sizes of the files of a folder, in no order; none if there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<FileEntry>>;
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, replacing what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the folder's entries durable.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;
    /// Takes the lock of `path` (a file made for it); `None`: another process has it. Held until dropped.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;
    /// Whether a process has the lock of `path`; makes nothing, keeps nothing.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;
    /// Who takes locks here.
    fn process(&self) -> u32 {
        std::process::id()
    }
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// To read; it must be there.
    Read,
    /// To read and write; it must be there.
    Write,
    /// To read and write; it must not be there.
    New,
}

/// An open file. No method moves a position, so readers and the writer share handles.
pub trait DiskFile: Send + Sync {
    /// Appends up to `bytes` bytes from `offset` to `into`; returns how many, zero at the end of the file.
    fn read_at(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize>;
    /// Writes at `offset`; returns how many bytes were taken, which may be fewer.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes the file's bytes and length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts (or extends) the file.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Its size.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|bytes| bytes == 0)
    }
}

/// A number of bytes that lie in memory already, or must fit there.
pub(crate) fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

// What is read at once: a length that a damaged file claims must not cost its memory.
const READ_BYTES_MAX: usize = 8 << 20;

/// Reads `bytes` bytes from `offset`, fewer only at the end of the file.
pub(crate) fn read_full(
    file: &dyn DiskFile,
    into: &mut Vec<u8>,
    offset: u64,
    bytes: usize,
) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes {
        let want = (bytes - done).min(READ_BYTES_MAX);
        into.reserve_exact(want);
        match file.read_at(into, offset.saturating_add(done as u64), want) {
            Ok(0) => break,
            Ok(some) => done += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_full(file: &dyn DiskFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(some) => done += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

// The index of the largest segment there can be is smaller.
const SMALL_FILE_BYTES_MAX: u64 = 1 << 30;

/// The whole of a small file.
pub(crate) fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let bytes = file.len()?;
    if bytes > SMALL_FILE_BYTES_MAX {
        let message = format!("{bytes} bytes are more than any such file has");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let bytes = in_memory(bytes);
    let mut content = Vec::new();
    read_full(&*file, &mut content, 0, bytes)?;
    Ok(content)
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a small file in place so that after a crash there is the old one or the new one, whole.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    remove_if_there(disk, fresh)?;
    let file = disk.open(fresh, Access::New)?;
    write_full(&*file, content, 0)?;
    file.sync_data()?;
    disk.rename(fresh, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<FileEntry>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let meta = match entry.metadata() {
                // It went since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                files.push(FileEntry {
                    name,
                    bytes: meta.len(),
                });
            }
        }
        Ok(files)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(access != Access::Read)
            .create_new(access == Access::New);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[cfg(unix)]
    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    // NTFS logs its directory entries by itself, and a folder cannot be opened to be flushed.
    #[cfg(not(unix))]
    fn sync_dir(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    // The vector's spare room is filled as it is: zeroing it first would cost a fifth of a sequential read.
    #[cfg(unix)]
    fn read_at(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        let start = into.len();
        into.reserve_exact(bytes);
        let read = rustix::io::pread(&self.0, rustix::buffer::spare_capacity(into), offset)?;
        // The spare room may be larger than what was asked for.
        into.truncate(start + read.min(bytes));
        Ok(read.min(bytes))
    }

    #[cfg(windows)]
    fn read_at(&self, into: &mut Vec<u8>, offset: u64, bytes: usize) -> io::Result<usize> {
        use std::os::windows::fs::FileExt;
        let start = into.len();
        into.resize(start + bytes, 0);
        let read = self.0.seek_read(&mut into[start..], offset);
        into.truncate(start + *read.as_ref().unwrap_or(&0));
        read
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|meta| meta.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_folder_in_which_files_come_and_go_can_be_listed() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("stays"), "").expect("written");
        let (path, over) = (folder.path(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for name in ["a", "b", "c", "d"] {
                        fs::write(path.join(name), "").expect("written");
                    }
                    for name in ["a", "b", "c", "d"] {
                        fs::remove_file(path.join(name)).expect("removed");
                    }
                }
            });
            let listed: io::Result<Vec<_>> = (0..3_000).map(|_| RealDisk.list(path)).collect();
            over.store(true, Ordering::Relaxed);
            for files in listed.expect("listed") {
                assert!(files.iter().any(|file| file.name == "stays"));
            }
        });
    }
}
