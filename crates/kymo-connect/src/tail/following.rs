//! One file that is followed: how far it was read, and what is to be made of what stands there now.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use kymo_event::{Limits, salvage::Salvage};

use super::{
    cursor::{Identity, Kept, identity},
    generation::{Begun, Generation},
    proof::{Proof, read_at},
    taking::{Piece, Source, Taking},
};
use crate::stamp::{Kind, Stamp, is_absence};

/// A record beyond this is refused without being held.
const RECORD_BYTES_MAX: usize = 32 << 20;
/// Bytes read at once.
const CHUNK_BYTES: usize = if cfg!(test) { 64 } else { 256 << 10 };
/// What is kept of the room for what is no record yet.
const ROOM_BYTES_KEPT: usize = 4 << 10;

/// A place in a file behind which nothing was handed out yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Mark {
    /// The content that was read, or at byte 0 what was there before; `None` where nothing ever was.
    pub(super) generation: Option<Generation>,
    pub(super) byte: u64,
    pub(super) line: u64,
    /// Of the content before `byte`.
    pub(super) proof: Proof,
    /// Records that begin before this byte are the past.
    pub(super) past: u64,
}

impl Mark {
    /// The beginning of a file that had this content before.
    pub(super) fn beginning(generation: Option<Generation>, past: u64) -> Self {
        Self {
            generation,
            byte: 0,
            line: 1,
            proof: Proof::default(),
            past,
        }
    }
}

/// A file and how far it was read.
pub(super) struct Following {
    /// Where it was seen last.
    pub(super) path: PathBuf,
    pub(super) identity: Option<Identity>,
    /// The device of the folder it is in.
    pub(super) lies_on: Option<u64>,
    /// As it was seen last.
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
    /// Everything before it is durable.
    pub(super) durable: Mark,
    /// It may be another content by now, although its length says nothing of it.
    pub(super) suspicious: bool,
    /// No path of the settings leads to it any more; since when, or since when it grew last.
    pub(super) leaving: Option<Instant>,
    /// Nobody can open it any more: what is open of it is all there is.
    pub(super) is_deleted: bool,
    /// Nothing more will come.
    pub(super) is_over: bool,
    /// It was found to be empty after it was not.
    pub(super) emptied: Option<Instant>,
    /// Bytes of the content before this one that were seen and could not be read, unless it goes on as it was.
    pub(super) missed: Option<(u64, u64)>,
    /// How often it was begun again. What was read before belongs to another content.
    pub(super) epoch: u32,
    generation: Option<Generation>,
    /// What was read of it before it was begun again last.
    before: Option<(Generation, Proof, u64)>,
    past: u64,
    salvage: Salvage,
    /// Of what was read.
    read: Proof,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// This file, with what was read of it.
    Same,
    /// A file of the same number with other content.
    Changed,
    /// Another file, or none.
    Other,
}

/// What came of reading.
pub(super) enum Read {
    /// Nothing was appended since.
    Nothing,
    /// It is another content than the one that was read: it was begun again.
    Again,
    Piece(Box<Piece>),
}

impl Following {
    /// Goes on behind a mark.
    pub(super) fn new(kept: Kept) -> Self {
        let durable = kept.mark;
        Self {
            path: kept.path,
            identity: kept.identity,
            lies_on: kept.lies_on,
            size: kept.size,
            modified: None,
            suspicious: durable.byte > 0,
            leaving: None,
            is_deleted: false,
            is_over: false,
            emptied: None,
            missed: None,
            epoch: 0,
            generation: (durable.byte > 0).then(|| durable.generation.clone()).flatten(),
            before: None,
            past: durable.past,
            salvage: salvage(durable.byte, durable.line),
            read: durable.proof,
            durable,
        }
    }

    /// Whether it is what is at this path. Numbers of removed files are given again within the same moment, so what was
    /// read must stand there too for it to be certain. The error is what keeps from knowing.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<At> {
        let Some(stamp) = Stamp::at(path)? else {
            return Ok(At::Other);
        };
        if self.identity.is_none() || identity(&stamp) != self.identity {
            return Ok(At::Other);
        }
        let file = match File::open(path) {
            Err(error) if is_absence(&error) => return Ok(At::Other),
            opened => opened?,
        };
        Ok(match self.read.holds(&file, self.end())? {
            true => At::Same,
            false => At::Changed,
        })
    }

    /// Whether this is its number.
    pub(super) fn is(&self, stamp: &Stamp) -> bool {
        stamp.kind == Kind::File && identity(stamp) == self.identity
    }

    /// What was read of it, and of what it was before it was begun again: its content, how that begins, and where it ended.
    pub(super) fn contents(&self) -> impl Iterator<Item = (&Generation, &Proof, u64)> {
        let now = self
            .generation
            .as_ref()
            .map(|generation| (generation, &self.read, self.end()));
        let before = self.before.as_ref();
        now.into_iter()
            .chain(before.map(|(generation, read, end)| (generation, read, *end)))
    }

    /// Whose content it has, as far as that is known.
    pub(super) fn generation(&self) -> Option<&Generation> {
        self.generation.as_ref().or(self.durable.generation.as_ref())
    }

    /// It may go on as this content: its first record decides.
    pub(super) fn inherit(&mut self, generation: Option<Generation>) {
        if self.generation.is_none() && generation.is_some() {
            self.durable.generation = generation;
        }
    }

    /// Behind what was read.
    pub(super) fn end(&self) -> u64 {
        self.salvage.end()
    }

    /// Whether there is something to be read, or looked at again.
    pub(super) fn is_behind(&self) -> bool {
        self.is_over || self.suspicious || self.size != self.end()
    }

    /// Reads it from its beginning. If it begins with the record it began with, it goes on as the same content, and
    /// what stands where it stood is what it was; else, and where it was `ended`, a new one begins.
    pub(super) fn begin_again(&mut self, ended: bool) {
        if let Some(generation) = &self.generation {
            self.before = Some((generation.clone(), self.read, self.end()));
        }
        let before = self.generation.take().or_else(|| self.durable.generation.take());
        self.durable = Mark::beginning(before.filter(|_| !ended), 0);
        self.past = 0;
        self.salvage = salvage(0, 1);
        self.read = Proof::default();
        self.epoch += 1;
        self.suspicious = false;
    }

    /// Goes back to what is durable.
    pub(super) fn rewind(&mut self) {
        let durable = &self.durable;
        self.generation = (durable.byte > 0).then(|| durable.generation.clone()).flatten();
        self.salvage = salvage(durable.byte, durable.line);
        self.read = durable.proof;
        self.epoch += 1;
        self.is_over = false;
    }

    /// What is to be thought of a new length or date.
    pub(super) fn see(&mut self, stamp: &Stamp, now: Instant) {
        if stamp.size < self.end() {
            if self.size > self.end() {
                self.missed = Some((self.end(), self.size));
            }
            self.begin_again(false);
        } else {
            self.suspicious |= self.end() > 0 && stamp.modified != self.modified;
        }
        if stamp.size > self.size && self.leaving.is_some() {
            self.leaving = Some(now);
        }
        (self.size, self.modified) = (stamp.size, stamp.modified);
        let is_empty = stamp.size == 0 && self.durable.generation.is_some();
        self.emptied = is_empty.then(|| self.emptied.unwrap_or(now));
    }

    /// Bytes that were seen and not read.
    pub(super) fn unread(&self) -> u64 {
        self.size.saturating_sub(self.end())
    }

    /// Reads the next piece. An error leaves everything as it was.
    pub(super) fn read(&mut self, file: &File, source: &Source<'_>, begun: &mut Begun) -> io::Result<Read> {
        let end = self.end();
        let unread = usize::try_from(self.unread()).unwrap_or(CHUNK_BYTES);
        let mut chunk = vec![0; unread.clamp(1, CHUNK_BYTES)];
        let count = read_at(file, &mut chunk, end)?;
        // After the reading, so that what was read goes with what stands before it.
        if !self.read.holds(file, end)? {
            self.begin_again(false);
            return Ok(Read::Again);
        }
        self.suspicious = false;
        self.size = self.size.max(end + count as u64);
        if count == 0 {
            self.size = end;
            return Ok(Read::Nothing);
        }
        self.salvage.room().extend_from_slice(&chunk[..count]);
        let mut piece = self.take(false, source, begun);
        piece.bytes = count as u64;
        self.read = Proof::take(file, self.end());
        piece.mark.proof = Proof::take(file, piece.mark.byte);
        Ok(Read::Piece(Box::new(piece)))
    }

    /// Nothing will come any more: what is not whole now is refused.
    pub(super) fn finish(&mut self, source: &Source<'_>, begun: &mut Begun) -> Piece {
        self.take(true, source, begun)
    }

    fn take(&mut self, is_end: bool, source: &Source<'_>, begun: &mut Begun) -> Piece {
        let mut taking = Taking {
            before: self.durable.generation.as_ref(),
            generation: self.generation.take(),
            path: &self.path,
            past: self.past,
            source,
            begun,
            records: None,
            missed: &mut self.missed,
            piece: Piece {
                events: vec![],
                places: vec![],
                refused: vec![],
                bytes: 0,
                mark: Mark::beginning(None, 0),
                is_new: false,
                lost: None,
            },
        };
        self.salvage.take(is_end, &mut |found| taking.found(found));
        let Taking {
            generation,
            mut piece,
            ..
        } = taking;
        self.generation = generation;
        let room = self.salvage.room();
        if room.capacity() > ROOM_BYTES_KEPT + 2 * room.len() {
            room.shrink_to(ROOM_BYTES_KEPT.min(2 * room.len()));
        }
        let (byte, line) = self.salvage.position();
        piece.mark = match &self.generation {
            // Whose content it is is not known yet: whoever goes on here must see its first record.
            None => Mark::beginning(self.durable.generation.clone(), self.past),
            Some(generation) => Mark {
                generation: Some(generation.clone()),
                byte,
                line,
                proof: Proof::default(),
                past: self.past,
            },
        };
        piece
    }
}

fn salvage(byte: u64, line: u64) -> Salvage {
    let limits = Limits {
        event_bytes_max: RECORD_BYTES_MAX,
        ..Limits::default()
    };
    Salvage::new(byte, line, limits)
}
