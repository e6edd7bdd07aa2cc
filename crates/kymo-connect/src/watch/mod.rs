//! The file watch: what really happens in folders.
//!
//! One thread per folder looks and decides; one task hands the events on. What slows the outlet down slows the
//! looking, and hints that pile up meanwhile become one per path, so that memory stays bounded whatever happens.

mod allowance;
mod announcements;
mod content;
mod decide;
mod folder;
mod language;
mod pending;
mod renames;
mod report;
mod repositories;
mod root;
mod rules;
mod scan;
mod scratch;
mod service;
mod settings;
mod tree;

pub use service::{Watch, WatchError, WatchStatus};
pub use settings::WatchSettings;
