//! How far every file of a source was read, as it is kept on disk.

use std::path::PathBuf;

use super::{
    following::{Following, Mark},
    generation::Begun,
};
use crate::{clock::micros, stamp::Stamp};

/// Everything a source must know to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Document {
    /// When everything was looked at last, in microseconds since 1970: what was not written to since was there before.
    pub(super) looked: Option<i64>,
    pub(super) begun: Begun,
    pub(super) files: Vec<Kept>,
}

/// A file and its place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) identity: Option<Identity>,
    /// The device of the folder it is in.
    #[serde(default)]
    pub(super) lies_on: Option<u64>,
    pub(super) size: u64,
    #[serde(flatten)]
    pub(super) mark: Mark,
}

impl Kept {
    pub(super) fn of(file: &Following) -> Self {
        Self {
            path: file.path.clone(),
            identity: file.identity,
            lies_on: file.lies_on,
            size: file.size,
            mark: file.durable.clone(),
        }
    }
}

/// Device, number, and birth in microseconds: the same wherever a file is moved to.
pub(super) type Identity = (u64, u64, Option<i64>);

/// The identity of a file; `None` where the system has no such thing.
pub(super) fn identity(stamp: &Stamp) -> Option<Identity> {
    let (device, number, birth) = stamp.identity?;
    Some((device, number, birth.map(|birth| micros(birth).0)))
}
