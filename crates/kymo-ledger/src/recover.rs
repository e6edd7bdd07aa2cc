//! What a crash left: finds the last good line, keeps the unfinished tail in quarantine, makes the rest durable.
//!
//! Only bytes behind the last finished write of the last segment are ever cut. A line that was finished and is damaged
//! keeps its seq and becomes a hole like any other.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use kymo_event::{LineView, Micros, Seq};
use memchr::{memchr, memchr_iter, memmem};

use crate::{
    Notice, OpenError,
    disk::{self, Access, Disk, DiskFile, in_memory},
    folder::{Folder, Identity},
    notices::Notices,
    scan,
    segment::{Data, End},
    walk::{Hole, Step, Walker},
};

/// A place in a segment up to which everything is known already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) next: u64,
    pub(crate) offset: u64,
    pub(crate) newest: Option<Micros>,
    /// The segment reached up to there once, as its index says: what is missing until there was lost, not unfinished.
    pub(crate) claimed: End,
    /// How much of the index says so and is gone on with; `None` where it could not be read.
    pub(crate) index_bytes: Option<u64>,
}

impl Known {
    /// Nothing of the segment that begins at `first` is known.
    pub(crate) fn nothing(first: u64) -> Self {
        Self {
            next: first,
            offset: 0,
            newest: None,
            claimed: End {
                last: first - 1,
                bytes: 0,
            },
            index_bytes: None,
        }
    }

    /// Nobody says that the segment ever had a line.
    pub(crate) fn claims_nothing(&self) -> bool {
        self.claimed.bytes == 0
    }
}

/// The end of a segment as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) end: End,
    pub(crate) newest: Option<Micros>,
    /// Bytes behind the end.
    pub(crate) unfinished: u64,
    pub(crate) witnessed: Witnessed,
}

/// Lines that are gone, and of which only the index says that they were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witnessed {
    Nothing,
    /// Good ones follow, of which the index does not know.
    Before,
    /// The last ones.
    Last,
}

/// The end of a segment whose lines are all gone.
pub(crate) fn nothing_left(known: &Known) -> Tail {
    Tail {
        end: End {
            bytes: 0,
            ..known.claimed
        },
        newest: known.newest,
        unfinished: 0,
        witnessed: Witnessed::Last,
    }
}

// No line is shorter, so this bounds how many seqs some bytes can hold.
const LINE_BYTES_MIN: u64 = 64;
// Seqs that a hole without bytes may have swallowed; a jump beyond is no line of ours.
const JUMP_MAX: u64 = 1 << 24;
const STEP_BYTES: usize = 1 << 20;

/// Walks the lines behind what is `known` to the end of the file.
pub(crate) fn tail(file: &Arc<dyn DiskFile>, known: Known) -> io::Result<Tail> {
    let bytes = file.len()?;
    let plausible = known.next + bytes.saturating_sub(known.offset) / LINE_BYTES_MIN + JUMP_MAX;
    let data = Arc::new(Data::Plain(file.clone()));
    let mut walker = Walker::over(data, known.next, known.offset, plausible, bytes);
    let mut tail = Tail {
        end: End {
            last: known.next - 1,
            bytes: known.offset,
        },
        newest: known.newest,
        unfinished: 0,
        witnessed: Witnessed::Nothing,
    };
    let mut doubt = Doubt::default();
    let mut witnessed = false;
    loop {
        match walker.step() {
            Step::Line { start, end } => {
                let time = recorded(walker.bytes(start, end - 1));
                doubt.line(time);
                tail.newest = time.or(tail.newest);
                tail.end = End {
                    last: walker.seq() - 1,
                    bytes: walker.offset(),
                };
            }
            Step::Edge => walker.advance(STEP_BYTES)?,
            Step::Bad if walker.offset() == bytes => break,
            Step::Bad => {
                let hole = walker.hole()?;
                let zeros = has_zeros(&**file, &hole, bytes)?;
                if zeros && hole.first > known.claimed.last {
                    doubt.hole(tail);
                }
                // The lines behind do not tell this from an unfinished write; only the index does.
                witnessed |= zeros && hole.first <= known.claimed.last;
            }
            Step::Done => break,
        }
    }
    tail = doubt.first().unwrap_or(tail);
    finished_but_damaged(&**file, &mut tail, bytes)?;
    if tail.end.last < known.claimed.last {
        tail.end.last = known.claimed.last;
        tail.end.bytes = known.claimed.bytes.clamp(tail.end.bytes, bytes);
        witnessed = true;
    }
    tail.witnessed = match (witnessed, tail.end.last > known.claimed.last) {
        (false, _) => Witnessed::Nothing,
        (true, true) => Witnessed::Before,
        (true, false) => Witnessed::Last,
    };
    tail.unfinished = bytes - tail.end.bytes;
    Ok(tail)
}

fn recorded(line: &[u8]) -> Option<Micros> {
    LineView::parse(line).ok().map(|view| view.recorded())
}

/// Holes with stretches of zeros: either pages of a write that no sync has finished, or damage.
///
/// The next group is written when the one before it is synced, and all lines of a group have one `recorded`. So if
/// lines of two times stand behind a hole, what stood there was synced, and it is damage. Else nobody was told of
/// it, and it is the unfinished tail.
#[derive(Default)]
struct Doubt {
    /// The end before the first hole behind which all lines have one time, and that time.
    held: Option<(Tail, Option<Micros>)>,
    /// The same of the first hole behind which no line is yet.
    fresh: Option<Tail>,
}

impl Doubt {
    fn hole(&mut self, before: Tail) {
        self.fresh.get_or_insert(before);
    }

    fn line(&mut self, time: Option<Micros>) {
        self.held.take_if(|(_, other)| *other != time);
        let fresh = self.fresh.take();
        if self.held.is_none() {
            self.held = fresh.map(|tail| (tail, time));
        }
    }

    /// The end before the first hole that may be unfinished.
    fn first(self) -> Option<Tail> {
        self.held.map(|(tail, _)| tail).or(self.fresh)
    }
}

// What a disk writes at once: it is whole or not there.
const SECTOR: u64 = 512;

/// Whether some of a hole reads as a part of a file of so many bytes that was never written: a good line has no zero, and
/// a damaged one hardly two in a row, or one where a sector or the file ends.
fn has_zeros(file: &dyn DiskFile, hole: &Hole, bytes: u64) -> io::Result<bool> {
    let (mut done, mut piece) = (0, Vec::new());
    while done < hole.bytes {
        let want = STEP_BYTES.min(usize::try_from(hole.bytes - done).unwrap_or(STEP_BYTES));
        piece.clear();
        let from = hole.byte + done;
        let read = disk::read_full(file, &mut piece, from, want)?;
        let ends = |zero: usize| {
            let behind = from + zero as u64 + 1;
            behind.is_multiple_of(SECTOR) || behind == bytes
        };
        if memmem::find(&piece, b"\0\0").is_some() || memchr_iter(0, &piece).any(ends) {
            return Ok(true);
        }
        if read == 0 {
            break;
        }
        done += read as u64;
    }
    Ok(false)
}

/// Takes lines at the very end that were finished but fail their checksum into the segment, as the holes they are.
fn finished_but_damaged(file: &dyn DiskFile, tail: &mut Tail, bytes: u64) -> io::Result<()> {
    let left = usize::try_from(bytes - tail.end.bytes).map_err(io::Error::other)?;
    let mut rest = Vec::new();
    disk::read_full(file, &mut rest, tail.end.bytes, left)?;
    let mut rest = &rest[..];
    while let Some(feed) = memchr(b'\n', rest) {
        if !scan::looks_finished(&rest[..feed], tail.end.last + 1) {
            break;
        }
        tail.end.last += 1;
        tail.end.bytes += feed as u64 + 1;
        rest = &rest[feed + 1..];
    }
    Ok(())
}

/// Makes what was found durable up to its end, from `offset` on. It is written again: the pages may be of a write whose
/// sync failed just before the program ended, and then another sync says nothing.
pub(crate) fn write_again(file: &dyn DiskFile, offset: u64, tail: &Tail) -> io::Result<()> {
    let (mut at, mut piece) = (offset, Vec::new());
    while at < tail.end.bytes {
        piece.clear();
        let want = STEP_BYTES.min(in_memory(tail.end.bytes - at));
        if disk::read_full(file, &mut piece, at, want)? == 0 {
            break;
        }
        match disk::write_full(file, &piece, at) {
            // Then as well as it can be.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
            written => written?,
        }
        at += piece.len() as u64;
    }
    file.sync_data()
}

/// Moves the unfinished bytes into quarantine and cuts them off. `false`: the disk has no room for that, and nothing
/// may be written behind them.
pub(crate) fn quarantine(
    disk: &dyn Disk,
    folder: &Folder,
    first: u64,
    file: &dyn DiskFile,
    tail: &Tail,
    notices: &Notices,
) -> Result<bool, OpenError> {
    let place = folder.quarantine();
    let kept = free_name(disk, &place, first, tail.end.bytes);
    match keep(disk, file, tail, &place, &kept) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(false),
        Err(error) => return Err(OpenError::io(kept)(error)),
    }
    file.set_len(tail.end.bytes)
        .map_err(OpenError::io(folder.segment(first)))?;
    tell_cut(first, tail, kept, notices);
    Ok(true)
}

/// Moves a segment that has not one whole line into quarantine as it is; that needs no room.
pub(crate) fn quarantine_whole(
    disk: &dyn Disk,
    folder: &Folder,
    first: u64,
    tail: &Tail,
    notices: &Notices,
) -> Result<(), OpenError> {
    let place = folder.quarantine();
    let kept = free_name(disk, &place, first, 0);
    let moved = make_quarantine(disk, &place).and_then(|()| {
        disk.rename(&folder.segment(first), &kept)?;
        disk.sync_dir(&place)?;
        disk.sync_dir(folder.ledger())
    });
    moved.map_err(OpenError::io(&kept))?;
    tell_cut(first, tail, kept, notices);
    Ok(())
}

fn tell_cut(first: u64, tail: &Tail, kept: PathBuf, notices: &Notices) {
    tracing::warn!(segment = first, bytes = tail.unfinished, quarantine = %kept.display(), "unfinished tail cut");
    notices.tell(Notice::TailCut {
        segment: Seq::new(first).unwrap_or(Seq::FIRST),
        bytes: tail.unfinished,
        quarantine: kept,
    });
}

/// A name that no earlier tail has.
fn free_name(disk: &dyn Disk, place: &Path, first: u64, byte: u64) -> PathBuf {
    let names = (1_u32..).map(|time| match time {
        1 => place.join(format!("{first:020}.{byte}.tail")),
        time => place.join(format!("{first:020}.{byte}.{time}.tail")),
    });
    let free = |path: &PathBuf| disk.open(path, Access::Read).is_err();
    names.into_iter().find(free).expect("numbers do not end")
}

fn make_quarantine(disk: &dyn Disk, place: &Path) -> io::Result<()> {
    disk.create_dir(place)?;
    disk.sync_dir(place.parent().unwrap_or(place))
}

fn keep(disk: &dyn Disk, file: &dyn DiskFile, tail: &Tail, place: &Path, kept: &Path) -> io::Result<()> {
    make_quarantine(disk, place)?;
    let copy = disk.open(kept, Access::New)?;
    let (mut done, mut piece) = (0, Vec::new());
    while done < tail.unfinished {
        piece.clear();
        let read = disk::read_full(file, &mut piece, tail.end.bytes + done, STEP_BYTES)?;
        if read == 0 {
            break;
        }
        disk::write_full(&*copy, &piece, done)?;
        done += read as u64;
    }
    copy.sync_data()?;
    disk.sync_dir(place)
}

/// Gives the ledger a new id if a stored cursor is ahead of `head`: what that cursor has seen is not here any more.
pub(crate) fn rename_if_behind(
    disk: &dyn Disk,
    folder: &Folder,
    identity: &mut Identity,
    head: u64,
    notices: &Notices,
) -> Result<(), OpenError> {
    let cursors = folder.cursors();
    let files = disk.list(&cursors).map_err(OpenError::io(&cursors))?;
    let ahead = files.iter().any(|file| {
        let cursor = disk::read_all(disk, &cursors.join(&file.name)).ok();
        let cursor = cursor.and_then(|text| serde_json::from_slice::<Cursor>(&text).ok());
        cursor.is_some_and(|cursor| cursor.ledger == identity.id.as_str() && cursor.seq > head)
    });
    if ahead {
        let former = identity.id.to_string();
        identity.rename();
        identity
            .save(disk, folder)
            .map_err(OpenError::io(folder.identity()))?;
        notices.tell(Notice::Renamed {
            former,
            id: identity.id.to_string(),
        });
    }
    Ok(())
}

#[derive(serde::Deserialize)]
struct Cursor {
    ledger: String,
    seq: u64,
}
