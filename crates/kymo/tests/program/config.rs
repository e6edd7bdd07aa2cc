//! Settings: what is in force, where it came from, what is wrong.

use crate::support::{Home, Ran};

#[test]
fn each_value_says_where_it_came_from_and_later_layers_win() {
    let home = Home::new();
    home.write("kymo.toml", "[hub]\nrate_per_source = 500\nids_max = 10\n");
    let mut command = home.command(&["config", "--set", "server.listen=127.0.0.1:0"]);
    command.env("KYMO_HUB_IDS_MAX", "20");
    let shown = Ran::of(command).good().stdout;
    let row = |key: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_else(|| panic!("{shown}"))
            .to_owned()
    };
    assert!(row("rate_per_source = 500").contains("kymo.toml:2"), "{shown}");
    assert!(row("ids_max = 20").contains("KYMO_HUB_IDS_MAX"), "{shown}");
    assert!(row("listen = \"127.0.0.1:0\"").contains("--set"), "{shown}");
    assert!(row("nesting_max = 128").contains("default"), "{shown}");
}

#[test]
fn what_config_prints_is_a_settings_file_itself() {
    let home = Home::new();
    let shown = home.kymo(&["config"]).good().stdout;
    let file = home.write("again.toml", shown);
    home.kymo(&["config", "check", file.to_str().expect("UTF-8")])
        .good();
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_nearest_one() {
    let home = Home::new();
    home.write("kymo.toml", "[ledger]\nsegmnt_bytes_max = 1\n");
    for args in [
        &["config"][..],
        &["config", "check"],
        &["serve", "--data", "d"],
        &["up", "--no-open"],
    ] {
        let ran = home.kymo(args).code(8);
        assert!(ran.stderr.contains("segmnt_bytes_max"), "{}", ran.stderr);
        assert!(ran.stderr.contains("ledger.segment_bytes_max"), "{}", ran.stderr);
        assert!(ran.stderr.contains("kymo.toml:2"), "{}", ran.stderr);
    }
}

#[test]
fn an_unknown_variable_and_a_wrong_value_are_errors_with_their_place() {
    let home = Home::new();
    let mut command = home.command(&["config"]);
    command.env("KYMO_SERVER_LISTN", "1");
    let ran = Ran::of(command).code(8);
    assert!(ran.stderr.contains("KYMO_SERVER_LISTEN"), "{}", ran.stderr);

    let mut command = home.command(&["config"]);
    command.env("KYMO_SERVER_LISTEN", "nowhere");
    let ran = Ran::of(command).code(8);
    assert!(
        ran.stderr.contains("server.listen") && ran.stderr.contains("KYMO_SERVER_LISTEN"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let home = Home::new();
    let file = home.write("broken.toml", "[server]\nlisten = \n");
    let ran = home
        .kymo(&["config", "check", file.to_str().expect("UTF-8")])
        .code(8);
    assert!(ran.stderr.contains("broken.toml:2"), "{}", ran.stderr);
    let ran = home.kymo(&["config", "check", "missing.toml"]).code(8);
    assert!(ran.stderr.contains("missing.toml"), "{}", ran.stderr);
}

#[test]
fn explain_says_what_a_setting_does_and_how_to_set_it() {
    let home = Home::new();
    let said = home.kymo(&["config", "explain", "server.listen"]).good().stdout;
    assert!(
        said.contains("KYMO_SERVER_LISTEN=") && said.contains("--set server.listen="),
        "{said}"
    );
    let ran = home.kymo(&["config", "explain", "listn"]).code(8);
    assert!(ran.stderr.contains("did you mean `listen`"), "{}", ran.stderr);
}

#[test]
fn the_commented_defaults_are_printed_to_begin_with() {
    let home = Home::new();
    let text = home.kymo(&["config", "default"]).good().stdout;
    home.write("kymo.toml", &text);
    let ran = home.kymo(&["config", "check"]).good();
    assert!(ran.stdout.contains("good"), "{}", ran.stdout);
}

#[test]
fn a_wrong_settings_file_does_not_keep_emit_and_run_from_working() {
    let home = Home::new();
    home.write("kymo.toml", "[nonsense]\nx = 1\n");
    home.kymo(&["emit", "hello"]).good();
    let ran = home.kymo(&["run", "--", "echo", "hi"]).good();
    assert_eq!(ran.stdout, "hi\n");
    assert!(ran.stderr.contains("nonsense"), "{}", ran.stderr);
}
