//! Where each bridge is, on disk: `cursors/<direction>-<name>.json`, one small document each.
//!
//! A document is replaced whole: written beside, synced, renamed over the old one, and the folder synced. So a crash
//! leaves the old place or the new one. One that cannot be understood is set aside under a name of its own and named;
//! what it would have said is then found out by whoever asks, at worst by going through everything again.

use std::{
    fs::{self, File},
    io::{self, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};

use kymo_hub::Direction;
use serde::{Serialize, de::DeserializeOwned};

/// The folder of places.
#[derive(Clone, Debug)]
pub struct Cursors {
    folder: PathBuf,
}

/// The place of one bridge.
#[derive(Debug)]
pub struct CursorFile<T> {
    path: Arc<Path>,
    place: PhantomData<fn(T) -> T>,
}

impl<T> Clone for CursorFile<T> {
    fn clone(&self) -> Self {
        Self {
            path: Arc::clone(&self.path),
            place: PhantomData,
        }
    }
}

/// What there is of a place.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// It was never stored.
    Absent,
    /// It is there.
    At(T),
    /// It was there and cannot be understood; the document was set aside.
    Damaged {
        /// Where it is now.
        kept: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

impl Cursors {
    /// The places of a data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self {
            folder: data.join("cursors"),
        }
    }

    /// The place of a bridge. `name` is one that settings allow: letters, digits, `-` and `_`.
    #[must_use]
    pub fn of<T: Serialize + DeserializeOwned>(&self, direction: Direction, name: &str) -> CursorFile<T> {
        let direction = match direction {
            Direction::Source => "source",
            Direction::Sink => "sink",
            Direction::Route => "route",
        };
        self.file(&format!("{direction}-{name}"))
    }

    /// What a sink knows of its other side, besides its place.
    pub(crate) fn beside_sink<T: Serialize + DeserializeOwned>(&self, name: &str) -> CursorFile<T> {
        self.file(&format!("other-side-{name}"))
    }

    fn file<T>(&self, name: &str) -> CursorFile<T> {
        CursorFile {
            path: self.folder.join(format!("{name}.json")).into(),
            place: PhantomData,
        }
    }
}

impl<T: Serialize + DeserializeOwned> CursorFile<T> {
    /// What was stored last.
    ///
    /// # Errors
    ///
    /// The disk said no.
    pub fn load(&self) -> io::Result<Loaded<T>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&bytes) {
            Ok(place) => Ok(Loaded::At(place)),
            Err(error) => Ok(Loaded::Damaged {
                kept: self.set_aside()?,
                cause: error.to_string(),
            }),
        }
    }

    /// Stores a place; done when it is on disk. Blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// The disk said no; the place stored before is still there.
    pub fn store(&self, place: &T) -> io::Result<()> {
        let folder = self.folder();
        fs::create_dir_all(folder)?;
        let fresh = self.path.with_extension("json.new");
        let mut text = serde_json::to_vec(place)?;
        text.push(b'\n');
        let mut file = File::create(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        sync_folder(folder)
    }

    /// Forgets the place; there need be none.
    ///
    /// # Errors
    ///
    /// The disk said no.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn set_aside(&self) -> io::Result<PathBuf> {
        let free = (1_u32..).map(|number| self.path.with_extension(format!("json.damaged-{number}")));
        let kept = free.into_iter().find(|path| !path.exists()).unwrap_or_default();
        fs::rename(&self.path, &kept)?;
        Ok(kept)
    }
}

#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A rename is durable there without it, and folders cannot be opened as files.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(data: &tempfile::TempDir) -> CursorFile<Vec<u64>> {
        Cursors::new(data.path()).of(Direction::Source, "egos")
    }

    #[test]
    fn a_place_is_had_back_and_replaced_whole() {
        let data = tempfile::tempdir().expect("a folder");
        let cursor = cursor(&data);
        assert_eq!(cursor.load().expect("read"), Loaded::Absent);
        cursor.store(&vec![1; 1_000]).expect("stored");
        cursor.store(&vec![2]).expect("stored");
        assert_eq!(cursor.load().expect("read"), Loaded::At(vec![2]));
        let files = fs::read_dir(data.path().join("cursors")).expect("there").count();
        assert_eq!(files, 1, "nothing unfinished stays");
    }

    #[test]
    fn bridges_of_one_name_have_a_place_each() {
        let data = tempfile::tempdir().expect("a folder");
        cursor(&data).store(&vec![1]).expect("stored");
        let sink: CursorFile<Vec<u64>> = Cursors::new(data.path()).of(Direction::Sink, "egos");
        assert_eq!(sink.load().expect("read"), Loaded::Absent);
    }

    #[test]
    fn a_damaged_place_is_set_aside_and_named_each_time() {
        let data = tempfile::tempdir().expect("a folder");
        let cursor = cursor(&data);
        for number in 1..3 {
            cursor.store(&vec![1]).expect("stored");
            let path = data.path().join("cursors/source-egos.json");
            fs::write(&path, b"[1,").expect("written");
            let Loaded::Damaged { kept, cause } = cursor.load().expect("read") else {
                panic!("it is damaged");
            };
            assert!(
                kept.ends_with(format!("source-egos.json.damaged-{number}")),
                "{kept:?}"
            );
            assert_eq!(fs::read(kept).expect("kept"), b"[1,");
            assert!(cause.contains("EOF"), "{cause}");
            assert_eq!(cursor.load().expect("read"), Loaded::Absent);
        }
    }

    #[test]
    fn what_is_left_of_an_unfinished_write_is_not_taken_for_a_place() {
        let data = tempfile::tempdir().expect("a folder");
        let cursor = cursor(&data);
        cursor.store(&vec![1]).expect("stored");
        fs::write(data.path().join("cursors/source-egos.json.new"), b"[2").expect("written");
        assert_eq!(cursor.load().expect("read"), Loaded::At(vec![1]));
        cursor.store(&vec![3]).expect("stored over it");
        assert_eq!(cursor.load().expect("read"), Loaded::At(vec![3]));
    }
}
