//! The commands of this workspace: `cargo xtask up | test | bench | fuzz | tidy`.
//!
//! Each does all the set-up it needs and says what it is doing. What the product does is in `crates/`; this is only
//! how it is built, tried and kept tidy.

mod bench;
mod fuzz;
mod setup;
mod steps;
mod test;
mod tidy;
mod up;

use std::process::ExitCode;

const HELP: &str = "\
Commands of the Kymo workspace

Usage: cargo xtask <COMMAND> [ARGS]

  up [ARGS]      build everything (web page, release binary) and run `kymo up ARGS` in this folder
  test [STEP…]   every check: format, clippy, tidy, unit and integration tests, web tests, browser tests
                 with names of steps: only those (see `cargo xtask test --list`)
  bench [ARGS]   measure the published binary: batch ingest, single events, fan-out, replay (--quick, --help)
  fuzz [TARGET…] feed the fuzz targets any bytes (--seconds N, --keep, --help)
  tidy           the house rules: crate directions, module docs, lists
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "up" => up::run(&rest),
        "test" => test::run(&rest),
        "bench" => bench::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "tidy" => tidy::run(),
        "" | "help" | "-h" | "--help" => {
            steps::say(HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        other => Err(format!("there is no command `{other}`\n\n{HELP}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
