//! A ledger's folder on a disk that fails when it is told to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use kymo_ledger::{Ground, SystemClock, testing::FaultyDisk};

/// The data folder.
pub const DATA: &str = "/data";

pub fn ground(disk: &FaultyDisk) -> Ground {
    Ground {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SystemClock),
    }
}

pub fn lines_of(first: u64) -> PathBuf {
    Path::new(DATA).join(format!("ledger/{first:020}.jsonl"))
}

pub fn index_of(first: u64) -> PathBuf {
    Path::new(DATA).join(format!("ledger/{first:020}.idx"))
}
