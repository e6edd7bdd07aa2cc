//! A file that only grows by whole lines, each once, whatever ends the writing in between.
//!
//! The [`Mark`] says: the lines of every event before `next` lie in the first `length` bytes. It is written down less
//! often than lines are, and a write may be cut short, so there may be more in the file than it says: the lines that
//! come next, perhaps the last of them cut, since what is written depends on the event alone. Wherever that is possible
//! they are looked for by their bytes, and only what is missing is appended. Lines of others in between are left alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use kymo_event::{LedgerId, Seq};

use super::fault::LogError;
use crate::{
    cursors::{CursorFile, Loaded},
    stamp,
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
    file: Option<Which>,
}

/// Which file of a disk: its number there and its birth. Disks themselves are numbered anew when a machine starts.
type Which = (u64, Option<SystemTime>);

/// Lines, and the event that each is of.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    ends: Vec<(Seq, usize)>,
}

impl Lines {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::new(),
        }
    }

    /// Adds the line of an event, without its end.
    pub(super) fn add(&mut self, seq: Seq, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.bytes.push(b'\n');
        self.ends.push((seq, self.bytes.len()));
    }

    /// How many bytes the lines before `next` have.
    fn before(&self, next: Seq) -> usize {
        let index = self.ends.partition_point(|(seq, _)| *seq < next);
        index.checked_sub(1).map_or(0, |last| self.ends[last].1)
    }

    /// The event behind the last one whose line ends within so many bytes.
    fn next_at(&self, bytes: usize) -> Option<Seq> {
        let index = self.ends.partition_point(|(_, end)| *end <= bytes);
        index.checked_sub(1).map(|last| self.ends[last].0.next())
    }
}

pub(super) struct Log {
    path: PathBuf,
    /// Where nothing is written.
    data: PathBuf,
    file: Option<File>,
    mark: Mark,
    /// As it was written down last.
    kept: Option<Mark>,
    place: CursorFile<Mark>,
    /// There may be more in the file than the mark says.
    is_unsure: bool,
}

impl Log {
    /// Below `data` it writes nothing.
    pub(super) fn new(path: PathBuf, data: PathBuf, place: CursorFile<Mark>, ledger: LedgerId) -> Self {
        Self {
            path,
            data,
            file: None,
            mark: Mark {
                ledger,
                next: Seq::FIRST,
                length: 0,
                file: None,
            },
            kept: None,
            place,
            is_unsure: true,
        }
    }

    /// Opens the file, and recalls how far it was written. It is made if there is none.
    pub(super) fn open(&mut self) -> Result<(), LogError> {
        if super::resolved(&self.path).starts_with(super::resolved(&self.data)) {
            return Err(LogError::NoLog(
                "it lies in Kymo's own data folder; write it elsewhere",
            ));
        }
        if self.kept.is_none() {
            match self.place.load().map_err(LogError::MarkUnreadable)? {
                Loaded::At(mark) if mark.ledger == self.mark.ledger => {
                    self.mark = mark.clone();
                    self.kept = Some(mark);
                }
                Loaded::Damaged { kept, cause } => {
                    tracing::warn!(kept = %kept.display(), cause, "how far a file was written is not known; some of it may come twice");
                }
                _ => {}
            }
        }
        self.current().map(drop)
    }

    /// Forgets how far the file was written: the sink begins anew.
    pub(super) fn forget(&mut self) -> Result<(), LogError> {
        self.place.remove().map_err(LogError::MarkUnwritable)
    }

    /// Appends what is not there yet.
    pub(super) fn append(&mut self, lines: &Lines) -> Result<(), LogError> {
        let (which, length) = self.current()?;
        let is_other = self.mark.file != which || length < self.mark.length;
        if is_other {
            // It was rotated: what was written before stays where it is now, and this one is begun behind what it has.
            let first = lines.ends.first().map_or(self.mark.next, |(seq, _)| *seq);
            self.note(Mark {
                next: first.max(self.mark.next),
                length,
                file: which,
                ..self.mark.clone()
            })?;
            self.is_unsure = false;
        }
        let mut done = lines.before(self.mark.next);
        if self.is_unsure {
            done = self.catch_up(lines, done, length)?;
            // Where all of these are there, some of the next may be.
            self.is_unsure = done == lines.bytes.len();
        }
        if done == lines.bytes.len() {
            return Ok(());
        }
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        match write(file, lines, done, length).and_then(|()| Ok(file.metadata()?.len())) {
            Ok(length) => {
                let last = lines.ends.last().map_or(self.mark.next, |(seq, _)| seq.next());
                self.delivered(last, length);
                Ok(())
            }
            Err(error) => {
                self.is_unsure = true;
                // What is in by now shall not come again in another file.
                let length = file
                    .metadata()
                    .map_or(self.mark.length, |metadata| metadata.len());
                let _ = self.catch_up(lines, lines.before(self.mark.next), length);
                Err(error.into())
            }
        }
    }

    /// Finds out what of these lines is in the file behind the mark, and moves the mark over it. Says how many of their
    /// bytes that are, the beginning of a line at the file's end included.
    fn catch_up(&mut self, lines: &Lines, done: usize, length: u64) -> Result<usize, LogError> {
        let from = self.mark.length;
        if length <= from {
            return Ok(done);
        }
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let there = There::find(file, from, length, &lines.bytes[done..])?;
        if let Some(next) = lines.next_at(done + there.whole) {
            self.delivered(next.max(self.mark.next), there.end);
        }
        Ok(done + there.whole + there.cut)
    }

    /// Everything before `next` is in the file's first `length` bytes.
    fn delivered(&mut self, next: Seq, length: u64) {
        (self.mark.next, self.mark.length) = (next, length);
    }

    /// Makes what was written durable, and writes down how far that is.
    pub(super) fn keep(&mut self) -> Result<(), LogError> {
        if self.kept.as_ref() == Some(&self.mark) {
            return Ok(());
        }
        self.sync()?;
        self.note(self.mark.clone())
    }

    fn note(&mut self, mark: Mark) -> Result<(), LogError> {
        self.place.store(&mark).map_err(LogError::MarkUnwritable)?;
        self.mark = mark.clone();
        self.kept = Some(mark);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Which file it is now, and how long; opened anew if another lies at the path, or none.
    fn current(&mut self) -> Result<(Option<Which>, u64), LogError> {
        if let Some(file) = &self.file {
            let open = file.metadata()?;
            if fs::metadata(&self.path).is_ok_and(|there| stamp::identity(&there) == stamp::identity(&open)) {
                return Ok((which(&open), open.len()));
            }
            // What it has is delivered, and nobody looks after it later.
            self.sync()?;
            self.file = None;
        }
        let file = open(&self.path)?;
        let metadata = file.metadata()?;
        self.file = Some(file);
        Ok((which(&metadata), metadata.len()))
    }
}

/// Appends the lines from there on. Where that is within a line, the file ended with what stands before, when it had
/// this length.
fn write(file: &mut File, lines: &Lines, done: usize, length: u64) -> io::Result<()> {
    let index = lines.ends.partition_point(|(_, end)| *end <= done);
    let start = index.checked_sub(1).map_or(0, |before| lines.ends[before].1);
    let mut from = done;
    if start < done {
        let end = lines.ends[index].1;
        file.write_all(&lines.bytes[done..end])?;
        // Somebody else may have been quicker: then that line is broken for good, and comes again.
        let mut there = vec![0; end - done];
        file.seek(SeekFrom::Start(length))?;
        file.read_exact(&mut there)?;
        from = if there == lines.bytes[done..end] {
            end
        } else {
            start
        };
    }
    let missing = &lines.bytes[from..];
    if missing.is_empty() {
        return Ok(());
    }
    if is_cut(file)? {
        file.write_all(&[b"\n", missing].concat())
    } else {
        file.write_all(missing)
    }
}

fn which(metadata: &fs::Metadata) -> Option<Which> {
    stamp::identity(metadata).map(|(_, number, birth)| (number, birth))
}

fn open(path: &Path) -> Result<File, LogError> {
    let there = fs::metadata(path);
    if there.as_ref().is_ok_and(|there| !there.is_file()) {
        return Err(LogError::NoLog("it is no file; name one"));
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)?;
    if there.is_err() {
        crate::cursors::sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(file)
}

/// What of some lines stands in a file already, perhaps with lines of others in between.
#[derive(Debug, Default, PartialEq, Eq)]
struct There {
    /// Bytes of whole lines.
    whole: usize,
    /// Where the last of these ends in the file.
    end: u64,
    /// Bytes of the next line that the file ends with.
    cut: usize,
}

impl There {
    /// Looks for them, in their order, between two places of the file.
    fn find(file: &mut File, from: u64, to: u64, lines: &[u8]) -> io::Result<Self> {
        file.seek(SeekFrom::Start(from))?;
        let mut rest = BufReader::with_capacity(1 << 16, file.take(to - from));
        let mut there = Self {
            end: from,
            ..Self::default()
        };
        // Within a line: how far it is the next one, unless it is another's.
        let (mut place, mut common, mut is_next) = (from, 0, true);
        loop {
            let piece = rest.fill_buf()?;
            if piece.is_empty() {
                break;
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(piece.len(), |at| at + 1);
            is_next = is_next && lines[there.whole + common..].starts_with(&piece[..length]);
            common += length;
            place += length as u64;
            rest.consume(length);
            if end.is_some() {
                if is_next {
                    (there.whole, there.end) = (there.whole + common, place);
                    if there.whole == lines.len() {
                        return Ok(there);
                    }
                }
                (common, is_next) = (0, true);
            }
        }
        there.cut = if is_next { common } else { 0 };
        Ok(there)
    }
}

/// Whether the last line of a file has no end.
fn is_cut(file: &mut File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(byte != *b"\n")
}
