//! Every target takes every input of its corpus: the seeds, and what once found something.

use std::{collections::BTreeSet, fs, path::Path};

use kymo_fuzz::TARGETS;

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            Path::new(&entry.expect("an entry").file_name())
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names_in(&folder("fuzz_targets")), names);
    assert_eq!(names_in(&folder("corpus")), names);
    assert!(names_in(&folder("dictionaries")).is_subset(&names));
}

fn replay(name: &str) {
    let corpus = folder("corpus").join(name);
    let mut inputs: Vec<_> = fs::read_dir(&corpus)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} holds nothing", corpus.display());
    for input in inputs {
        let bytes = fs::read(&input).expect("an input");
        // Said before, so that it is known when an input kills the process or never ends.
        eprintln!("{}", input.display());
        kymo_fuzz::run(name, &bytes);
    }
}

#[test]
fn json_are_taken() {
    replay("json");
}

#[test]
fn records_are_taken() {
    replay("records");
}

#[test]
fn events_are_taken() {
    replay("events");
}

#[test]
fn filters_are_taken() {
    replay("filters");
}

#[test]
fn channels_are_taken() {
    replay("channels");
}

#[test]
fn times_are_taken() {
    replay("times");
}

#[test]
fn packets_are_taken() {
    replay("packets");
}

#[test]
fn what_the_conductor_is_told_is_taken() {
    replay("conductor");
}

#[test]
fn frames_are_taken() {
    replay("frames");
}

#[test]
fn ops_are_taken() {
    replay("ops");
}

#[test]
fn requests_are_taken() {
    replay("requests");
}

#[test]
fn bodies_are_taken() {
    replay("bodies");
}

#[test]
fn streams_are_taken() {
    replay("streams");
}

#[test]
fn settings_are_taken() {
    replay("settings");
}

#[test]
fn spools_are_taken() {
    replay("spools");
}

#[test]
fn repositories_are_taken() {
    replay("repositories");
}

#[test]
fn segments_are_taken() {
    replay("segments");
}

#[test]
fn indexes_are_taken() {
    replay("indexes");
}

#[test]
fn compressed_are_taken() {
    replay("compressed");
}
