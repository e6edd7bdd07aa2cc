//! Any history of files and of the program itself, played to the roster: each record becomes one event, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kymo_event::Micros;
use proptest::prelude::*;
use serde_json::Value;

use super::{
    TailSettings,
    cursor::{Document, identity},
    patterns::Patterns,
    roster::{Batch, Lost, Roster},
};
use crate::stamp::Stamp;

/// What a hub keeps: an event is known by its source, its id and its content.
#[derive(Default)]
struct Ledger {
    known: BTreeSet<(String, String, String)>,
    numbers: Vec<u64>,
    pasts: BTreeMap<u64, bool>,
}

impl Ledger {
    fn take(&mut self, batch: &Batch) {
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
struct Written {
    /// Every record that is whole in it, in order: its number and its text.
    records: Vec<(u64, String)>,
    /// What is still to be written of the record that was begun last.
    unfinished: Option<(u64, String, usize)>,
}

impl Written {
    fn size(&self) -> usize {
        self.records.iter().map(|(_, text)| text.len()).sum()
    }
}

/// The folder, its writers, the roster that may be killed, and the ledger that remembers.
struct World {
    folder: tempfile::TempDir,
    files: BTreeMap<PathBuf, Written>,
    /// Renamed to where no pattern leads; their writers may still hold them.
    rotated: BTreeMap<PathBuf, Written>,
    roster: Roster,
    /// The document on disk.
    kept: Document,
    ledger: Ledger,
    now: Instant,
    next: u64,
    written: BTreeSet<u64>,
    /// Removed before they were read.
    excused: BTreeSet<u64>,
    lost: Vec<Lost>,
    refused: u64,
    /// What is removed was read before.
    is_gentle: bool,
    rotations: u32,
}

fn roster(folder: &Path, document: Document) -> Roster {
    let settings = TailSettings {
        paths: vec![folder.join("*.jsonl").to_string_lossy().into_owned()],
        source: Some("test".into()),
        open_files_max: 2,
        ..TailSettings::default()
    };
    let patterns = Patterns::new(&settings.paths, &[]).unwrap();
    Roster::new("logs", settings, patterns, document)
}

impl World {
    fn new(is_gentle: bool) -> Self {
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

    fn path(&self, name: u8) -> PathBuf {
        self.folder
            .path()
            .join(format!("{}.jsonl", ["a", "b", "c"][usize::from(name) % 3]))
    }

    fn record(&mut self, form: u8) -> (u64, String) {
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

    fn append_to(&mut self, path: &Path, is_rotated: bool, form: u8, part: Option<u8>) {
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
    fn before_removing(&mut self, path: &Path, from: usize) {
        if self.is_gentle {
            self.look();
            while self.hand_on(u8::MAX) {}
        }
        let records = &self.files[path].records;
        let known: BTreeSet<_> = self.ledger.numbers.iter().copied().collect();
        let unread = records[from..]
            .iter()
            .map(|(n, _)| *n)
            .filter(|n| !known.contains(n));
        self.excused.extend(unread);
    }

    fn rewrite(&mut self, path: &Path, keep: usize, add: u8, in_place: bool) {
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

    fn look(&mut self) {
        self.roster.look(self.now, Micros(1));
        if std::mem::take(&mut self.roster.has_new) {
            self.keep();
        }
    }

    fn keep(&mut self) {
        self.kept = through_disk(&self.roster.document());
    }

    /// Whether somebody who begins with what is on disk knows this file.
    fn is_kept(&self, path: &Path) -> bool {
        let stamp = Stamp::of(&fs::metadata(path).unwrap()).unwrap();
        self.kept
            .files
            .iter()
            .any(|kept| kept.identity == identity(&stamp))
    }

    /// Reads a batch and goes so far with it; whether there was one.
    fn hand_on(&mut self, so_far: u8) -> bool {
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

    fn kill(&mut self) {
        self.roster = roster(self.folder.path(), self.kept.clone());
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Append { name, form, part } => {
                let path = self.path(name);
                self.append_to(&path, false, form, part);
            }
            Step::AppendToRotated { form } => {
                if let Some(path) = self.rotated.keys().next_back().cloned() {
                    self.append_to(&path, true, form, None);
                }
            }
            Step::Rotate { name } => {
                let path = self.path(name);
                // Cut and put aside before anybody looks it would not be known again.
                self.look();
                if self.files.contains_key(&path) && !self.is_kept(&path) {
                    // Nobody ever saw it.
                    self.before_removing(&path, 0);
                    self.files.remove(&path);
                    fs::remove_file(&path).unwrap();
                }
                if let Some(written) = self.files.remove(&path) {
                    self.rotations += 1;
                    let to = path.with_extension(format!("jsonl.{}", self.rotations));
                    fs::rename(&path, &to).unwrap();
                    self.rotated.insert(to, written);
                }
            }
            Step::Rename { name } => {
                let (from, to) = (self.path(name), self.path(name + 1));
                // Replaced and moved before anybody looks it would be a file like any other, and so the other way round.
                self.look();
                if !self.files.contains_key(&to)
                    && let Some(written) = self.files.remove(&from)
                {
                    fs::rename(&from, &to).unwrap();
                    self.files.insert(to, written);
                    self.look();
                }
            }
            Step::Rewrite {
                name,
                keep,
                add,
                in_place,
            } => self.rewrite(&self.path(name), usize::from(keep), add, in_place),
            Step::Truncate { name } => {
                let path = self.path(name);
                if self.files.contains_key(&path) {
                    self.before_removing(&path, 0);
                    fs::write(&path, "").unwrap();
                    self.files.insert(path, Written::default());
                }
            }
            Step::Delete { name } => {
                let path = self.path(name);
                if self.files.contains_key(&path) {
                    self.before_removing(&path, 0);
                    fs::remove_file(&path).unwrap();
                    self.files.remove(&path);
                }
            }
            Step::Hear { name } => {
                if self.roster.glance(&self.path(name), self.now) {
                    self.look();
                }
            }
            Step::Look { after_ms } => {
                self.now += Duration::from_millis(after_ms);
                self.look();
            }
            Step::HandOn { so_far } => _ = self.hand_on(so_far),
            Step::Kill => self.kill(),
        }
    }

    /// What is there is read to its end, and compared with what was written.
    fn end(&mut self) {
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

    fn deleted(&self) -> usize {
        self.roster.files.values().filter(|file| file.is_deleted).count()
    }
}

/// As it comes back from the disk.
fn through_disk(document: &Document) -> Document {
    serde_json::from_str(&serde_json::to_string(document).unwrap()).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        name: u8,
        form: u8,
        part: Option<u8>,
    },
    AppendToRotated {
        form: u8,
    },
    Rotate {
        name: u8,
    },
    Rename {
        name: u8,
    },
    Rewrite {
        name: u8,
        keep: u8,
        add: u8,
        in_place: bool,
    },
    Truncate {
        name: u8,
    },
    Delete {
        name: u8,
    },
    /// Of a change to this file was heard.
    Hear {
        name: u8,
    },
    Look {
        after_ms: u64,
    },
    /// 0: killed after reading, 1: after writing births down, 2: after handing on; 3: not taken; 4: killed after settling.
    HandOn {
        so_far: u8,
    },
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..3_u8;
    prop_oneof![
        8 => (name.clone(), any::<u8>(), prop::option::weighted(0.3, any::<u8>()))
            .prop_map(|(name, form, part)| Step::Append { name, form, part }),
        2 => any::<u8>().prop_map(|form| Step::AppendToRotated { form }),
        2 => name.clone().prop_map(|name| Step::Rotate { name }),
        1 => name.clone().prop_map(|name| Step::Rename { name }),
        2 => (name.clone(), 0..9_u8, 0..4_u8, any::<bool>())
            .prop_map(|(name, keep, add, in_place)| Step::Rewrite { name, keep, add, in_place }),
        1 => name.clone().prop_map(|name| Step::Truncate { name }),
        1 => name.clone().prop_map(|name| Step::Delete { name }),
        4 => name.prop_map(|name| Step::Hear { name }),
        4 => (0..2_000_u64).prop_map(|after_ms| Step::Look { after_ms }),
        8 => (0..12_u8).prop_map(|so_far| Step::HandOn { so_far }),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_files_and_of_the_program_each_record_is_one_event(
        steps in prop::collection::vec(step(), 1..60),
        is_gentle in any::<bool>(),
    ) {
        let mut world = World::new(is_gentle);
        for step in &steps {
            world.play(step);
        }
        world.end();
    }
}
