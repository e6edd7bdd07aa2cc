//! What the system tells of directories, as hints where to look; shared by everything that follows files.
//!
//! A hint is never trusted to be all: whoever hears also looks by itself now and then.

pub(crate) mod ears;
pub(crate) mod hints;

pub(crate) use ears::Ears;
pub(crate) use hints::{Evidence, HintBox, Hints, Link, Touch};
