//! The sources against the real file system and the real `git`.

mod collector;
mod editors;
mod files;
mod folds;
mod git;
mod hub;
mod ignores;
mod limits;
mod rig;
mod spools;
mod tails;
