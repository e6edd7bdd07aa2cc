//! `cargo xtask bench`: builds the binary as it is published and the load program, and lets the one measure the other.

use crate::{
    steps::{Outcome, cargo, check, command, step},
    up,
};

/// Runs the load program with these arguments against the published form of the binary: optimised as a whole, which takes
/// longer to build than the release binary of every day and spends a tenth fewer instructions on an event.
pub(crate) fn run(args: &[String]) -> Outcome {
    step("published binary", || {
        check(cargo(&[
            "build",
            "--profile",
            "dist",
            "--package",
            "kymo",
            "--locked",
        ]))
    })?;
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
    load.args(args).env("KYMO_BIN", up::binary("dist"));
    check(load)
}
