//! A folder with writers, the roster that follows it and may be killed, and a ledger that remembers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kymo_event::Micros;
use serde_json::Value;

use super::super::{
    TailSettings,
    cursor::{Document, identity},
    patterns::Patterns,
    roster::{Batch, Lost, Roster},
};
use crate::stamp::Stamp;

/// What a hub keeps: an event is known by its source, its id and its content.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) known: BTreeSet<(String, String, String)>,
    pub(super) numbers: Vec<u64>,
    pub(super) pasts: BTreeMap<u64, bool>,
}

impl Ledger {
    pub(super) fn take(&mut self, batch: &Batch) {
        for event in &batch.events {
            let id = event.id.as_deref().expect("every event has an id").to_owned();
            let data = event.data.as_deref().unwrap_or("");
            if !self.known.insert((event.source.to_string(), id, data.to_owned())) {
                continue;
            }
            let data: Value = serde_json::from_str(data).unwrap();
            let number = data["n"].as_u64().unwrap();
            self.numbers.push(number);
            self.pasts.insert(number, event.backfill);
        }
    }
}

/// A file as its writer knows it.
#[derive(Default)]
pub(super) struct Written {
    /// Every record that is whole in it, in order: its number and its text.
    pub(super) records: Vec<(u64, String)>,
    /// What is still to be written of the record that was begun last.
    pub(super) unfinished: Option<(u64, String, usize)>,
}

impl Written {
    pub(super) fn size(&self) -> usize {
        self.records.iter().map(|(_, text)| text.len()).sum()
    }
}

/// The folder, its writers, the roster that may be killed, and the ledger that remembers.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) files: BTreeMap<PathBuf, Written>,
    /// Renamed to where no pattern leads; their writers may still hold them.
    pub(super) rotated: BTreeMap<PathBuf, Written>,
    pub(super) roster: Roster,
    /// The document on disk.
    pub(super) kept: Document,
    pub(super) ledger: Ledger,
    pub(super) now: Instant,
    pub(super) next: u64,
    pub(super) written: BTreeSet<u64>,
    /// Removed before they were read.
    pub(super) excused: BTreeSet<u64>,
    pub(super) lost: Vec<Lost>,
    pub(super) refused: u64,
    /// What is removed was read before.
    pub(super) is_gentle: bool,
    pub(super) rotations: u32,
}

pub(super) fn roster(folder: &Path, document: Document) -> Roster {
    let settings = TailSettings {
        paths: vec![folder.join("**/*.jsonl").to_string_lossy().into_owned()],
        source: Some("test".into()),
        open_files_max: 2,
        ..TailSettings::default()
    };
    let patterns = Patterns::new(&settings.paths, &[]).unwrap();
    Roster::new("logs", settings, patterns, document)
}

impl World {
    pub(super) fn new(is_gentle: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            files: BTreeMap::new(),
            rotated: BTreeMap::new(),
            roster: roster(folder.path(), Document::default()),
            kept: Document::default(),
            ledger: Ledger::default(),
            now: Instant::now(),
            next: 0,
            written: BTreeSet::new(),
            excused: BTreeSet::new(),
            lost: Vec::new(),
            refused: 0,
            is_gentle,
            rotations: 0,
            folder,
        }
    }

    pub(super) fn path(&self, name: u8) -> PathBuf {
        self.folder
            .path()
            .join(format!("{}.jsonl", ["a", "b", "c"][usize::from(name) % 3]))
    }

    pub(super) fn record(&mut self, form: u8) -> (u64, String) {
        let n = self.next;
        self.next += 1;
        let pad = "x".repeat((n * 7 % 90) as usize);
        let text = match form % 6 {
            0 => format!("{{\"type\":\"t\",\n  \"data\": {{\n    \"n\": {n}\n  }}\n}}\n"),
            1 => format!("{{\"type\":\"t\",\"data\":{{\"n\":{n},\"pad\":\"{pad}\"}}}}\r\n"),
            // The next record follows on the same line.
            2 => format!("{{\"type\":\"t\",\"data\":{{\"n\":{n}}}}}"),
            3 => format!("\0\0{{\"type\":\"t\",\"data\":{{\"n\":{n}}}}}\n\n"),
            _ => format!("{{\"type\":\"t\",\"data\":{{\"n\":{n},\"pad\":\"é{pad}\"}}}}\n"),
        };
        (n, text)
    }

    pub(super) fn append_to(&mut self, path: &Path, is_rotated: bool, form: u8, part: Option<u8>) {
        let record = self.record(form);
        let files = if is_rotated {
            &mut self.rotated
        } else {
            &mut self.files
        };
        let written = files.entry(path.to_owned()).or_default();
        let mut bytes = String::new();
        let mut whole = Vec::new();
        if let Some((n, text, at)) = written.unfinished.take() {
            bytes.push_str(&text[at..]);
            whole.push((n, text));
        }
        match part {
            None => {
                bytes.push_str(&record.1);
                whole.push(record);
            }
            Some(part) => {
                // The last bracket is still to come.
                let mut at = usize::from(part) % record.1.trim_end().len();
                while !record.1.is_char_boundary(at) {
                    at -= 1;
                }
                bytes.push_str(&record.1[..at]);
                written.unfinished = Some((record.0, record.1, at));
            }
        }
        self.written.extend(whole.iter().map(|(n, _)| *n));
        written.records.extend(whole);
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(bytes.as_bytes()).unwrap();
    }

    /// What is in the file from its record `from` on will be removed.
    pub(super) fn before_removing(&mut self, path: &Path, from: usize) {
        if self.is_gentle {
            self.read_all();
        }
        let records = &self.files[path].records;
        let known: BTreeSet<_> = self.ledger.numbers.iter().copied().collect();
        let unread = records[from..]
            .iter()
            .map(|(n, _)| *n)
            .filter(|n| !known.contains(n));
        self.excused.extend(unread);
    }

    pub(super) fn rewrite(&mut self, path: &Path, keep: usize, add: u8, in_place: bool) {
        let Some(written) = self.files.get(path) else {
            return;
        };
        let keep = keep.min(written.records.len());
        let size = written.size();
        self.before_removing(path, keep);
        let mut records = self.files[path].records[..keep].to_vec();
        for form in 0..add {
            records.push(self.record(form));
        }
        let mut written = Written {
            records,
            unfinished: None,
        };
        while written.size() == size && size > 0 {
            // Who keeps length, date and ends is not seen to have changed anything.
            let record = self.record(5);
            written.records.push(record);
        }
        let text: String = written.records.iter().map(|(_, text)| text.as_str()).collect();
        if in_place {
            fs::write(path, text).unwrap();
        } else {
            let beside = self.folder.path().join("beside.tmp");
            fs::write(&beside, text).unwrap();
            fs::rename(&beside, path).unwrap();
        }
        self.written.extend(written.records.iter().map(|(n, _)| *n));
        self.files.insert(path.to_owned(), written);
    }

    pub(super) fn look(&mut self) {
        self.roster.look(self.now, Micros(1));
        if std::mem::take(&mut self.roster.has_new) {
            self.keep();
        }
    }

    /// Looks, and hands on everything that is there.
    pub(super) fn read_all(&mut self) {
        self.look();
        while self.hand_on(u8::MAX) {}
    }

    pub(super) fn keep(&mut self) {
        self.kept = through_disk(&self.roster.document());
    }

    /// Whether somebody who begins with what is on disk knows this file.
    pub(super) fn is_kept(&self, path: &Path) -> bool {
        let stamp = Stamp::of(&fs::metadata(path).unwrap()).unwrap();
        self.kept
            .files
            .iter()
            .any(|kept| kept.identity == identity(&stamp))
    }

    /// Reads a batch and goes so far with it; whether there was one.
    pub(super) fn hand_on(&mut self, so_far: u8) -> bool {
        let Some(batch) = self.roster.read() else {
            return false;
        };
        if so_far == 0 {
            self.kill();
            return true;
        }
        if batch.is_new {
            self.keep();
        }
        if so_far == 1 {
            self.kill();
            return true;
        }
        self.ledger.take(&batch);
        self.refused += batch.refused.len() as u64;
        if so_far == 2 {
            self.kill();
            return true;
        }
        if so_far == 3 {
            self.roster.rewind(batch);
            return true;
        }
        self.lost.extend(batch.lost.iter().cloned());
        self.roster.settle(&batch);
        if so_far == 4 {
            self.kill();
            return true;
        }
        self.keep();
        true
    }

    pub(super) fn kill(&mut self) {
        self.roster = roster(self.folder.path(), self.kept.clone());
    }

    /// What is there is read to its end, and compared with what was written.
    pub(super) fn end(&mut self) {
        for _ in 0..3 {
            self.now += Duration::from_secs(2);
            self.look();
            while self.hand_on(u8::MAX) {
                if self.roster.is_stale {
                    self.look();
                }
            }
        }
        let mut once = BTreeSet::new();
        for number in &self.ledger.numbers {
            assert!(once.insert(*number), "{number} came twice");
            assert!(self.written.contains(number), "{number} was never written");
        }
        let missing: Vec<_> = self
            .written
            .iter()
            .filter(|number| !once.contains(number) && !self.excused.contains(number))
            .collect();
        assert!(missing.is_empty(), "{missing:?} never came");
        if self.is_gentle {
            assert!(
                self.excused.is_empty(),
                "{:?} were not read before they went",
                self.excused
            );
        }
        assert!(
            self.roster.handles.len() <= 2 + self.deleted(),
            "files are held open"
        );
    }

    pub(super) fn deleted(&self) -> usize {
        self.roster.files.values().filter(|file| file.is_deleted).count()
    }
}

/// As it comes back from the disk.
pub(super) fn through_disk(document: &Document) -> Document {
    serde_json::from_str(&serde_json::to_string(document).unwrap()).unwrap()
}
