//! `cargo xtask up`: from a fresh clone to the running product in one command.

use std::{path::PathBuf, process::Stdio};

use crate::{
    setup,
    steps::{Outcome, cargo, check, command_in, root, step},
};

/// Builds the page and the release binary, then runs `kymo up` in the folder the person stands in.
pub(crate) fn run(args: &[String]) -> Outcome {
    step("1/2 web page (first time: about a minute)", setup::web_page)?;
    step("2/2 release binary (first time: a few minutes)", build_release)?;
    let here = std::env::current_dir()?;
    let mut up = command_in(&here, &release_binary().to_string_lossy(), &["up"]);
    up.args(args).stdin(Stdio::inherit());
    check(up)
}

/// Builds `kymo` as it is shipped.
pub(crate) fn build_release() -> Outcome {
    check(cargo(&["build", "--release", "--package", "kymo", "--locked"]))
}

/// Where the release binary lies.
pub(crate) fn release_binary() -> PathBuf {
    binary("release")
}

/// Where the binary of a profile lies.
pub(crate) fn binary(profile: &str) -> PathBuf {
    target()
        .join(profile)
        .join(format!("kymo{}", std::env::consts::EXE_SUFFIX))
}

/// The folder cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
