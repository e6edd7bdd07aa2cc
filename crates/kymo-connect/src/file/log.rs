//! A file that only grows by whole lines, each once, whatever ends the writing in between.
//!
//! The [`Mark`] says: the lines of every event before `next` lie in the first `length` bytes. It is written down less
//! often than lines are, so there may be more in the file than it says: those that come next, perhaps the last of them
//! cut, since what is written depends on the event alone. They are recognised by their bytes, also with
//! lines of others between them, and only what is missing is appended.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use kymo_event::{LedgerId, Seq};

use crate::{
    cursors::{CursorFile, Loaded},
    stamp::{Identity, identity},
};

/// How far a file was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Mark {
    ledger: LedgerId,
    /// The lines of all events before this one…
    next: Seq,
    /// … lie within so many bytes …
    length: u64,
    /// … of this file, wherever it is by now; `None` where files cannot be told apart.
    file: Option<Identity>,
}

pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    mark: Mark,
    kept: Option<Mark>,
    place: CursorFile<Mark>,
}

impl Log {
    pub(super) fn new(path: PathBuf, place: CursorFile<Mark>, ledger: LedgerId) -> Self {
        Self {
            path,
            file: None,
            mark: Mark {
                ledger,
                next: Seq::FIRST,
                length: 0,
                file: None,
            },
            kept: None,
            place,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The first event whose line is not known to be in the file.
    pub(super) fn next(&self) -> Seq {
        self.mark.next
    }

    /// Opens the file, and recalls how far it was written. It is made if there is none.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.kept.is_none() {
            // Without it, up to a second's lines could come twice: nothing else is lost with it.
            if let Loaded::At(mark) = self.place.load()?
                && mark.ledger == self.mark.ledger
            {
                self.mark = mark.clone();
                self.kept = Some(mark);
            }
        }
        self.file = None;
        self.current().map(drop)
    }

    /// Appends the lines of a batch that begins with this event, but for what of them is there already. Says how long
    /// the file is then.
    pub(super) fn append(&mut self, first: Seq, lines: &[u8]) -> io::Result<u64> {
        let (identity, length) = self.current()?;
        let is_new = self.mark.file != identity || length < self.mark.length;
        if is_new {
            // It was rotated: what was written before stays where it is now.
            self.mark = Mark {
                next: first,
                length,
                file: identity,
                ..self.mark.clone()
            };
            self.store()?;
        }
        let from = self.mark.length;
        let file = self.file.as_mut().ok_or(ErrorKind::NotFound)?;
        let there = match length - from {
            0 if is_new => There::nothing(length, is_cut(file, length)?),
            0 => There::nothing(length, false),
            _ => There::find(file, from, length, lines)?,
        };
        let missing = &lines[there.bytes..];
        if missing.is_empty() {
            return Ok(there.end);
        }
        if there.needs_end {
            file.write_all(&[b"\n", missing].concat())?;
        } else {
            file.write_all(missing)?;
        }
        Ok(file.metadata()?.len())
    }

    /// Everything before `next` is in the file, which is as long as that.
    pub(super) fn delivered(&mut self, next: Seq, length: u64) {
        (self.mark.next, self.mark.length) = (next, length);
    }

    /// Makes what was written durable, and writes down how far that is.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        if self.kept.as_ref() == Some(&self.mark) {
            return Ok(());
        }
        self.sync()?;
        self.store()
    }

    fn store(&mut self) -> io::Result<()> {
        let unnoted = |error: io::Error| {
            let message = format!("how far it was written cannot be noted ({error})");
            io::Error::new(error.kind(), message)
        };
        self.place.store(&self.mark).map_err(unnoted)?;
        self.kept = Some(self.mark.clone());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Which file it is now, and how long; opened anew if another lies at the path, or none.
    fn current(&mut self) -> io::Result<(Option<Identity>, u64)> {
        if let Some(file) = &self.file {
            let open = file.metadata()?;
            if fs::metadata(&self.path).is_ok_and(|there| identity(&there) == identity(&open)) {
                return Ok((identity(&open), open.len()));
            }
            // What it has is delivered, and nobody looks after it later.
            self.sync()?;
            self.file = None;
        }
        let file = open(&self.path)?;
        let metadata = file.metadata()?;
        self.file = Some(file);
        Ok((identity(&metadata), metadata.len()))
    }
}

fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file; name one"));
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)?;
    lock(&file)?;
    Ok(file)
}

/// Two sinks in one file would each take the other's lines for nobody's, and write their own twice.
#[cfg(unix)]
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::new(
            ErrorKind::ResourceBusy,
            "another sink writes there; give each a file of its own",
        )),
        // There are file systems without locks.
        _ => Ok(()),
    }
}

/// Locks there keep readers away, too.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

/// What of some lines stands in the file already, perhaps with lines of others in between.
#[derive(Debug, PartialEq, Eq)]
struct There {
    /// Of the lines.
    bytes: usize,
    /// Where the last of them ends in the file.
    end: u64,
    /// The last line of the file is cut, and it is none of these.
    needs_end: bool,
}

impl There {
    fn nothing(end: u64, needs_end: bool) -> Self {
        Self {
            bytes: 0,
            end,
            needs_end,
        }
    }

    /// Looks for them, in their order, between two places of the file.
    fn find(file: &mut File, from: u64, to: u64, lines: &[u8]) -> io::Result<Self> {
        file.seek(SeekFrom::Start(from))?;
        let mut rest = BufReader::with_capacity(1 << 16, file.take(to - from));
        let mut there = Self::nothing(from, false);
        // Within a line: how far it is the next one, unless it is another's.
        let (mut place, mut common, mut is_next) = (from, 0, true);
        loop {
            let piece = rest.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(piece.len(), |at| at + 1);
            is_next = is_next && lines[there.bytes + common..].starts_with(&piece[..length]);
            common += length;
            place += length as u64;
            rest.consume(length);
            if end.is_some() {
                if is_next {
                    (there.bytes, there.end) = (there.bytes + common, place);
                    if there.bytes == lines.len() {
                        return Ok(there);
                    }
                }
                (common, is_next) = (0, true);
            }
        }
        if is_next {
            there.bytes += common;
        }
        there.needs_end = !is_next;
        Ok(there)
    }
}

/// Whether the last line of a file has no end.
fn is_cut(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(byte != *b"\n")
}
