//! Where things are in the data folder, and what the ledger says of itself in `ledger.json`.

use std::{
    io,
    path::{Path, PathBuf},
};

use kymo_event::{LedgerId, Micros, Seq};

use crate::{
    OpenError,
    chain::Chain,
    disk::{self, Disk, FileEntry},
    segments::Kept,
};

/// The format this program writes.
pub(crate) const FORMAT: u32 = 1;

/// Paths of a data folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    data: PathBuf,
    ledger: PathBuf,
}

impl Folder {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            ledger: data.join("ledger"),
        }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn ledger(&self) -> &Path {
        &self.ledger
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.ledger.join("lock")
    }

    pub(crate) fn pid(&self) -> PathBuf {
        self.ledger.join("pid")
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.ledger.join("ledger.json")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.data.join("quarantine")
    }

    pub(crate) fn cursors(&self) -> PathBuf {
        self.data.join("cursors")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.data.join("snapshots")
    }

    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.ledger.join(format!("{first:020}.jsonl"))
    }

    pub(crate) fn compressed(&self, first: u64) -> PathBuf {
        self.ledger.join(format!("{first:020}.jsonl.zst"))
    }

    pub(crate) fn index(&self, first: u64) -> PathBuf {
        self.ledger.join(format!("{first:020}.idx"))
    }

    /// Makes the folders a writer needs.
    pub(crate) fn prepare(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        disk.create_dir(&self.ledger)
            .map_err(OpenError::io(&self.ledger))?;
        let ignore = self.data.join(".gitignore");
        if disk.open(&ignore, disk::Access::Read).is_err() {
            disk::replace(disk, &ignore, b"*\n").map_err(OpenError::io(&ignore))?;
        }
        Ok(())
    }

    /// The segments of the folder, oldest first; the last one perhaps with nothing but its index.
    pub(crate) fn list(&self, disk: &dyn Disk) -> io::Result<Vec<SegmentFiles>> {
        let mut found = std::collections::BTreeMap::<u64, SegmentFiles>::new();
        for FileEntry { name, bytes } in disk.list(&self.ledger)? {
            let Some((first, kind)) = name.split_once('.') else {
                continue;
            };
            let Some(first) = first_of(first) else { continue };
            let files = found.entry(first).or_insert(SegmentFiles::new(first));
            match kind {
                "jsonl" => files.plain = Some(bytes),
                "jsonl.zst" => files.compressed = Some(bytes),
                "idx" => files.index = Some(bytes),
                _ => {}
            }
        }
        // An index without lines says of the last segment that it is gone; of an earlier one the next one says so.
        let last = found.last_key_value().map(|(first, _)| *first);
        found.retain(|first, files| files.has_lines() || Some(*first) == last);
        Ok(found.into_values().collect())
    }
}

/// The first seq of the segment that a file of the ledger folder belongs to.
pub(crate) fn first_of_file(name: &str) -> Option<u64> {
    first_of(name.split_once('.')?.0)
}

fn first_of(name: &str) -> Option<u64> {
    (name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| name.parse().ok())
        .flatten()
        .filter(|&first| first > 0)
}

/// Which files a segment has, with their sizes.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFiles {
    pub(crate) first: u64,
    pub(crate) plain: Option<u64>,
    pub(crate) compressed: Option<u64>,
    pub(crate) index: Option<u64>,
}

impl SegmentFiles {
    pub(crate) fn has_lines(&self) -> bool {
        self.plain.is_some() || self.compressed.is_some()
    }

    fn new(first: u64) -> Self {
        Self {
            first,
            plain: None,
            compressed: None,
            index: None,
        }
    }
}

/// What `ledger.json` says.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Identity {
    pub(crate) format: u32,
    pub(crate) id: LedgerId,
    pub(crate) created: String,
    /// Ids this ledger had before its head once came back lower than a stored cursor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former_ids: Vec<LedgerId>,
    /// What retention left: everything below went on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retained: Option<Retained>,
}

/// Where the ledger begins since retention removed what was before.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Retained {
    pub(crate) first: Seq,
    /// The chain up to there, so that the index can be rebuilt.
    pub(crate) chain: Chain,
}

impl Identity {
    pub(crate) fn fresh(now: Micros) -> Self {
        Self {
            format: FORMAT,
            id: fresh_id(),
            created: now.to_string(),
            former_ids: Vec::new(),
            retained: None,
        }
    }

    /// Reads `ledger.json`; `None` where there is none.
    pub(crate) fn load(disk: &dyn Disk, folder: &Folder) -> Result<Option<Self>, OpenError> {
        #[derive(serde::Deserialize)]
        struct Format {
            format: u32,
        }
        let path = folder.identity();
        let text = match disk::read_all(disk, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(OpenError::io(&path))?,
        };
        let bad = |error: serde_json::Error| {
            OpenError::io(&path)(io::Error::new(io::ErrorKind::InvalidData, error))
        };
        let Format { format: found } = serde_json::from_slice(&text).map_err(bad)?;
        if found > FORMAT {
            return Err(OpenError::Format {
                folder: folder.ledger().to_owned(),
                found,
                known: FORMAT,
            });
        }
        serde_json::from_slice(&text).map(Some).map_err(bad)
    }

    pub(crate) fn save(&self, disk: &dyn Disk, folder: &Folder) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        text.push(b'\n');
        disk::replace(disk, &folder.identity(), &text)
    }

    /// Takes a new id and remembers the former one.
    pub(crate) fn rename(&mut self) {
        let former = std::mem::replace(&mut self.id, fresh_id());
        self.former_ids.push(former);
    }

    /// Where the ledger begins.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            from: self.retained.as_ref().map_or(1, |retained| retained.first.get()),
            chain: self
                .retained
                .as_ref()
                .map_or(Chain::START, |retained| retained.chain),
        }
    }
}

fn fresh_id() -> LedgerId {
    LedgerId::new(&uuid::Uuid::now_v7().to_string())
}
