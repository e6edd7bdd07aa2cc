//! What the tests share: a ledger in a folder of its own, events for it, and short ways to append and to read.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::cast_possible_truncation)]

pub mod faulty;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};

use kymo_event::{Batch, Event, Filter, LineView, Seq};
use kymo_ledger::{AppendError, Appended, Chunk, Ground, Ledger, LedgerSettings, Notice, OpenError, Reader};
use parking_lot::Mutex;

/// What a ledger told its owner.
pub type Told = Arc<Mutex<Vec<Notice>>>;

pub fn seq(n: u64) -> Seq {
    Seq::new(n).expect("seqs begin at 1")
}

/// A ledger in a temporary folder (or on any other ground).
pub struct TempLedger {
    pub ledger: Ledger,
    pub told: Told,
    pub ground: Ground,
    pub settings: LedgerSettings,
    pub data: PathBuf,
    folder: Option<tempfile::TempDir>,
}

impl TempLedger {
    pub fn new() -> Self {
        Self::with(LedgerSettings::default())
    }

    /// Segments of this many bytes at least, so that a few events make several.
    pub fn with_segments_of(bytes: u64) -> Self {
        Self::with(LedgerSettings {
            segment_bytes_max: bytes,
            ..LedgerSettings::default()
        })
    }

    pub fn with(settings: LedgerSettings) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join(".kymo");
        let mut made = Self::on(Ground::default(), &data, settings);
        made.folder = Some(folder);
        made
    }

    pub fn on(ground: Ground, data: &Path, settings: LedgerSettings) -> Self {
        Self::try_on(ground, data, settings).expect("the ledger opens")
    }

    pub fn try_on(ground: Ground, data: &Path, settings: LedgerSettings) -> Result<Self, OpenError> {
        let told = Told::default();
        let ledger = open(&ground, data, &settings, &told)?;
        Ok(Self {
            ledger,
            told,
            ground,
            settings,
            data: data.to_owned(),
            folder: None,
        })
    }

    /// Closes and opens it again.
    pub fn reopen(self) -> Self {
        self.reopen_after(|_| {})
    }

    /// Closes it, lets `change` at its folder, and opens it again.
    pub fn reopen_after(mut self, change: impl FnOnce(&Path)) -> Self {
        self.ledger.close();
        change(&self.data);
        self.told.lock().clear();
        self.ledger =
            open(&self.ground, &self.data, &self.settings, &self.told).expect("the ledger opens again");
        self
    }

    /// Lets go of the handle without closing the ledger; its folder stays until what is returned is dropped.
    pub fn give_up(self) -> Option<tempfile::TempDir> {
        self.folder
    }

    pub fn append(&self, batch: Batch) -> Result<Appended, AppendError> {
        append(&self.ledger, batch)
    }

    /// Appends `count` numbered events in batches of up to 1,000.
    pub fn fill(&self, count: u64) -> &Self {
        let mut n = self.ledger.head().map_or(0, Seq::get);
        let to = n + count;
        while n < to {
            let upto = to.min(n + 1000);
            self.append(numbered(n + 1..=upto))
                .expect("the events are appended");
            n = upto;
        }
        self
    }

    pub fn seqs(&self) -> Vec<u64> {
        seqs(&mut self.ledger.read(Seq::FIRST, &Filter::all()))
    }

    pub fn segment_path(&self, first: u64) -> PathBuf {
        self.data.join(format!("ledger/{first:020}.jsonl"))
    }

    pub fn index_path(&self, first: u64) -> PathBuf {
        self.data.join(format!("ledger/{first:020}.idx"))
    }

    /// First seqs of the segments on disk.
    pub fn segments(&self) -> Vec<u64> {
        let mut firsts: Vec<u64> = std::fs::read_dir(self.data.join("ledger"))
            .expect("the folder is there")
            .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".jsonl")?.parse().ok())
            .collect();
        firsts.sort_unstable();
        firsts
    }
}

fn open(ground: &Ground, data: &Path, settings: &LedgerSettings, told: &Told) -> Result<Ledger, OpenError> {
    let telling = told.clone();
    let on_notice = Box::new(move |notice| telling.lock().push(notice));
    Ledger::open_on(ground.clone(), data, settings.clone(), on_notice)
}

/// Appends and waits for the answer.
pub fn append(ledger: &Ledger, batch: Batch) -> Result<Appended, AppendError> {
    let (done, answer) = mpsc::channel();
    ledger.append(
        batch,
        Box::new(move |result| done.send(result).expect("somebody waits")),
    );
    answer.recv().expect("an answer comes")
}

/// Events that say which seq they expect to get.
pub fn numbered(range: std::ops::RangeInclusive<u64>) -> Batch {
    let mut batch = Batch::default();
    for n in range {
        batch.push(&event(n));
    }
    batch
}

/// An event whose envelope depends on `n`.
pub fn event(n: u64) -> Event<'static> {
    const TYPES: [&str; 5] = ["task.started", "task.ended", "tool.started", "note", "agent.idle"];
    const LEVELS: [kymo_event::Level; 5] = kymo_event::Level::ALL;
    let pick = |of: u64| (n / of) as usize;
    let mut event = Event::new(TYPES[pick(1) % 5], format!("source-{}", pick(7) % 3));
    event.level = LEVELS[pick(3) % 5];
    event.agent = (!n.is_multiple_of(3)).then(|| format!("agent-{}", n % 11).into());
    event.session = n.is_multiple_of(4).then(|| format!("session-{}", n / 100).into());
    event.trace = n.is_multiple_of(2).then(|| format!("trace-{n}").into());
    event.user = n.is_multiple_of(50).then(|| "egor \"the\" user".into());
    event.id = (n % 5 != 4).then(|| format!("id-{n}").into());
    event.backfill = n.is_multiple_of(97);
    event.data = Some(format!(r#"{{"n":{n},"text":"event number {n}"}}"#).into());
    event
}

/// A batch of one event of about `bytes`.
pub fn sized(bytes: usize) -> Batch {
    let mut event = Event::new("sized", "test");
    event.data = Some(format!("\"{}\"", "x".repeat(bytes)).into());
    let mut batch = Batch::default();
    batch.push(&event);
    batch
}

/// Everything a reader gives up to the end, one entry per chunk.
pub fn chunks(reader: &mut Reader) -> Vec<Chunk> {
    let mut all = Vec::new();
    loop {
        match reader.next_chunk(64 << 10).expect("the ledger can be read") {
            Chunk::End { .. } => return all,
            chunk => all.push(chunk),
        }
    }
}

/// The lines among some chunks.
pub fn lines(chunks: &[Chunk]) -> Vec<String> {
    let mut all = Vec::new();
    for chunk in chunks {
        if let Chunk::Events { lines, .. } = chunk {
            all.extend(
                lines
                    .iter()
                    .map(|line| String::from_utf8(line.to_vec()).expect("lines are text")),
            );
        }
    }
    all
}

/// The seqs of the lines a reader gives, each checked to be a good line.
pub fn seqs(reader: &mut Reader) -> Vec<u64> {
    lines(&chunks(reader)).iter().map(|line| seq_of(line)).collect()
}

pub fn seq_of(line: &str) -> u64 {
    assert!(
        kymo_event::check_crc(line.as_bytes()),
        "served although its checksum is wrong: {line}"
    );
    LineView::parse(line.as_bytes()).expect("a line").seq().get()
}

/// The declared holes a reader gives: first lost and last lost.
pub fn holes(chunks: &[Chunk]) -> Vec<(u64, u64)> {
    let hole = |chunk: &Chunk| match chunk {
        Chunk::Gap(gap) => {
            assert_eq!(gap.first.get() - gap.asked.get(), gap.lost);
            Some((gap.asked.get(), gap.first.get() - 1))
        }
        _ => None,
    };
    chunks.iter().filter_map(hole).collect()
}
