//! `cargo xtask bench`: builds the release binary and the load program, and lets the one measure the other.

use crate::{
    steps::{Outcome, cargo, check, command, step},
    up,
};

/// Runs the load program with these arguments against the release binary.
pub(crate) fn run(args: &[String]) -> Outcome {
    step("release binary", up::build_release)?;
    step("load program", || {
        check(cargo(&[
            "build",
            "--release",
            "--package",
            "kymo-bench",
            "--locked",
        ]))
    })?;
    let program = up::target()
        .join("release")
        .join(format!("kymo-bench{}", std::env::consts::EXE_SUFFIX));
    let mut load = command(&program.to_string_lossy(), &[]);
    load.args(args).env("KYMO_BIN", up::release_binary());
    check(load)
}
