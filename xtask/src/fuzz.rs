//! `cargo xtask fuzz`: builds the fuzz targets for libFuzzer with stable Rust, and runs them.
//!
//! What is found on the way lies below the target folder; the corpus in the repository changes only with `--keep`. A
//! crash prints the input's file and the command that runs it again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use crate::{
    steps::{Outcome, cargo, check, command, root, say},
    up,
};

const HELP: &str = "\
Run the fuzz targets

Usage: cargo xtask fuzz [TARGET…] [--seconds N] [--keep]
       cargo xtask fuzz TARGET FILE
       cargo xtask fuzz --smoke

  TARGET…        these targets; all where none is named (fuzz/fuzz_targets lists them)
  --seconds N    for so long each [default: 60]
  --keep         add to the corpus in the repository what reaches code that it does not reach yet
  FILE           run one input, such as one that crashed
  --smoke        all targets, a thousand inputs each, the same every time";

/// Inputs for each target in `cargo xtask test`: a number rather than a time, so that a slow machine tries no fewer.
const SMOKE_INPUTS: u64 = 1_000;
/// An input that takes longer is a finding.
const PATIENCE_S: u64 = 20;
const INPUT_BYTES_MAX: u64 = 4096;

/// What the command line asks for.
struct Plan {
    targets: Vec<String>,
    until: Until,
    keep: bool,
}

/// When a target has run for long enough.
#[derive(Clone, Copy)]
enum Until {
    Seconds(u64),
    /// So many inputs, with chance that repeats: a check that passed passes again.
    Inputs(u64),
}

/// Runs targets, or one input.
pub(crate) fn run(args: &[String]) -> Outcome {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        say(HELP);
        return Ok(());
    }
    if let [target, file] = args
        && Path::new(file).is_file()
    {
        known(target)?;
        build()?;
        return check(command(&program(target).to_string_lossy(), &[file]));
    }
    if args.iter().any(|arg| arg == "--smoke") {
        return smoke();
    }
    let plan = plan(args)?;
    build()?;
    fuzz(&plan)
}

/// A little of everything, the same every time.
pub(crate) fn smoke() -> Outcome {
    if !cfg!(unix) {
        say("left out: the fuzzing engine is built on Linux and macOS");
        return Ok(());
    }
    build()?;
    fuzz(&Plan {
        targets: targets()?,
        until: Until::Inputs(SMOKE_INPUTS),
        keep: false,
    })
}

fn plan(args: &[String]) -> Outcome<Plan> {
    let mut plan = Plan {
        targets: Vec::new(),
        until: Until::Seconds(60),
        keep: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--keep" => plan.keep = true,
            "--seconds" => {
                let seconds = args.next().and_then(|seconds| seconds.parse().ok());
                plan.until = Until::Seconds(seconds.ok_or("`--seconds` needs a whole number")?);
            }
            target => {
                known(target)?;
                plan.targets.push(target.to_owned());
            }
        }
    }
    if plan.targets.is_empty() {
        plan.targets = targets()?;
    }
    Ok(plan)
}

fn targets() -> Outcome<Vec<String>> {
    let programs = fs::read_dir(root().join("fuzz/fuzz_targets"))?;
    let mut names = Vec::new();
    for program in programs {
        names.extend(
            program?
                .path()
                .file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn known(target: &str) -> Outcome {
    let targets = targets()?;
    if targets.iter().any(|known| known == target) {
        return Ok(());
    }
    Err(format!(
        "there is no fuzz target `{target}`; there are {}",
        targets.join(", ")
    )
    .into())
}

/// The passes of LLVM that libFuzzer needs work on stable; `fuzz/instrumented` names them. As a wrapper for the crates of
/// the workspace it leaves all others as the release build has made them.
fn build() -> Outcome {
    let mut build = cargo(&[
        "build",
        "--release",
        "--package",
        "kymo-fuzz",
        "--features",
        "engine",
        "--bins",
        "--locked",
    ]);
    build.env("RUSTC_WORKSPACE_WRAPPER", root().join("fuzz/instrumented"));
    check(build)
}

fn program(target: &str) -> PathBuf {
    up::target().join("release").join(target)
}

/// As many at once as there are processors.
fn fuzz(plan: &Plan) -> Outcome {
    let waiting = Mutex::new(plan.targets.iter().rev().collect::<Vec<_>>());
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().expect("nobody panics holding it").pop();
            let Some(target) = next else { return };
            if let Err(error) = one(target, plan) {
                failed
                    .lock()
                    .expect("nobody panics holding it")
                    .push(error.to_string());
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..workers).for_each(|_| _ = scope.spawn(work)));
    let failed = failed.into_inner().expect("nobody panics holding it");
    if failed.is_empty() {
        return Ok(());
    }
    Err(failed.join("\n").into())
}

/// One target for its time, and where it keeps what it finds.
fn one(target: &str, plan: &Plan) -> Outcome {
    let place = up::target().join("fuzz").join(target);
    let (found, crashes) = (place.join("found"), place.join("crashes"));
    if matches!(plan.until, Until::Inputs(_)) && found.exists() {
        fs::remove_dir_all(&found)?;
    }
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&crashes)?;
    let corpus = root().join("fuzz/corpus").join(target);
    let mut fuzzer = fuzzer(target, &[&found, &corpus]);
    match plan.until {
        Until::Seconds(seconds) => fuzzer.arg(format!("-max_total_time={seconds}")),
        Until::Inputs(inputs) => fuzzer.arg(format!("-runs={inputs}")).arg("-seed=1"),
    };
    fuzzer
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-timeout={PATIENCE_S}"))
        .arg(format!("-artifact_prefix={}/", crashes.display()));
    let dictionary = root().join(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.is_file() {
        fuzzer.arg(format!("-dict={}", dictionary.display()));
    }
    let told = tell(fuzzer, target, &place)?;
    say(&format!("{target:13} {told}"));
    if plan.keep {
        return merge(target, &corpus, &found);
    }
    Ok(())
}

fn fuzzer(target: &str, folders: &[&Path]) -> Command {
    let mut fuzzer = command(&program(target).to_string_lossy(), &[]);
    fuzzer.args(folders);
    fuzzer
}

/// Runs it; what it said last, or where the input lies that it stumbled over.
fn tell(mut fuzzer: Command, target: &str, place: &Path) -> Outcome<String> {
    let log = place.join("log");
    let to = fs::File::create(&log)?;
    fuzzer.stdout(Stdio::null()).stderr(to);
    let status = fuzzer
        .status()
        .map_err(|cause| format!("{target} does not start: {cause}"))?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if status.success() {
        return Ok(last_figures(&said));
    }
    let input = said
        .lines()
        .rev()
        .find_map(|line| line.rsplit_once("Test unit written to ").map(|(_, file)| file));
    let panic = said
        .lines()
        .skip_while(|line| !line.contains("panicked at"))
        .take(4)
        .collect::<Vec<_>>()
        .join("\n  ");
    let again = input.map_or_else(String::new, |file| {
        format!("\n  the input: {file}\n  run it again: cargo xtask fuzz {target} {file}")
    });
    Err(format!(
        "{target} failed ({status}); all it said: {}\n  {panic}{again}",
        log.display()
    )
    .into())
}

/// The figures of the last status line: inputs run, code reached, corpus.
fn last_figures(said: &str) -> String {
    let status = said
        .lines()
        .rev()
        .find(|line| line.contains(" cov: "))
        .unwrap_or("ran")
        .replace('\t', " ");
    let count = status
        .trim_start_matches('#')
        .split_whitespace()
        .next()
        .unwrap_or_default();
    let figure = |name: &str| {
        let value = status
            .split_once(name)
            .and_then(|(_, rest)| rest.split_whitespace().next());
        value.unwrap_or("?").to_owned()
    };
    format!(
        "{count} inputs, {} a second, reaches {} places, corpus {}",
        figure("exec/s: "),
        figure("cov: "),
        figure("corp: ")
    )
}

/// Adds to the corpus what reaches more than it does, each input as small as it was found.
fn merge(target: &str, corpus: &Path, found: &Path) -> Outcome {
    let mut merge = fuzzer(target, &[corpus, found]);
    merge.arg("-merge=1").stdout(Stdio::null()).stderr(Stdio::null());
    check(merge)
}
