//! All files of a source: which there are, how far each was read, and what is read next.
//!
//! Decides by what is on the disk and by the time it is told; `look` finds out what became of the files. Whoever drives
//! it reads a [`Batch`], writes the [`Document`] down first if the batch asks for it, hands the events on, and settles
//! the batch once they are durable.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io,
    path::PathBuf,
};

use kymo_event::{Event, dialects::UNRECOGNISED};

use super::{
    TailSettings,
    cursor::{Document, Kept},
    following::{Following, Mark, Read},
    generation::Begun,
    patterns::Patterns,
    taking::{Piece, RefusedRecord, Source},
};
use crate::stamp::{Stamp, is_absence};

/// Events, and bytes of files, that are handed on together.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: u64 = if cfg!(test) { 300 } else { 1 << 20 };

/// The files of a source.
pub(super) struct Roster {
    pub(super) name: String,
    pub(super) settings: TailSettings,
    pub(super) patterns: Patterns,
    /// By a number that nobody sees.
    pub(super) files: BTreeMap<u64, Following>,
    pub(super) next_number: u64,
    /// Of every file that the settings lead to.
    pub(super) by_path: HashMap<PathBuf, u64>,
    /// Files with something to be read.
    pub(super) behind: BTreeSet<u64>,
    /// Files that were put in the place of others wait until those are read: first comes what was there first. Whether it
    /// may be the other one, written anew.
    pub(super) waiting: BTreeMap<u64, (u64, bool)>,
    pub(super) handles: Handles,
    begun: Begun,
    pub(super) looked: Option<i64>,
    /// Directories in which something may appear or change.
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) lost: Vec<Lost>,
    /// What stands in the way of reading, by file.
    pub(super) problems: BTreeMap<PathBuf, String>,
    /// The last file that was read: others have their turn first.
    turn: u64,
    /// A file is not what it was when everything was looked at.
    pub(super) is_stale: bool,
    /// There are files of which the document on disk knows nothing, or not where they are, or not that they began again:
    /// it should, before they are moved on.
    pub(super) has_new: bool,
}

/// Bytes that were seen and are gone without having been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) file: PathBuf,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What is handed on together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event<'static>>,
    /// Of each event: its file, line and byte.
    pub(super) places: Vec<(usize, u64, u64)>,
    pub(super) files: Vec<PathBuf>,
    /// What is no event, by file.
    pub(super) refused: Vec<(usize, RefusedRecord)>,
    pub(super) lost: Vec<Lost>,
    pub(super) unrecognised: u64,
    pub(super) bytes: u64,
    /// The document must be on disk before the events are handed on: ids are made of what it says.
    pub(super) is_new: bool,
    parts: Vec<Part>,
}

/// How far a file was read with a batch.
struct Part {
    number: u64,
    epoch: u32,
    mark: Mark,
    is_over: bool,
}

impl Roster {
    /// Goes on where a document says.
    pub(super) fn new(name: &str, settings: TailSettings, patterns: Patterns, document: Document) -> Self {
        let mut roster = Self {
            name: name.to_owned(),
            handles: Handles::new(settings.open_files_max),
            settings,
            patterns,
            files: BTreeMap::new(),
            next_number: 0,
            by_path: HashMap::new(),
            behind: BTreeSet::new(),
            waiting: BTreeMap::new(),
            begun: document.begun,
            looked: document.looked,
            directories: BTreeSet::new(),
            lost: Vec::new(),
            problems: BTreeMap::new(),
            turn: 0,
            is_stale: true,
            has_new: false,
        };
        for kept in document.files {
            roster.add(kept);
        }
        roster
    }

    pub(super) fn add(&mut self, kept: Kept) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.by_path.insert(kept.path.clone(), number);
        self.files.insert(number, Following::new(kept));
        number
    }

    /// What must be known to go on from here.
    pub(super) fn document(&self) -> Document {
        Document {
            looked: self.looked,
            begun: self.begun.clone(),
            files: self.files.values().map(Kept::of).collect(),
        }
    }

    /// Reads what is there, each file in its turn; `None` where there is nothing.
    pub(super) fn read(&mut self) -> Option<Batch> {
        let mut batch = Batch {
            lost: std::mem::take(&mut self.lost),
            ..Batch::default()
        };
        while batch.events.len() + batch.refused.len() < BATCH_EVENTS && batch.bytes < BATCH_BYTES {
            let later = self.behind.range(self.turn + 1..).next();
            let Some(number) = later.or_else(|| self.behind.first()).copied() else {
                break;
            };
            self.turn = number;
            if !self.waits(number) {
                self.read_one(number, &mut batch);
            }
        }
        let is_any = !batch.parts.is_empty() || !batch.lost.is_empty();
        is_any.then_some(batch)
    }

    /// Whether another file is to be read before this one.
    fn waits(&mut self, number: u64) -> bool {
        let Some((before, may_be_it)) = self.waiting.get(&number).copied() else {
            return false;
        };
        let known = self.files.get(&before).and_then(Following::generation).cloned();
        if let Some(file) = self.files.get_mut(&number)
            && may_be_it
        {
            file.inherit(known);
        }
        let waits = self.behind.contains(&before);
        if !waits {
            self.waiting.remove(&number);
        }
        waits
    }

    fn read_one(&mut self, number: u64, batch: &mut Batch) {
        let source = Source {
            name: &self.name,
            settings: &self.settings,
        };
        self.handles.make_room(number, &self.files);
        let Some(following) = self.files.get_mut(&number) else {
            self.behind.remove(&number);
            return;
        };
        if following.is_over {
            self.behind.remove(&number);
            let piece = following.finish(&source, &mut self.begun);
            batch.add(number, following, piece);
            return;
        }
        let read = match self.handles.of(number, following) {
            Ok(Some(file)) => following.read(file, &source, &mut self.begun),
            Ok(None) => {
                self.is_stale = true;
                self.behind.remove(&number);
                return;
            }
            Err(error) => Err(error),
        };
        match read {
            Ok(Read::Piece(piece)) => {
                if !self.problems.is_empty() {
                    self.problems.remove(&following.path);
                }
                batch.add(number, following, *piece);
            }
            Ok(Read::Again) => self.has_new = true,
            Ok(Read::Nothing) => _ = self.behind.remove(&number),
            Err(error) => {
                // Looked at again with everything else.
                self.problems.insert(following.path.clone(), error.to_string());
                self.behind.remove(&number);
                return;
            }
        }
        if !following.is_behind() {
            self.behind.remove(&number);
        }
    }

    /// The events of the batch are durable: nothing before their end is needed any more.
    pub(super) fn settle(&mut self, batch: &Batch) {
        for part in &batch.parts {
            if part.is_over {
                self.remove(part.number);
            } else if let Some(file) = self.files.get_mut(&part.number)
                && file.epoch == part.epoch
            {
                file.durable = part.mark.clone();
            }
        }
    }

    pub(super) fn remove(&mut self, number: u64) {
        let waiting: Vec<u64> = self.waiting.keys().copied().collect();
        for other in waiting {
            self.waits(other);
        }
        if let Some(file) = self.files.remove(&number) {
            self.problems.remove(&file.path);
            if self.by_path.get(&file.path) == Some(&number) {
                self.by_path.remove(&file.path);
            }
        }
        self.behind.remove(&number);
        self.waiting.remove(&number);
        self.handles.close(number);
    }

    /// The batch was not handed on: everything behind what is durable is read again.
    pub(super) fn rewind(&mut self, batch: Batch) {
        self.lost.extend(batch.lost);
        for (number, file) in &mut self.files {
            file.rewind();
            self.behind.insert(*number);
        }
    }

    /// Bytes that were seen and not read yet.
    pub(super) fn unread(&self) -> u64 {
        self.files.values().map(Following::unread).sum()
    }
}

impl Batch {
    fn add(&mut self, number: u64, file: &mut Following, piece: Piece) {
        let index = match self.files.last() {
            Some(last) if *last == file.path => self.files.len() - 1,
            _ => {
                self.files.push(file.path.clone());
                self.files.len() - 1
            }
        };
        if piece.is_new {
            file.durable = Mark::beginning(piece.mark.generation.clone(), piece.mark.past);
            self.is_new = true;
        }
        self.lost.extend(piece.lost.map(|(from, to)| Lost {
            file: file.path.clone(),
            from,
            to,
        }));
        let is_unrecognised = |event: &&Event<'_>| event.kind == UNRECOGNISED;
        self.unrecognised += piece.events.iter().filter(is_unrecognised).count() as u64;
        self.events.extend(piece.events);
        self.places
            .extend(piece.places.into_iter().map(|(line, byte)| (index, line, byte)));
        self.refused
            .extend(piece.refused.into_iter().map(|refused| (index, refused)));
        self.bytes += piece.bytes;
        self.parts.push(Part {
            number,
            epoch: file.epoch,
            mark: piece.mark,
            is_over: file.is_over,
        });
    }
}

/// Files that are open, the fewest that will do.
pub(super) struct Handles {
    open: HashMap<u64, (File, u64)>,
    max: usize,
    /// Counts uses.
    tick: u64,
}

impl Handles {
    fn new(max: usize) -> Self {
        Self {
            open: HashMap::new(),
            max: max.max(1),
            tick: 0,
        }
    }

    /// The file, if it is what is at its path, or was open already.
    fn of(&mut self, number: u64, following: &Following) -> io::Result<Option<&File>> {
        self.tick += 1;
        if !self.open.contains_key(&number) {
            if following.is_deleted {
                return Ok(None);
            }
            // Opening what is no file, a pipe for one, could take for ever.
            let is_there = Stamp::at(&following.path)?.is_some_and(|stamp| following.is(&stamp));
            if !is_there {
                return Ok(None);
            }
            let file = match File::open(&following.path) {
                Err(error) if is_absence(&error) => return Ok(None),
                opened => opened?,
            };
            if !Stamp::of(&file.metadata()?).is_some_and(|stamp| following.is(&stamp)) {
                return Ok(None);
            }
            self.open.insert(number, (file, self.tick));
        }
        let (file, used) = self.open.get_mut(&number).expect("it was opened above");
        *used = self.tick;
        Ok(Some(file))
    }

    /// The file as it is, where it is open.
    pub(super) fn stamp(&self, number: u64) -> Option<Stamp> {
        let (file, _) = self.open.get(&number)?;
        Stamp::of(&file.metadata().ok()?)
    }

    pub(super) fn close(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Closes those that were used longest ago, so that this one can be opened if it is not. Those that nobody could open
    /// again stay.
    fn make_room(&mut self, number: u64, files: &BTreeMap<u64, Following>) {
        if self.open.contains_key(&number) {
            return;
        }
        while self.open.len() >= self.max {
            let may_close = |number: &&u64| files.get(number).is_none_or(|file| !file.is_deleted);
            let numbers = self.open.keys().filter(may_close);
            let Some(number) = numbers.min_by_key(|number| self.open[number].1).copied() else {
                return;
            };
            self.open.remove(&number);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
