//! Checks of the parsers in here over any bytes, for the fuzz targets: spools and what a repository's files say.
//!
//! Each is given a folder of its own, which it overwrites, and panics where a promise is broken.

pub use crate::{git::fuzzing::repository, spool::fuzzing::spool};
