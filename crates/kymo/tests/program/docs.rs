//! The docs page and the shells know every command.

use std::{fs, path::Path};

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

/// Every file of settings that readers may copy, and every piece of one.
fn settings_in_docs() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for folder in ["docs", "docs/systems", "docs/examples", "deploy"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = || fs::read_to_string(&path).expect("text");
            let name = path.display().to_string();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("toml") => found.push((name, text())),
                Some("md") => {
                    let text = text();
                    let pieces = text.split("```toml\n").skip(1);
                    let pieces = pieces.map(|piece| piece.split("```").next().unwrap_or_default());
                    found.extend(pieces.map(|piece| (name.clone(), piece.to_owned())));
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn settings_that_the_docs_show_are_settings() {
    let all = settings_in_docs();
    assert!(all.len() > 15, "{}", all.len());
    for (name, text) in all {
        let home = Home::new();
        let file = home.write("shown.toml", &text);
        let ran = home
            .command(&["config", "check", file.to_str().expect("UTF-8")])
            .env("AGI_LEDGER_PATH", "ledger.jsonl")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{name}: {said}\n{text}");
    }
}
