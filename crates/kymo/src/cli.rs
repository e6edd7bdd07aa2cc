//! The command line: every command in one list, and what all of them share.
use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{commands::*, exit, exit::Exit, failure::Failure};

/// Records what agents, scripts and services do, shows it live, replays it from any point.
///
/// Begin with `kymo up` in a project: it records what happens in the folder and opens the page.
/// Every other command finds that server by itself from anywhere below the folder.
#[derive(Parser, Debug)]
#[command(name = "kymo", version, after_help = AFTER_HELP, after_long_help = LONG_AFTER_HELP.as_str())]
#[command(
    max_term_width = 110,
    disable_help_subcommand = true,
    propagate_version = true
)]
pub(crate) struct Cli {
    /// Log more on standard error (-v information, -vv everything); KYMO_LOG takes finer directives
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide = true)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  kymo up                                   record this folder and open the page
  kymo emit task.started step=1 --task t1   emit an event
  kymo run -- npm test                      make any command visible
  kymo tail 'level:>=warn' --since 10m      follow what goes wrong
  kymo query type:file.* --by data.language count file changes by language
";

/// The exit codes stand below the long help.
static LONG_AFTER_HELP: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| format!("{AFTER_HELP}\n{}", exit::TABLE));

/// Every command. Each is one file in `commands/`.
#[derive(Subcommand, Debug)]
enum Command {
    /// Record this folder, serve it, and open the page
    Up(up::Args),
    /// Serve a data folder without watching anything
    Serve(serve::Args),
    /// Say what runs and how it is
    Status(status::Args),
    /// Stop the server of this folder
    Stop(stop::Args),
    /// Emit an event, or many from standard input
    Emit(emit::Args),
    /// Run a command and record its start, output, end and exit code
    Run(run::Args),
    /// Show events live
    Tail(tail::Args),
    /// Ask the past: list, count, group
    Query(query::Args),
    /// Say which agents there are and how they are, now or at any moment
    Agents(agents::Args),
    /// Play the past at its own pace, here or into another Kymo
    Replay(replay::Args),
    /// Take events from a file of JSON lines
    Import(import::Args),
    /// Follow files of JSON lines and send what is appended
    Follow(follow::Args),
    /// Write events as JSON lines
    Export(export::Args),
    /// Check every line of the ledger and its chain
    Verify(verify::Args),
    /// Print the ledger's head: seq and chain hash
    Head(head::Args),
    /// Watch folders and send what happens to a server elsewhere
    Watch(watch::Args),
    /// Show, create, list and revoke tokens
    Token(token::Args),
    /// Print, check and explain the settings
    Config(config::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        self.color.set();
        match self.command {
            Command::Up(args) => args.run(),
            Command::Serve(args) => args.run(),
            Command::Status(args) => args.run(),
            Command::Stop(args) => args.run(),
            Command::Emit(args) => args.run(),
            Command::Run(args) => args.run(),
            Command::Tail(args) => args.run(),
            Command::Query(args) => args.run(),
            Command::Agents(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::Follow(args) => args.run(),
            Command::Export(args) => args.run(),
            Command::Verify(args) => args.run(),
            Command::Head(args) => args.run(),
            Command::Watch(args) => args.run(),
            Command::Token(args) => args.run(),
            Command::Config(args) => args.run(),
            Command::Completions(args) => args.run(),
        }
    }
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    fn set(self) {
        match self {
            Self::Auto => {}
            Self::Always => anstream::ColorChoice::Always.write_global(),
            Self::Never => anstream::ColorChoice::Never.write_global(),
        }
    }
}

/// Reads the command line; help, version and mistakes end the program here.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Cli {
    Cli::try_parse_from(protect_negated_words(args)).unwrap_or_else(|error| error.exit())
}

/// The grammar itself, for completions and tests.
pub(crate) fn grammar() -> clap::Command {
    Cli::command()
}

/// Commands whose free words are a filter.
const FILTERED: &[&str] = &["tail", "query", "replay", "export"];

/// `-source:test` is a word of the filter language, not a row of short flags. A space before it keeps it apart; the
/// filter language does not see it.
fn protect_negated_words(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let args: Vec<_> = args.collect();
    let filtered = args
        .iter()
        .skip(1)
        .find(|arg| !arg.to_string_lossy().starts_with('-'));
    if !filtered.is_some_and(|name| FILTERED.iter().any(|command| name == command)) {
        return args;
    }
    args.into_iter()
        .map(|arg| {
            if is_negated(&arg.to_string_lossy()) {
                padded(&arg)
            } else {
                arg
            }
        })
        .collect()
}

fn is_negated(arg: &str) -> bool {
    let Some(word) = arg.strip_prefix('-').filter(|word| !word.starts_with('-')) else {
        return false;
    };
    let name = word.split(':').next().unwrap_or_default();
    let is_key = name.len() < word.len()
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._".contains(c));
    is_key || word.starts_with(['"', '('])
}

fn padded(arg: &OsString) -> OsString {
    let mut padded = OsString::from(" ");
    padded.push(arg);
    padded
}

/// Logs go to standard error: warnings unless told otherwise.
pub(crate) fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("KYMO_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(verbose > 1)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        grammar().debug_assert();
    }

    #[test]
    fn a_negated_filter_word_is_no_flag_but_flags_stay_flags() {
        let args = [
            "kymo",
            "query",
            "type:a",
            "-source:test",
            "-n",
            "5",
            "--since",
            "-5m",
            "-(a OR b)",
        ];
        let kept = protect_negated_words(args.iter().map(OsString::from));
        let kept: Vec<_> = kept
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            kept,
            [
                "kymo",
                "query",
                "type:a",
                " -source:test",
                "-n",
                "5",
                "--since",
                "-5m",
                " -(a OR b)"
            ]
        );
        let run = ["kymo", "run", "--", "curl", "-H:x"].map(OsString::from);
        assert_eq!(protect_negated_words(run.clone().into_iter()), run);
    }

    #[test]
    fn every_command_explains_itself_with_an_example() {
        for command in grammar().get_subcommands() {
            let after = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                after.contains(&format!("kymo {}", command.get_name())),
                "{} has no example",
                command.get_name()
            );
        }
    }

    #[test]
    fn exit_codes_are_in_the_long_help() {
        assert!(
            grammar()
                .render_long_help()
                .to_string()
                .contains("another process uses the data folder")
        );
    }
}
