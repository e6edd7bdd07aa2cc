//! The tail: follows files of JSON lines that others write, however they grow, are cut, rotated or written anew.
//!
//! A [`Roster`](roster::Roster) knows every file and how far it was read; it decides by what is on the disk and by the
//! time it is told, so that any history can be played to it. One thread looks, reads and hands on (`run`); hints of
//! the system only wake it sooner. Each event has an id made from where it stands, and a position moves when the events
//! before it are durable: whoever is killed repeats what the hub knows already. No file is ever written to.

mod cursor;
mod following;
mod generation;
mod keeping;
mod look;
mod pace;
mod patterns;
mod proof;
mod report;
mod roster;
mod run;
mod service;
mod settings;
mod taking;
mod whereabouts;

#[cfg(test)]
mod histories;

pub(crate) use patterns::expand;
pub use service::{Tail, TailPlan, TailStatus};
pub use settings::{DialectName, TailSettings};
