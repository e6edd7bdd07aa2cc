//! Fuzz targets: any bytes for every parser that meets bytes from outside, and for what opens a ledger after a crash.
//!
//! A target panics where a promise is broken. libFuzzer drives it (`cargo xtask fuzz`), and on every test run it replays
//! its corpus: the seeds, and every input that once found something. `fuzz_targets/` has a program for each of them.

mod compressed;
mod events;
// What the program's settings refuse with; see `program`.
#[allow(dead_code, reason = "what only the program uses")]
#[path = "../../crates/kymo/src/failure.rs"]
mod failure;
mod filters;
mod indexes;
mod json;
mod mutation;
mod obvious;
mod program;
mod records;
mod segments;
mod serving;
mod streams;
mod times;

use std::path::Path;

/// A parser under fire.
pub struct Target {
    /// The name of its program, its corpus and its dictionary.
    pub name: &'static str,
    /// Takes any bytes; panics where a promise is broken.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Every target.
pub static TARGETS: &[Target] = &[
    target("json", json::run),
    target("records", records::run),
    target("events", events::run),
    target("filters", filters::run),
    target("channels", filters::channels),
    target("times", times::run),
    target("frames", kymo_server::fuzzing::frames),
    target("ops", kymo_server::fuzzing::ops),
    target("packets", kymo_server::fuzzing::packets),
    target("conductor", kymo_server::fuzzing::conductor),
    target("requests", |bytes| {
        in_a_folder(|folder| kymo_server::fuzzing::request(folder, bytes))
    }),
    target("bodies", kymo_server::fuzzing::body),
    target("streams", streams::run),
    target("settings", |bytes| {
        in_a_folder(|folder| program::settings(folder, bytes))
    }),
    target("spools", |bytes| {
        in_a_folder(|folder| kymo_connect::fuzzing::spool(folder, bytes))
    }),
    target("repositories", |bytes| {
        in_a_folder(|folder| kymo_connect::fuzzing::repository(folder, bytes));
    }),
    target("segments", segments::run),
    target("indexes", indexes::run),
    target("compressed", compressed::run),
];

/// Runs the target of that name; what its program does with each input.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the program has the name of its target").run)(bytes);
}

/// Lends a folder that is the same for all inputs of a thread: making one for each would cost more than parsing.
fn in_a_folder(work: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: tempfile::TempDir = folder().expect("a temporary folder");
    }
    FOLDER.with(|folder| work(folder.path()));
}

/// In memory where the system has such a place.
fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}
