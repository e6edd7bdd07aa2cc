//! The docs page and the shells know every command.

use crate::support::Home;

fn commands() -> Vec<String> {
    let help = Home::new().kymo(&["--help"]).good().stdout;
    let list = help
        .split("Commands:")
        .nth(1)
        .expect("a list of commands")
        .split("Options:")
        .next()
        .expect("options");
    list.lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn the_docs_page_names_every_command_with_an_example() {
    let page = include_str!("../../../../docs/cli.md");
    let commands = commands();
    assert!(commands.len() >= 17, "{commands:?}");
    for command in commands {
        assert!(
            page.contains(&format!("## {command}\n")),
            "docs/cli.md has no part for {command}"
        );
        assert!(
            page.contains(&format!("$ kymo {command}")),
            "docs/cli.md has no example of {command}"
        );
    }
}

#[test]
fn the_docs_page_says_every_exit_code() {
    let page = include_str!("../../../../docs/cli.md");
    for code in 0..=8 {
        assert!(
            page.contains(&format!("| {code} |")),
            "docs/cli.md does not say exit code {code}"
        );
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let home = Home::new();
    for command in commands() {
        let help = home.kymo(&[&command, "--help"]).good().stdout;
        assert!(
            help.contains("Examples:") && help.contains(&format!("kymo {command}")),
            "{help}"
        );
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.kymo(&["completions", shell]).good().stdout;
        for command in ["emit", "replay", "completions"] {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    home.kymo(&["completions", "tcsh"]).code(2);
}

#[test]
fn a_mistyped_command_is_told_the_nearest_one() {
    let ran = Home::new().kymo(&["emti", "hello"]).code(2);
    assert!(ran.stderr.contains("emit"), "{}", ran.stderr);
}
