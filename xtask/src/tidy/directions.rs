//! Who may know whom. The table is the one of ARCHITECTURE.md.

use serde_json::Value;

use super::Source;
use crate::steps::{Outcome, cargo};

/// A crate, the workspace crates below it that it may use, and outside crates that only it (and those named) may use.
struct Place {
    name: &'static str,
    below: &'static [&'static str],
}

/// From the ground up.
const PLACES: &[Place] = &[
    Place {
        name: "kymo-event",
        below: &[],
    },
    Place {
        name: "kymo-ledger",
        below: &["kymo-event"],
    },
    Place {
        name: "kymo-hub",
        below: &["kymo-event", "kymo-ledger"],
    },
    Place {
        name: "kymo-connect",
        below: &["kymo-event", "kymo-ledger", "kymo-hub"],
    },
    Place {
        name: "kymo-server",
        below: &["kymo-event", "kymo-ledger", "kymo-hub"],
    },
    Place {
        name: "kymo",
        below: &[
            "kymo-event",
            "kymo-ledger",
            "kymo-hub",
            "kymo-connect",
            "kymo-server",
        ],
    },
    Place {
        name: "kymo-fuzz",
        below: &[
            "kymo-event",
            "kymo-ledger",
            "kymo-hub",
            "kymo-connect",
            "kymo-server",
        ],
    },
    Place {
        name: "kymo-bench",
        below: &["kymo-event", "kymo-ledger"],
    },
    Place {
        name: "xtask",
        below: &[],
    },
];

/// Outside crates that stand for knowledge, and who may have it.
const KNOWLEDGE: &[(&str, &[&str])] = &[
    ("axum", &["kymo-server"]),
    ("hyper", &["kymo-server"]),
    ("clap", &["kymo", "kymo-bench", "kymo-fuzz"]),
    ("anstream", &["kymo"]),
    ("indicatif", &["kymo"]),
    ("notify", &["kymo-connect"]),
    (
        "rustix",
        &[
            "kymo-ledger",
            "kymo-server",
            "kymo-connect",
            "kymo",
            "kymo-hub",
            "kymo-bench",
        ],
    ),
    ("tokio", &["kymo-hub", "kymo-connect", "kymo-server", "kymo"]),
];

/// Words that must not stand in the sources of a crate (outside its tests), with the reason.
const FOREIGN_WORDS: &[(&str, &[&str], &[&str], &str)] = &[
    (
        "crates/kymo-event/src/",
        &["std::fs", "std::net", "SystemTime", "Instant::now", "tokio::"],
        &[],
        "an event is pure: no I/O, no clock",
    ),
    (
        "crates/kymo-ledger/src/",
        &["std::fs", "rustix::fs", "File::open"],
        &["crates/kymo-ledger/src/disk"],
        "all disk access is behind disk.rs, so that tests inject faults",
    ),
    (
        "crates/kymo-server/src/",
        &["StatusCode::"],
        &["crates/kymo-server/src/error.rs"],
        "only error.rs knows status codes",
    ),
    (
        "crates/kymo/src/",
        &["process::exit", "ExitCode::from"],
        &["crates/kymo/src/exit.rs"],
        "only exit.rs knows exit codes",
    ),
];

pub(super) fn find(sources: &[Source]) -> Outcome<Vec<String>> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata lists no packages")?;
    let mut faults: Vec<String> = packages.iter().flat_map(faults_of_package).collect();
    faults.extend(sources.iter().flat_map(foreign_words));
    Ok(faults)
}

fn faults_of_package(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some(place) = PLACES.iter().find(|place| place.name == name) else {
        return vec![format!("{name} has no place in xtask/src/tidy/directions.rs")];
    };
    let dependencies = package["dependencies"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    // What only tests use says nothing about what the crate knows.
    let used = dependencies
        .iter()
        .filter(|d| d["kind"].is_null())
        .filter_map(|d| d["name"].as_str());
    used.filter_map(|dependency| fault_of_dependency(place, dependency))
        .collect()
}

fn fault_of_dependency(place: &Place, dependency: &str) -> Option<String> {
    if PLACES.iter().any(|other| other.name == dependency) && !place.below.contains(&dependency) {
        return Some(format!(
            "{} must not depend on {dependency}: it is not below it",
            place.name
        ));
    }
    let (_, knowers) = KNOWLEDGE.iter().find(|(known, _)| *known == dependency)?;
    (!knowers.contains(&place.name)).then(|| format!("{} must not know {dependency}", place.name))
}

fn foreign_words(source: &Source) -> Vec<String> {
    let rules = FOREIGN_WORDS.iter().filter(|(folder, _, exceptions, _)| {
        source.path.starts_with(folder)
            && !exceptions
                .iter()
                .any(|exception| source.path.starts_with(exception))
    });
    let code = before_tests(&source.text);
    let found = |(_, words, _, reason): &(&str, &[&str], &[&str], &str)| {
        let here: Vec<_> = words
            .iter()
            .filter(|word| mentions(code, word))
            .copied()
            .collect();
        (!here.is_empty()).then(|| format!("{} says {}: {reason}", source.path, here.join(", ")))
    };
    rules.filter_map(found).collect()
}

fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn mentions(code: &str, word: &str) -> bool {
    code.lines()
        .any(|line| !line.trim_start().starts_with("//") && line.contains(word))
}
