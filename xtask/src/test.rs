//! `cargo xtask test`: every check there is, in the order in which a fault is cheapest to find.

use crate::{
    fuzz, setup,
    steps::{Outcome, cargo, check, command_in, root, say, step, succeeds},
    tidy, up,
};

/// One check: its name on the command line, and what it does.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn() -> Outcome,
}

/// All checks, in order.
const CHECKS: &[Check] = &[
    Check {
        name: "format",
        about: "rustfmt changes nothing",
        run: format,
    },
    Check {
        name: "tidy",
        about: "crate directions, module docs, lists",
        run: tidy::run,
    },
    Check {
        name: "web",
        about: "web page: types, style, unit tests, build",
        run: web,
    },
    Check {
        name: "clippy",
        about: "no warning from clippy",
        run: clippy,
    },
    Check {
        name: "rust",
        about: "unit and integration tests",
        run: rust,
    },
    Check {
        name: "docs",
        about: "examples in the documentation comments",
        run: docs,
    },
    Check {
        name: "release",
        about: "the binary as it is shipped",
        run: up::build_release,
    },
    Check {
        name: "fuzz",
        about: "each fuzz target, a thousand inputs",
        run: fuzz::smoke,
    },
    Check {
        name: "browser",
        about: "end-to-end tests in headless Chromium",
        run: browser,
    },
    Check {
        name: "clients",
        about: "other people's clients against the binary",
        run: clients,
    },
];

/// Runs all checks, or the named ones.
pub(crate) fn run(args: &[String]) -> Outcome {
    if args.iter().any(|arg| arg == "--list") {
        CHECKS
            .iter()
            .for_each(|check| say(&format!("{:10}{}", check.name, check.about)));
        return Ok(());
    }
    if let Some(unknown) = args
        .iter()
        .find(|arg| CHECKS.iter().all(|check| check.name != **arg))
    {
        return Err(format!("there is no check `{unknown}`; see `cargo xtask test --list`").into());
    }
    let chosen = CHECKS
        .iter()
        .filter(|check| args.is_empty() || args.iter().any(|arg| arg == check.name));
    for check in chosen {
        step(check.name, check.run)?;
    }
    say("\nall checks passed");
    Ok(())
}

fn format() -> Outcome {
    check(cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Outcome {
    check(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn rust() -> Outcome {
    setup::BROKERS.iter().try_for_each(setup::needed)?;
    if succeeds(cargo(&["nextest", "--version"])) {
        return check(cargo(&["nextest", "run", "--workspace", "--locked"]));
    }
    say("cargo-nextest is not installed, using `cargo test` (slower): cargo install cargo-nextest --locked");
    check(cargo(&[
        "test",
        "--workspace",
        "--locked",
        "--lib",
        "--bins",
        "--tests",
    ]))
}

fn docs() -> Outcome {
    check(cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"]))
}

fn web() -> Outcome {
    setup::node()?;
    let web = root().join("web");
    setup::npm_ci(&web)?;
    check(command_in(&web, "npm", &["run", "check"]))?;
    check(command_in(&web, "npm", &["test"]))?;
    setup::web_page()
}

fn browser() -> Outcome {
    setup::node()?;
    setup::needed(&setup::CHROMIUM)?;
    let e2e = root().join("tests/e2e");
    setup::npm_ci(&e2e)?;
    let mut tests = command_in(&e2e, "npm", &["test"]);
    tests.env("KYMO_BIN", up::release_binary());
    check(tests)
}

fn clients() -> Outcome {
    setup::node()?;
    setup::BROKERS.iter().try_for_each(setup::needed)?;
    let clients = root().join("tests/clients");
    setup::npm_ci(&clients)?;
    setup::python(&clients)?;
    let mut tests = command_in(&clients, "npm", &["test"]);
    tests.env("KYMO_BIN", up::release_binary());
    check(tests)
}
